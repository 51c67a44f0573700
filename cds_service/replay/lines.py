"""One line of FHIR Bulk Data NDJSON: its type, id and patient, or why it cannot be used. Nothing else is decoded."""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

MEDICATION = "Medication"  # belongs to no patient
# What the prefetch templates of the service ask for (design section 2).
NEEDED = frozenset(
    {
        *("Patient", "Condition", "Observation", "AllergyIntolerance", "MedicationRequest", "MedicationAdministration"),
        *("MedicationStatement", "Procedure", "ServiceRequest", "Task", "Appointment", MEDICATION),
    }
)
SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")

TRUNCATED = "not JSON, or broken off"
NOT_UTF8 = "not UTF-8"
NO_RESOURCE = "not a FHIR resource: no object with a resourceType"
NO_PATIENT = "names no patient"
NO_ID = "a Patient or Medication without id"
BAD_ID = "an id or patient that holds blanks or control characters"
MISPLACED = "used, but in a file named for another type"
BROKEN_GZIP = "the compressed file breaks off or is damaged: nothing more of it was read"


class Line(NamedTuple):
    """A line that is used. `patient` is empty for a Medication."""

    type: str
    id: str
    patient: str
    raw: bytes


class Problem(NamedTuple):
    """A line that is not used, or is in the wrong place: by file and line number, never quoted."""

    file: str
    line: int
    reason: str
    is_used: bool = False


class Passed(NamedTuple):
    """A good line of a type that no rule asks for."""

    type: str


Read: TypeAlias = Line | Problem | Passed


class _Head(msgspec.Struct, gc=False, rename={"for_": "for"}):
    resourceType: str
    id: str | None = None
    subject: Raw | UnsetType = UNSET
    patient: Raw | UnsetType = UNSET
    for_: Raw | UnsetType = UNSET
    participant: Raw | UnsetType = UNSET


class _Reference(msgspec.Struct, gc=False):
    reference: str | None = None


class _Participant(msgspec.Struct, gc=False):
    actor: _Reference | None = None


_HEAD = msgspec.json.Decoder(_Head)
_REFERENCE = msgspec.json.Decoder(_Reference)
_PARTICIPANTS = msgspec.json.Decoder(list[_Participant])
_NOT_PLAIN = re.compile(r"[\s\x00-\x1f\x7f]").search
_NAMED_TYPE = re.compile(r"[A-Z][A-Za-z]+")
_BOM = b"\xef\xbb\xbf"


def find_files(export: Path) -> tuple[str, ...]:
    """NDJSON files below the folder, by relative name, in order."""
    found = (path for path in export.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())
    return tuple(sorted(path.relative_to(export).as_posix() for path in found))


def _ignore(_: int) -> None:
    pass


def read_file(export: Path, name: str, watch: Callable[[int], None] = _ignore) -> Iterator[Read]:
    """Every line that is not blank, as one of the three. `watch` is told now and then how many bytes are behind us."""
    number = 0
    expected = _type_in(name)
    try:
        with (export / name).open("rb") as stored, _unpack(stored, name) as lines:
            for number, line in enumerate(lines, 1):
                if not number % 5000:
                    watch(stored.tell())
                stripped = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if not stripped:
                    continue
                read = read_line(stripped)
                if isinstance(read, str):
                    yield Problem(name, number, read)
                    continue
                if expected is not None and read.type != expected:
                    yield Problem(name, number, MISPLACED, is_used=True)
                yield read
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield Problem(name, number + 1, BROKEN_GZIP)


def read_line(line: bytes) -> Line | Passed | str:
    """The line, or the reason why it cannot be used."""
    try:
        if not line.isascii():
            line.decode()  # msgspec does not look into what it skips
        head = _HEAD.decode(line)
        if head.resourceType not in NEEDED:
            return Passed(head.resourceType)
        patient = _patient_of(head)
    except UnicodeDecodeError:
        return NOT_UTF8
    except msgspec.ValidationError:
        return NO_RESOURCE
    except (msgspec.DecodeError, RecursionError):
        return TRUNCATED
    if head.resourceType in ("Patient", MEDICATION) and not head.id:
        return NO_ID
    if not patient and head.resourceType != MEDICATION:
        return NO_PATIENT
    if _NOT_PLAIN(patient + (head.id or "")):
        return BAD_ID
    return Line(head.resourceType, head.id or "", patient, line)


def _patient_of(head: _Head) -> str:
    """Bare id; empty when there is none, or the subject is a Group or Device."""
    if head.resourceType == "Patient":
        return head.id or ""
    if head.resourceType == "Appointment":
        if head.participant is UNSET:
            return ""
        actors = (one.actor.reference for one in _PARTICIPANTS.decode(head.participant) if one.actor)
        return next((found for one in actors if one and (found := patient_id(one))), "")
    for member in (head.subject, head.patient, head.for_):
        if member is not UNSET:
            found = patient_id(_read_reference(member))
            if found:
                return found
    return ""


def _read_reference(member: Raw) -> str:
    try:
        return _REFERENCE.decode(member).reference or ""
    except msgspec.ValidationError:
        return ""


def patient_id(reference: str) -> str:
    """Bare id of `Patient/1`, of its absolute or versioned form, or of a URN; empty for anything else."""
    if reference.startswith("Patient/") and "/" not in reference[8:]:
        return reference[8:]
    if reference.startswith("urn:uuid:"):
        return reference.removeprefix("urn:uuid:")
    parts = reference.split("/_history/", 1)[0].rstrip("/").split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Patient" else ""


def _type_in(name: str) -> str | None:
    """`Observation` of `Observation.0001.ndjson.gz`, where the file is named for a type we use."""
    found = _NAMED_TYPE.match(name.rsplit("/", 1)[-1])
    return found[0] if found and found[0] in NEEDED else None


def _unpack(stored: IO[bytes], name: str) -> IO[bytes]:
    return gzip.open(stored) if name.endswith(".gz") else stored  # type: ignore[return-value]
