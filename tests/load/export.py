"""Writes a synthetic FHIR Bulk Data export: seeded, with what real systems send (quirks), 1,000 to 1,000,000 patients.

python tests/load/export.py FOLDER [--patients 1000] [--seed 1] [--files 2] [--gzip] [--bad-lines 0]

All of it is invented. A patient is the same whatever the number of patients: each is drawn from seed and number alone.
"""

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cds_service.clinical import codes

CANONICAL = "http://127.0.0.1:8000/fhir"  # what the service uses without settings
Json = dict[str, Any]
FIRST_DAY, DAYS = date(2023, 1, 1), 700  # orders are written in these; the follow-up reaches further
ZONE = timezone(timedelta(hours=-5))
UCUM = "http://unitsofmeasure.org"
PRESCRIBERS = 60
Code = tuple[str, str, str]  # system, code, display

INDEX = codes.load(None, CANONICAL)


def coded(name: str, *, system: str = "") -> Code:
    """The first code of one of the service's value sets."""
    found = next(one for one in INDEX.codings(name) if system in one.system)
    return found.system, found.code, found.display


FERRITIN, TSAT, HEMOGLOBIN, IRON, TIBC, CRP, WEIGHT, SEVERITY = map(
    coded, ("ferritin", "tsat", "hemoglobin", "iron", "tibc", "crp", "body-weight", "rls-severity")
)
PANEL = ("urn:invented:panels", "IRONP", "Iron panel")
SODIUM = ("urn:invented:tests", "NA", "Sodium")
RLS = coded("rls", system="icd-10-cm")
IV_ROUTE = coded("iv-route")


class Chart:
    """Resources of one patient, in the order in which they came about."""

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.dice = dice
        self.resources: list[Json] = []

    def add(self, kind: str, subject: str = "subject", **members: Any) -> Json:
        number = len(self.resources) + 1
        resource = {"resourceType": kind, "id": f"{self.name}-{number}", **members}
        resource[subject] = {"reference": f"Patient/{self.name}"}
        self.resources.append(resource)
        return resource

    def chance(self, share: float) -> bool:
        return self.dice.random() < share


# ------------------------------------------------------------------------------------------------------- one patient


def make_patient(seed: int, number: int) -> list[Json]:
    """Some twelve resources: one in three has RLS, most of those get iron, a few others get it for other reasons."""
    dice = random.Random(f"{seed}/{number}")
    chart = Chart(f"p{number}", dice)
    start = FIRST_DAY + timedelta(days=dice.randrange(DAYS))
    add_person(chart, start)
    has_rls = chart.chance(0.35)
    if has_rls:
        add_rls(chart, start)
    add_problems(chart, start)
    add_labs(chart, start - timedelta(days=dice.randrange(2, 105)), has_rls=has_rls)
    add_noise(chart, start)
    if chart.chance(0.45 if has_rls else 0.05):
        add_course(chart, start, has_rls=has_rls)
    return chart.resources


def add_person(chart: Chart, start: date) -> None:
    dice = chart.dice
    birth = date(start.year - dice.randrange(19 if chart.chance(0.98) else 14, 88), dice.randrange(1, 13), 11)
    text = birth.isoformat()
    if chart.chance(0.02):
        text = text[:4]  # a partial date
    person: Json = {"resourceType": "Patient", "id": chart.name, "gender": dice.choice(["female", "female", "male"])}
    if not chart.chance(0.01):
        person["birthDate"] = text
    person["name"] = [{"family": f"Synthetic-{chart.name}", "given": ["Invented"]}]
    if chart.chance(0.02):
        person["deceasedDateTime"] = day(start + timedelta(days=dice.randrange(30, 500)))
    chart.resources.append(person)


def add_rls(chart: Chart, start: date) -> None:
    """Coded, or by name only; recorded, or only with an onset; sometimes resolved later."""
    recorded = start - timedelta(days=chart.dice.randrange(20, 2000))
    code: Json = concept(RLS)
    if chart.chance(0.1):
        code = {"text": "Restless legs syndrome"}
    members: Json = {"clinicalStatus": status("condition-clinical", "active"), "code": code}
    members["recordedDate" if not chart.chance(0.08) else "onsetDateTime"] = day(recorded)
    if chart.chance(0.05):
        members["clinicalStatus"] = status("condition-clinical", "resolved")
        members["abatementDateTime"] = day(start + timedelta(days=chart.dice.randrange(40, 400)))
    if chart.chance(0.05):
        members["verificationStatus"] = status("condition-ver-status", "provisional")
    chart.add("Condition", **members)


