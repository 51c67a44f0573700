"""What cards are made of: the client's profile, topics, sources, names, and the course a request belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service import markdown as md
from cds_service.clinical import doses
from cds_service.clinical.citations import A1
from cds_service.clinical.codes import Coding
from cds_service.clinical.decision import Decision
from cds_service.clinical.model import Citation, ConditionEntry
from cds_service.fhir import orders
from cds_service.fhir.orders import CourseRef, OrderCodes

Json = dict[str, Any]

LONGEST_SUMMARY = 139  # CH-124
TOPIC_DISPLAY = {
    "contraindicated": "Contraindicated",
    "not-indicated": "Not indicated",
    "insufficient-data": "Insufficient data",
    "may-benefit": "May benefit",
    "indicated-strong": "Indicated, strong recommendation",
    "reassessment": "Reassessment after IV iron",
    "follow-up-due": "Follow-up after IV iron is due",
    "too-early-to-judge": "Too early to judge IV iron",
    "response-review": "Response to IV iron",
    "recurrence-review": "Recurrence after IV iron",
    "iron-candidate": "Candidate for IV iron",
}
PRODUCTS = {
    "fcm": "Ferric carboxymaltose",
    "iron-dextran": "Iron dextran",
    "ferumoxytol": "Ferumoxytol",
    "ferric-derisomaltose": "Ferric derisomaltose",
    "iron-sucrose": "Iron sucrose",
    "ferric-gluconate": "Ferric gluconate",
}
TEST_NAMES = {
    "ferritin": "ferritin",
    "iron-panel": "iron and TIBC",
    "cbc": "CBC",
    "phosphate": "phosphate",
}
PANEL = {
    "iron": "iron-panel",
    "tibc": "iron-panel",
    "tsat": "iron-panel",
    "hemoglobin": "cbc",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What the CDS Client can show (design section 6)."""

    follow_up: str = "ServiceRequest"
    card_limit: int | None = None
    trace: bool = True
    suggestions: bool = True
    deletes: bool = False
    separate_tests: bool = True
    candidate: bool = True  # R-50d (i): suggests an order unasked
    iron_studies: bool = True  # R-50d (ii): suggests iron studies unasked
    severity_observation: bool = False  # takes an Observation without value, to be filled in
    smart: bool = False  # its authorisation server knows the SMART app, so that cards may link to it


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which knowledge answered: on every card, in the trace, in the export."""

    version: str
    date: str
    digest: str
    review: str

    @property
    def text(self) -> str:
        return f"Knowledge {self.version} ({self.date}, {self.digest[:12]}; {self.review})"


@dataclass(frozen=True, slots=True)
class Shop:
    """What every card needs and no call changes."""

    canonical: str
    knowledge_url: str
    stamp: Stamp
    codes: OrderCodes
    reasons: dict[str, Coding]
    launch_url: str = ""  # of the SMART app, plain: the client adds its parameters (CH-168)

    @property
    def topic_system(self) -> str:
        return f"{self.canonical}/CodeSystem/card-topic"

    @property
    def identifier_system(self) -> str:
        return f"{self.canonical}/NamingSystem/reassessment"


@dataclass(frozen=True, slots=True)
class Chart:
    """What the session already holds, so that nothing is proposed twice (R-50, CH-246)."""

    patient_id: str
    drafted_tests: frozenset[str] = frozenset()


def footer(shop: Shop, citation: Citation) -> str:
    return (
        f"Source: {md.link(citation.title, citation.url)}. {shop.stamp.text}. "
        "Decision support only: the clinician decides."
    )


def primary_source(sources: Iterable[Citation]) -> Citation:
    """The guideline or label a rule rests on; the AASM guideline where a rule is a decision of this project."""
    return next((source for source in sources if source.url), A1)


def source_of(shop: Shop, citation: Citation, topic: str) -> Json:
    source: Json = {"label": citation.title}
    if citation.url:
        source["url"] = citation.url
    source["topic"] = {
        "system": shop.topic_system,
        "code": str(topic),
        "display": TOPIC_DISPLAY[topic],
    }
    return source


def links_of(shop: Shop, profile: Profile) -> list[Json]:
    """Few and the same on every card (CH-173); the SMART app only where the client can launch it."""
    links = [{"label": "Rules, thresholds and sources", "url": shop.knowledge_url, "type": "absolute"}]
    if profile.smart and shop.launch_url:
        links.append({"label": "Iron story of this patient as a chart", "url": shop.launch_url, "type": "smart"})
    return links


def override_reasons(shop: Shop, reasons: Sequence[str]) -> list[Json]:
    return [_coding(shop.reasons[code]) for code in reasons]


def _coding(coding: Coding) -> Json:
    return {"code": coding.code, "system": coding.system, "display": coding.display}


def section(title: str, lines: Sequence[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def create_action(description: str, resource: Json) -> Json:
    return {"type": "create", "description": description, "resource": resource}


def delete_action(description: str, reference: str) -> Json:
    """By `resourceId` only (R-50, R-50b; CH-159)."""
    return {"type": "delete", "description": description, "resourceId": reference}


def product_name(decision: Decision) -> str:
    ingredient = decision.case.order.ingredient
    return PRODUCTS[ingredient] if ingredient else "IV iron (product not named)"


def course_of(shop: Shop, chart: Chart, decision: Decision) -> CourseRef:
    case = decision.case
    mates = {
        case.order.reference,
        *(mate.reference for mate in doses.course_mates(case)),
    }
    first = next((one for one in case.session if one.reference in mates), case.order)
    return CourseRef(
        patient_id=chart.patient_id,
        course=orders.course_part(chart.patient_id, first.reference),
        identifier_system=shop.identifier_system,
        rls_condition=rls_reference(case.facts.conditions),
        based_on=None if first.status in (None, "draft") else first.reference,
    )


def rls_reference(conditions: Iterable[ConditionEntry]) -> str | None:
    """The RLS entry to point at; references without an id are of no use to the client."""
    entries = (entry for entry in conditions if "rls" in entry.concepts and entry.is_active and entry.counts)
    return min((entry.reference for entry in entries if entry.reference.startswith("Condition/")), default=None)
