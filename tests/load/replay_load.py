"""How fast a replay is: synthetic exports of growing size, wall time, processor time and memory of all processes.

python tests/load/replay_load.py [--patients 10000,100000] [--processes 2] [--spark local[2]] [--keep FOLDER]

On a machine that others use, judge by processor time: resources for a second of it, times the cores you have.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.load.export import write_export

ROOT = Path(__file__).resolve().parents[2]
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
SECONDS_BETWEEN = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", default="10000,100000")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--spark", default="")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    engine = ["--spark", asked.spark] if asked.spark else ["--processes", str(asked.processes)]
    print(f"{'patients':>9} {'resources':>10} {'wall s':>8} {'/s':>8} {'cpu s':>8} {'/cpu s':>8} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        for patients in map(int, asked.patients.split(",")):
            measure(folder, patients, engine)


def measure(folder: Path, patients: int, engine: list[str]) -> None:
    export, output = folder / f"export-{patients}", folder / f"run-{patients}-{engine[0].strip('-')}"
    count = count_lines(export) if export.exists() else write_export(export, patients, files=4)
    command = [sys.executable, "-m", "cds_service.cli", "replay", str(export), "--output", str(output), *engine]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, spent = watch(process.pid)
    if process.wait():
        said = process.stderr.read().decode() if process.stderr else ""
        raise SystemExit(f"the replay failed: {said[-2000:]}")
    wall = time.monotonic() - began
    print(
        f"{patients:9,} {count:10,} {wall:8.1f} {count / wall:8,.0f} {spent:8.1f} {count / spent:8,.0f} {peak:8.0f}",
        flush=True,
    )


def count_lines(export: Path) -> int:
    """Of an export that is there already."""
    count = 0
    for path in export.iterdir():
        with path.open("rb") as stored, gzip.open(stored) if path.suffix == ".gz" else stored as content:
            count += sum(1 for _ in content)
    return count


def watch(root: int) -> tuple[float, float]:
    """Most memory in MB and processor seconds, of the process and all that it started.

    Pages that processes share count for each of them.
    """
    peak, spent = 0.0, {}
    while True:
        state, _ = look(root)
        if state in ("", "Z"):
            return peak, sum(spent.values())
        now = 0.0
        for pid in family(root):
            now += resident(pid)
            spent[pid] = max(spent.get(pid, 0.0), look(pid)[1])
        peak = max(peak, now)
        time.sleep(SECONDS_BETWEEN)


def look(pid: int) -> tuple[str, float]:
    """State, and processor seconds so far; nothing of a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return "", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) / TICKS


def family(root: int) -> set[int]:
    """By the table of processes, as it is now."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text("utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return found


def resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * PAGE / 1e6
    except (OSError, IndexError):
        return 0.0


if __name__ == "__main__":
    main()