OTHER_PROBLEMS = (
    (0.20, "Essential hypertension"), (0.10, "Type 2 diabetes"), (0.06, "Chronic kidney disease stage 3"),
    (0.04, "End-stage renal disease"), (0.02, "Hereditary hemochromatosis"), (0.04, "Crohn's disease"),
    (0.02, "Sepsis"), (0.03, "Asthma"),
)  # fmt: skip


def add_problems(chart: Chart, start: date) -> None:
    active = status("condition-clinical", "active")
    for share, words in OTHER_PROBLEMS:
        if chart.chance(share):
            when = day(start - timedelta(days=chart.dice.randrange(10, 900)))
            chart.add("Condition", clinicalStatus=active, code={"text": words}, recordedDate=when)
    if chart.chance(0.08):
        substance = {"text": "iron sucrose" if chart.chance(0.15) else "penicillin"}
        reaction = [{"manifestation": [{"text": "rash"}]}]
        when = day(start - timedelta(days=chart.dice.randrange(100, 900)))
        chart.add("AllergyIntolerance", "patient", code=substance, reaction=reaction, recordedDate=when)


def add_labs(chart: Chart, drawn: date, *, has_rls: bool) -> None:
    """Iron studies in the shapes that laboratories send them in; a repeat, and a correction, now and then."""
    dice = chart.dice
    if chart.chance(0.88 if has_rls else 0.4):
        ferritin = round(min(dice.lognormvariate(4.1, 0.8), 900), dice.choice([0, 1, 2]))
        add_ferritin(chart, drawn, ferritin)
        if chart.chance(0.02):  # the first report was wrong; the correction came weeks later
            add_lab(chart, FERRITIN, drawn, ferritin * 10, "ng/mL", status="corrected", late_days=dice.randrange(5, 40))
    if chart.chance(0.75 if has_rls else 0.3):
        add_tsat(chart, drawn)
    if chart.chance(0.8):
        add_lab(chart, HEMOGLOBIN, drawn, round(dice.gauss(13.4, 1.3), 1), "g/dL")
    if chart.chance(0.2):
        add_lab(chart, CRP, drawn, round(dice.expovariate(0.2), 1), "mg/L")
    if chart.chance(0.6):
        weight = add_lab(chart, WEIGHT, drawn, round(dice.gauss(76, 15), 1), "kg")
        if chart.chance(0.3):
            weight["valueQuantity"] = {"value": str(weight["valueQuantity"]["value"]), "unit": "kg"}  # as strings do


def add_ferritin(chart: Chart, drawn: date, value: float) -> None:
    shape = chart.dice.random()
    if shape < 0.04:
        add_lab(chart, FERRITIN, drawn, round(value * 2.247, 1), "pmol/L")
    elif shape < 0.06:
        del add_lab(chart, FERRITIN, drawn, value, "ng/mL")["valueQuantity"]
        chart.resources[-1]["valueString"] = "<5"
    elif shape < 0.07:
        add_lab(chart, FERRITIN, drawn, value, "ng/mL", status="preliminary")
    elif shape < 0.08:
        add_lab(chart, FERRITIN, drawn, value, "mg/mL")  # a slip of the unit
    elif shape < 0.10:
        add_lab(chart, FERRITIN, drawn, value, "ng/mL")["effectiveDateTime"] = drawn.isoformat()[:7]
    else:
        add_lab(chart, FERRITIN, drawn, value, "ng/mL")


def add_tsat(chart: Chart, drawn: date) -> None:
    dice = chart.dice
    percent = round(min(max(dice.gauss(21, 8), 3), 70), 1)
    shape = dice.random()
    if shape < 0.6:
        add_lab(chart, TSAT, drawn, percent, "%")
    elif shape < 0.8:  # to be calculated
        tibc = round(dice.gauss(340, 40))
        add_lab(chart, IRON, drawn, round(tibc * percent / 100), "ug/dL")
        add_lab(chart, TIBC, drawn, tibc, "ug/dL")
    else:  # in the parts of a panel
        panel = add_lab(chart, PANEL, drawn, 0, "")
        del panel["valueQuantity"]
        panel["component"] = [{"code": concept(TSAT), "valueQuantity": quantity(percent, "%")}]


