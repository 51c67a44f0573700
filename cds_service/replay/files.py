"""Small files of a run that are whole or not there, whenever the process is killed."""

import os
from collections import Counter
from pathlib import Path

import msgspec

from cds_service.replay.entries import Tallies

_ENCODE = msgspec.json.Encoder().encode
_TALLIES = msgspec.json.Decoder(list[tuple[str, str, str, int]])


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing, whenever the process is killed."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)


def write_tallies(path: Path, tallies: Tallies) -> None:
    write_whole(path, _ENCODE([(*key, count) for key, count in sorted(tallies.items())]))


def read_tallies(path: Path) -> Tallies:
    return Counter({(topic, name, detail): count for topic, name, detail, count in _TALLIES.decode(path.read_bytes())})
