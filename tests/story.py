"""One invented patient from the first opened chart to the repeat course: twelve calls against a chart that changes.

The chart is a FHIR server on a socket (tests/fhir/ehr.py), the clock is ours, and between calls an EHR does what EHRs
do: keeps what was accepted, gives it ids of its own, signs, documents, draws blood. `fhir_fixtures/story/` is the
transcript, written by `make fixtures` and compared by tests/test_story.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask.testing import FlaskClient

from cds_service import assembly
from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.fhir.ehr import CANONICAL, Ehr, grant, open_ehr
from tests.replies import ADDRESSES, FOLDER, fold, mask

Json = dict[str, Any]
PATIENT = "story"
LOINC = "http://loinc.org"
STORY = FOLDER / "story"
LABS = {
    "ferritin": ("2276-4", "ng/mL"),
    "tsat": ("2502-3", "%"),
    "hemoglobin": ("718-7", "g/dL"),
    "weight": ("29463-7", "kg"),
}


@dataclass
class Clock:
    """Noon of the day the story has reached."""

    day: date = date(2026, 3, 10)

    def read(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=UTC)


@dataclass
class Told:
    """One call and its reply."""

    name: str
    about: str
    day: date
    request: Json
    reply: Json


@dataclass
class Teller:
    """The EHR's side: a chart, an ordering session, and calls to the service."""

    ehr: Ehr
    clock: Clock
    client: FlaskClient
    told: list[Told] = field(default_factory=list)
    session: list[Json] = field(default_factory=list)
    count: int = 0

    # --- the chart

    def put(self, resource: Json) -> Json:
        """Keeps a resource under an id of the EHR, whatever id it had."""
        self.count += 1
        kept = {**resource, "id": f"{PATIENT}-{self.count}"}
        self.ehr.resources[kept["resourceType"]][kept["id"]] = kept
        return kept

    def lab(self, name: str, value: float, day: str) -> None:
        code, unit = LABS[name]
        quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
        self.put(self._observation({"coding": [{"system": LOINC, "code": code}]}, day, quantity))

    def total(self, value: int, day: str) -> None:
        system = f"{CANONICAL}/CodeSystem/rls-severity"
        code = {"coding": [{"system": system, "code": "irls-total"}]}
        self.put(self._observation(code, day, {"value": value, "code": "{score}", "unit": "{score}"}))

    def _observation(self, code: Json, day: str, quantity: Json) -> Json:
        made: Json = {"resourceType": "Observation", "status": "final", "code": code, "valueQuantity": quantity}
        return {**made, "subject": _subject(), "effectiveDateTime": f"{day}T08:00:00Z"}

    def complete(self, contact: str) -> None:
        """The contact took place: its request is completed."""
        for request in self.requests():
            if request["status"] == "active" and request["identifier"][0]["value"].endswith(f".{contact}"):
                request["status"] = "completed"

    def requests(self) -> list[Json]:
        """Requests of the chart with our identifiers."""
        return [one for one in self.ehr.resources["ServiceRequest"].values() if one["id"].startswith(f"{PATIENT}-")]

    # --- what the clinician does with a suggestion

    def accept(self, reply: Json, place: int = 0) -> None:
        """Creates become signed requests of the chart, deletes remove them; all or none."""
        for action in self.actions(reply)[place]:
            if action["type"] == "delete":
                kind, name = action["resourceId"].split("/")
                del self.ehr.resources[kind][name]
            else:
                resource = action["resource"]
                is_request = resource["resourceType"] == "ServiceRequest"
                self.put({**resource, "status": "active"} if is_request else resource)

    def draft(self, reply: Json, topic: str) -> None:
        """Creates go into the ordering session, under ids that will not survive signing."""
        card = next(one for one in reply["cards"] if one["source"]["topic"]["code"] == topic)
        for action in card["suggestions"][0]["actions"]:
            self.count += 1
            self.session.append({**action["resource"], "id": f"draft-{self.count}"})

    def sign(self) -> Json:
        """The session is signed: new ids, status active. Returns the iron order."""
        signed = [
            self.put({**one, "status": "active", "authoredOn": self.clock.day.isoformat()}) for one in self.session
        ]
        self.session.clear()
        return next(one for one in signed if one["resourceType"] == "MedicationRequest")

    @staticmethod
    def actions(reply: Json) -> list[list[Json]]:
        return [one["actions"] for card in reply["cards"] for one in card.get("suggestions", ())]

    # --- calls

    def call(self, name: str, hook: str, about: str) -> Json:
        """One call of the story; kept for the transcript."""
        context: Json = {"userId": "Practitioner/sleep-physician", "patientId": PATIENT}
        if hook != "patient-view":
            entries = [{"resource": {**one, "subject": _subject()}} for one in self.session]
            context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        if hook == "order-select":
            context["selections"] = [f"MedicationRequest/{self.session[0]['id']}"]
        reply = self.ask(hook, context)
        request = {"hook": hook, "hookInstance": str(uuid5(NAMESPACE_URL, f"{PATIENT} {name}")), "context": context}
        self.told.append(Told(name, about, self.clock.day, request, reply))
        return reply

    def ask(self, hook: str, context: Json) -> Json:
        instance = str(uuid5(NAMESPACE_URL, f"{PATIENT} {hook} {self.clock.day}"))
        call = {"hook": hook, "hookInstance": instance, "context": context}
        access = {"fhirServer": self.ehr.base, "fhirAuthorization": grant()}
        answer = self.client.post(ADDRESSES[hook], json={**call, **access})
        assert answer.status_code == 200, answer.text
        reply: Json = answer.get_json()
        return reply

    def look_again(self) -> Json:
        """The chart is opened once more on the same day; not part of the transcript."""
        return self.ask("patient-view", {"userId": "Practitioner/sleep-physician", "patientId": PATIENT})

    def go_to(self, day: str) -> None:
        self.clock.day = date.fromisoformat(day)