def add_noise(chart: Chart, start: date) -> None:
    """What no rule asks for, or what asks nothing of a rule."""
    for _ in range(chart.dice.randrange(8)):
        drawn = start - timedelta(days=chart.dice.randrange(900))
        add_lab(chart, SODIUM, drawn, round(chart.dice.gauss(140, 3)), "mmol/L")
    for _ in range(chart.dice.randrange(3)):
        when = start - timedelta(days=chart.dice.randrange(900))
        chart.add("Encounter", status="finished", period={"start": at(when, 9), "end": at(when, 10)})
    for _ in range(chart.dice.randrange(3)):
        drug = {"text": chart.dice.choice(["metoprolol", "pramipexole", "ferrous sulfate", "ropinirole"])}
        when = at(start - timedelta(days=chart.dice.randrange(900)), 11)
        chart.add("MedicationRequest", status="active", intent="order", medicationCodeableConcept=drug, authoredOn=when)


# --------------------------------------------------------------------------------------------------------- the course

PRODUCTS = tuple(
    (share, coded(name, system="rxnorm"), words, mg)
    for share, name, words, mg in (
        (0.70, "fcm", "ferric carboxymaltose", 1000),
        (0.85, "iron-dextran", "iron dextran", 1000),
        (0.95, "iron-sucrose", "iron sucrose", 200),
        (1.01, "ferumoxytol", "ferumoxytol", 510),
    )
)
BILLED = coded("fcm", system="HCPCS")


def add_course(chart: Chart, start: date, *, has_rls: bool) -> None:
    """An order, its infusion, the reassessments, and some months later a repeat of one in four."""
    dice = chart.dice
    baseline = dice.randrange(14, 38)
    responds = chart.chance(0.6)
    if has_rls:
        add_total(chart, start - timedelta(days=3), baseline)
    given = add_order(chart, start)
    if given is None:
        return
    if has_rls:
        add_follow_up(chart, given, baseline, responds=responds)
    if chart.chance(0.25):
        again = given + timedelta(days=dice.randrange(60, 300))
        add_labs(chart, again - timedelta(days=dice.randrange(1, 60)), has_rls=has_rls)
        add_order(chart, again)


def add_order(chart: Chart, written: date) -> date | None:
    """The day of the infusion, None if it was not given. The drug by code, brand, text, reference or HCPCS code."""
    dice = chart.dice
    roll = dice.random()
    _, code, words, mg = next(one for one in PRODUCTS if roll < one[0])
    drug: Json = {"medicationCodeableConcept": concept(code)}
    shape = dice.random()
    if shape < 0.15:
        drug = {"medicationCodeableConcept": {"text": f"{words} infusion"}}
    elif shape < 0.22:
        drug = {"medicationReference": {"reference": f"Medication/{code[1]}"}}
    elif shape < 0.27:
        medication = {"resourceType": "Medication", "id": "m", "code": {"text": f"{words} injection"}}
        drug = {"contained": [medication], "medicationReference": {"reference": "#m"}}
    given = written + timedelta(days=dice.randrange(1, 20))
    is_given = chart.chance(0.9)
    authored = at(written, dice.randrange(8, 18)) if not chart.chance(0.05) else day(written)
    common: Json = {
        "status": "completed" if is_given else dice.choice(["cancelled", "active", "stopped"]),
        "intent": "order",
        "authoredOn": authored,
        "requester": {"reference": f"Practitioner/{dice.randrange(PRESCRIBERS)}", "display": "Dr. Invented"},
    }
    if shape > 0.95 and words == "ferric carboxymaltose":
        order = chart.add("ServiceRequest", code=concept(BILLED), occurrenceDateTime=day(given), **common)
    else:
        line: Json = {"route": concept(IV_ROUTE), "doseAndRate": [{"doseQuantity": quantity(mg, "mg")}]}
        order = chart.add("MedicationRequest", dosageInstruction=[line], **drug, **common)
    if not is_given:
        return None
    names = {name: value for name, value in drug.items() if name != "contained"}
    if "contained" in drug:
        names = {"medicationCodeableConcept": {"text": f"{words} injection"}}
    chart.add(
        "MedicationAdministration", status="completed", effectiveDateTime=at(given, 13), **names,
        dosage={"dose": quantity(mg, "mg")}, request={"reference": f"{order['resourceType']}/{order['id']}"},
    )  # fmt: skip
    return given


def add_follow_up(chart: Chart, given: date, baseline: int, *, responds: bool) -> None:
    """Totals at some of the contacts, ferritin at week 8 and month 6; some come too late, many never."""
    best = baseline * (0.4 if responds else 0.9)
    for after, share in ((8, 0.35), (21, 0.4), (60, 0.5), (183, 0.45), (365, 0.2)):
        if chart.chance(share):
            total = min(40, max(0, round(best + chart.dice.gauss(0, 3) + (after > 150) * 6)))
            add_total(chart, given + timedelta(days=after + chart.dice.randrange(-2, 14)), total)
    for after in (60, 190):
        if chart.chance(0.5):
            drawn = given + timedelta(days=after + chart.dice.randrange(0, 20))
            add_lab(chart, FERRITIN, drawn, round(chart.dice.gauss(190, 60), 1), "ng/mL")


