"""Small exports for the tests of the replay: synthetic resources written as NDJSON, and runs over them."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from cds_service.replay import core, one_machine
from cds_service.replay.run import Run, make_run
from cds_service.settings import load_settings
from tests.load.export import FERRITIN, HEMOGLOBIN, IV_ROUTE, RLS, SEVERITY, TSAT, coded, concept, quantity, status

Json = dict[str, Any]
PATIENT = "patient-7d3"
NAME = "Mustermann-must-never-be-seen"
UNTIL = date(2026, 6, 1)
KEY = b"a key for tests, of thirty-two characters or more"
FCM = coded("fcm", system="rxnorm")
ACTIVE = status("condition-clinical", "active")


def setup(**asked: Any) -> core.Setup:
    given = {"until": UNTIL, "key": KEY, **asked}
    return core.Setup(settings=core.kept_settings(load_settings()), **given)


def write(folder: Path, *resources: Json) -> Path:
    """One file a type."""
    folder.mkdir(parents=True, exist_ok=True)
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a", encoding="utf-8") as out:
            out.write(json.dumps(resource) + "\n")
    return folder


def run(export: Path, output: Path, *, parquet: bool = False, workers: int = 1, **asked: Any) -> Run:
    engine = partial(one_machine.replay, workers)
    return make_run(export, output, setup(**asked), engine, lambda *_: None, parquet=parquet)


def rows(finished: Run, name: str = "decisions") -> list[dict[str, str]]:
    with finished.file(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def decide(folder: Path, resources: Iterable[Json], **asked: Any) -> list[dict[str, str]]:
    """The decision rows of a patient with these resources."""
    export = write(folder / "export", *resources)
    return rows(run(export, folder / "run", is_identified=True, **asked))


def only(found: Sequence[dict[str, str]]) -> dict[str, str]:
    (row,) = found
    return row


# ---------------------------------------------------------------------------------------------------- one patient


def patient(**members: Any) -> Json:
    named = [{"family": NAME, "given": ["Erika"]}]
    return {
        "resourceType": "Patient",
        "id": PATIENT,
        "birthDate": "1960-05-05",
        "gender": "female",
        "name": named,
    } | members


def about_them(kind: str, name: str, **members: Any) -> Json:
    subject = "patient" if kind == "AllergyIntolerance" else "subject"
    return {"resourceType": kind, "id": name, subject: {"reference": f"Patient/{PATIENT}", "display": NAME}} | members


def rls(recorded: str = "2024-01-05", **members: Any) -> Json:
    return about_them("Condition", "rls", clinicalStatus=ACTIVE, code=concept(RLS), recordedDate=recorded) | members


def lab(name: str, code: tuple[str, str, str], value: float, unit: str, day: str, **members: Any) -> Json:
    """Drawn at 08:00, issued at 15:00."""
    return about_them(
        "Observation", name, status="final", code=concept(code), effectiveDateTime=f"{day}T08:00:00-05:00",
        issued=f"{day}T15:00:00-05:00", valueQuantity=quantity(value, unit),
    ) | members  # fmt: skip


def ferritin(value: float, day: str, name: str = "ferritin", **members: Any) -> Json:
    return lab(name, FERRITIN, value, "ng/mL", day, **members)


def tsat(value: float, day: str, name: str = "tsat", **members: Any) -> Json:
    return lab(name, TSAT, value, "%", day, **members)


def hemoglobin(value: float, day: str) -> Json:
    return lab("hb", HEMOGLOBIN, value, "g/dL", day)


def total(value: int, day: str, name: str) -> Json:
    return lab(name, SEVERITY, value, "{score}", day)


def order(written: str = "2025-03-10T10:00:00-05:00", name: str = "order", **members: Any) -> Json:
    line = {"route": concept(IV_ROUTE), "doseAndRate": [{"doseQuantity": quantity(1000, "mg")}]}
    return about_them(
        "MedicationRequest", name, status="completed", intent="order", authoredOn=written, dosageInstruction=[line],
        medicationCodeableConcept=concept(FCM), requester={"reference": "Practitioner/dr-9", "display": NAME},
    ) | members  # fmt: skip


def infusion(given: str, of: str = "order", name: str = "infusion") -> Json:
    return about_them(
        "MedicationAdministration", name, status="completed", effectiveDateTime=given,
        medicationCodeableConcept=concept(FCM), dosage={"dose": quantity(1000, "mg")},
        request={"reference": f"MedicationRequest/{of}"},
    )  # fmt: skip