def _subject() -> Json:
    return {"reference": f"Patient/{PATIENT}"}


def open_story(ehr: Ehr) -> Teller:
    """A service whose client accepts deletes, and a chart with RLS, iron studies, weight and a baseline total."""
    clock = Clock()
    build = assembly.build_engine

    def with_deletes(settings: Any) -> Any:
        engine = build(settings)
        profile = replace(engine.demo_client.profile, deletes=True)
        return replace(engine, demo_client=replace(engine.demo_client, profile=profile))

    assembly.build_engine = with_deletes
    try:
        settings = load_settings(timezone="UTC", log_level="error", database_url="sqlite://", fhir_bases=(ehr.base,))
        client = create_app(settings, clock=clock.read).test_client()
    finally:
        assembly.build_engine = build
    teller = Teller(ehr, clock, client)
    person = {"resourceType": "Patient", "id": PATIENT, "birthDate": "1966-01-01", "gender": "female"}
    ehr.resources["Patient"][PATIENT] = person
    status = "http://terminology.hl7.org/CodeSystem/condition"
    teller.put(
        {
            "resourceType": "Condition",
            "clinicalStatus": {"coding": [{"system": f"{status}-clinical", "code": "active"}]},
            "verificationStatus": {"coding": [{"system": f"{status}-ver-status", "code": "confirmed"}]},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G25.81"}]},
            "subject": _subject(),
            "recordedDate": "2024-05-02",
        }
    )
    for name, value in {"ferritin": 48, "tsat": 17, "hemoglobin": 13.4, "weight": 72}.items():
        teller.lab(name, value, "2026-03-02")
    teller.total(30, "2026-03-09")
    return teller


def tell(teller: Teller) -> list[Told]:
    """The twelve calls, with what happens in between."""
    _order(teller)
    _follow(teller)
    _relapse(teller)
    return teller.told