# ------------------------------------------------------------------------------------------------------------- pieces


def add_total(chart: Chart, when: date, total: int) -> None:
    chart.add(
        "Observation", status="final", code=concept(SEVERITY), effectiveDateTime=at(when, 10),
        issued=at(when, 10), valueQuantity=quantity(total, "{score}"),
    )  # fmt: skip


def add_lab(
    chart: Chart, code: Code, drawn: date, value: float, unit: str, *, status: str = "final", late_days: int = 0
) -> Json:
    issued = {"issued": at(drawn + timedelta(days=late_days), 15)}
    if chart.chance(0.06):
        issued = {}  # then the time of the specimen stands in
    return chart.add(
        "Observation", status=status, code=concept(code), effectiveDateTime=at(drawn, 8), **issued,
        valueQuantity=quantity(value, unit),
    )  # fmt: skip


def concept(code: Code) -> Json:
    return {"coding": [dict(zip(("system", "code", "display"), code, strict=True))]}


def quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def status(system: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def day(when: date) -> str:
    return when.isoformat()


def at(when: date, hour: int) -> str:
    return datetime(when.year, when.month, when.day, hour, tzinfo=ZONE).isoformat()


# -------------------------------------------------------------------------------------------------------------- files

BAD_LINES: tuple[bytes, ...] = (
    b'{"resourceType": "Observation", "id": "cut-off", "subject": {"reference": "Pati',
    b'{"resourceType": 7, "id": "wrong-type"}',
    b'["no", "object"]',
    b'{"id": "no-type"}',
    b'{"resourceType": "Observation", "id": "latin-1", "subject": {"reference": "Patient/p1"}, "note": "M\xfcller"}',
    b'{"resourceType": "Observation", "id": "nobody"}',
    b"{'resourceType': 'Observation'}",
    b"[" * 5000,
)


def write_export(
    folder: Path, patients: int, *, seed: int = 1, files: int = 2, packed: bool = False, bad_lines: int = 0,
    watch: Callable[[int], None] = lambda _: None,
) -> int:  # fmt: skip
    """Lines written. `bad_lines` unusable lines are strewn over the Observation files."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(f"{seed}/bad")
    bad_after = sorted(dice.randrange(patients) for _ in range(bad_lines))
    count = 0
    with ExitStack() as stack:
        files_of = _Files(folder, files, stack, packed=packed)
        for number, resource in _everything(seed, patients):
            kind = resource["resourceType"]
            files_of.write(kind, number, json.dumps(resource, separators=(",", ":")).encode())
            count += 1
            while bad_after and bad_after[0] <= number and kind == "Observation":
                files_of.write("Observation", number, BAD_LINES[len(bad_after) % len(BAD_LINES)])
                bad_after.pop(0)
            if not count % 100_000:
                watch(count)
    return count


def _everything(seed: int, patients: int) -> Iterator[tuple[int, Json]]:
    for _, code, words, _ in PRODUCTS:
        yield 0, {"resourceType": "Medication", "id": code[1], "code": {**concept(code), "text": words}}
    for number in range(1, patients + 1):
        for resource in make_patient(seed, number):
            yield number, resource


class _Files:
    """Several files a type, the patients dealt out over them; the second file of each type is compressed."""

    def __init__(self, folder: Path, count: int, stack: ExitStack, *, packed: bool) -> None:
        self._folder, self._count, self._stack, self._packed = folder, count, stack, packed
        self._open: dict[tuple[str, int], IO[bytes]] = {}

    def write(self, kind: str, number: int, line: bytes) -> None:
        key = (kind, number * 7 % self._count)
        if key not in self._open:
            self._open[key] = self._stack.enter_context(self._create(*key))
        self._open[key].write(line + b"\n")

    def _create(self, kind: str, part: int) -> Any:
        path = self._folder / f"{kind}.{part:04}.ndjson"
        if not (self._packed or part == 1):
            return path.open("wb")
        out = self._stack.enter_context(path.with_name(path.name + ".gz").open("wb"))
        return gzip.GzipFile("", "wb", 1, out, mtime=0)  # without name and time: the same bytes every time


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=2)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--bad-lines", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    count = write_export(
        asked.folder, asked.patients, seed=asked.seed, files=asked.files, packed=asked.gzip, bad_lines=asked.bad_lines,
        watch=lambda lines: print(f"{lines:,} lines", file=sys.stderr),
    )  # fmt: skip
    print(f"{count:,} resources of {asked.patients:,} patients in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