def _order(teller: Teller) -> None:
    reply = teller.call("01-candidate", "patient-view", "The chart is opened: criteria are met, no iron order.")
    teller.draft(reply, "iron-candidate")
    timing = {"timing": {"event": ["2026-03-17"]}}
    teller.session[0]["dosageInstruction"][0] |= timing  # the prescriber plans the infusion
    reply = teller.call("02-order-select", "order-select", "The draft is chosen: decided anew, schedule offered.")
    teller.draft(reply, "reassessment")
    teller.call("03-order-sign", "order-sign", "The session is signed: the schedule is not offered again.")
    teller.sign()
    teller.go_to("2026-03-12")
    teller.call("04-waiting", "patient-view", "The chart is opened before the infusion: nothing to say.")


def _follow(teller: Teller) -> None:
    teller.go_to("2026-03-20")
    order = next(one for one in teller.ehr.resources["MedicationRequest"].values() if one["id"].startswith(PATIENT))
    order["status"] = "completed"
    teller.put(_infusion(order, "2026-03-19"))
    reply = teller.call("05-moved", "patient-view", "Infused two days late: the contacts are moved.")
    teller.accept(reply)
    teller.go_to("2026-03-27")
    teller.call("06-day-8", "patient-view", "Day 8: the contact is due.")
    teller.total(24, "2026-03-27")
    teller.complete("day-8")
    teller.go_to("2026-04-09")
    teller.call("07-week-3", "patient-view", "Week 3: the contact is due.")
    teller.total(14, "2026-04-09")
    teller.complete("week-3")
    teller.go_to("2026-05-14")
    teller.call("08-week-8", "patient-view", "Day 56: tests are due, the score alone says responder.")
    for name, value in {"ferritin": 190, "tsat": 31, "hemoglobin": 13.9}.items():
        teller.lab(name, value, "2026-05-18")
    teller.total(12, "2026-05-18")
    for test in ("week-8-labs", "ferritin", "iron-panel", "cbc"):
        teller.complete(test)
    teller.go_to("2026-05-20")
    teller.call("09-final", "patient-view", "Tests are back: final classification.")


def _relapse(teller: Teller) -> None:
    teller.go_to("2026-09-19")
    reply = teller.call("10-month-6", "patient-view", "Six months: recurrence is asked for, tests are offered.")
    teller.accept(reply)
    for name, value in {"ferritin": 120, "tsat": 24, "hemoglobin": 13.6}.items():
        teller.lab(name, value, "2026-09-25")
    teller.total(13, "2026-09-25")
    for test in ("month-6", "ferritin", "iron-panel", "cbc"):
        teller.complete(test)
    teller.lab("weight", 72, "2026-09-25")
    teller.total(24, "2026-11-12")
    teller.lab("ferritin", 112, "2026-11-12")
    teller.lab("tsat", 22, "2026-11-12")
    teller.go_to("2026-11-16")
    teller.call("11-recurrence", "patient-view", "Symptoms have returned: the criteria for a repeat are met.")
    repeat = {
        "resourceType": "MedicationRequest",
        "id": "draft-repeat",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": "ferric carboxymaltose 1000 mg"},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1000, "unit": "mg", "code": "mg"}}]}],
    }
    teller.session.append(repeat)
    teller.call("12-repeat", "order-select", "The repeat course is chosen: may benefit, new schedule.")


def _infusion(order: Json, day: str) -> Json:
    amount = {"value": 1000, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": order["medicationCodeableConcept"],
        "subject": _subject(),
        "effectiveDateTime": f"{day}T10:00:00-05:00",
        "request": {"reference": f"MedicationRequest/{order['id']}"},
        "dosage": {"dose": amount},
    }


def transcript(told: list[Told]) -> Iterator[tuple[str, Json]]:
    """File name and content of each call; uuids stand as zeros, the trace is left out."""
    for one in told:
        cards = mask({"cards": one.reply["cards"]})["cards"]
        yield one.name, {"about": one.about, "day": one.day.isoformat(), "request": one.request, "cards": cards}


def write_story() -> None:
    """Writes fhir_fixtures/story/ anew."""
    with open_ehr() as ehr:
        STORY.mkdir(exist_ok=True)
        for path in STORY.glob("*.json"):
            path.unlink()
        for name, content in transcript(tell(open_story(ehr))):
            (STORY / f"{name}.json").write_text(fold(content) + "\n", encoding="utf-8")
