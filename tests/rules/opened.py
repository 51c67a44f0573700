"""An opened chart for rule tables: the view and its cards, with totals and requests counted from the infusion."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any

from cds_service.assembly import Engine, build_engine
from cds_service.card_parts import Profile
from cds_service.clinical.dates import Day
from cds_service.clinical.follow_up.view import Question, View, view_chart
from cds_service.clinical.model import ArrangedContact, PatientFacts, SeverityTotal
from cds_service.clinical.schedule import place, plan
from cds_service.fhir import orders
from cds_service.follow_up_cards import render_follow_up
from cds_service.follow_up_suggestions import Desktop
from cds_service.settings import load_settings
from tests.rules.build import TODAY

Json = dict[str, Any]
PATIENT = "p1"


@cache
def engine() -> Engine:
    return build_engine(load_settings())


def score(total: str, days_ago: int, *, before: date = TODAY) -> SeverityTotal:
    when = before - timedelta(days=days_ago)
    return SeverityTotal(Decimal(total), Day(when, when), f"Observation/total-{total}-{when}")


def look(
    facts: PatientFacts,
    *,
    as_of: date = TODAY,
    overrides: Mapping[str, date] | None = None,
    ordered: frozenset[str] = frozenset(),
    **switches: bool,
) -> View:
    """What an opened chart gives; `switches` are `offers_candidate` and `offers_iron_studies`."""
    name_course = partial(orders.course_part, PATIENT)
    return view_chart(facts, Question(as_of, "us", name_course, ordered, overrides=overrides or {}, **switches))


def cards(facts: PatientFacts, profile: Profile | None = None, **asked: Any) -> list[Json]:
    ordered = asked.get("ordered", frozenset())
    pending = asked.pop("pending", frozenset())
    desktop = Desktop(engine().shop, profile or Profile(), PATIENT, ordered, pending)
    return render_follow_up(desktop, look(facts, **asked))


def topics(found: list[Json]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in found]


def words(found: list[Json]) -> str:
    """All that a reader sees, sources and knowledge stamp left out, on one line."""
    texts = [f"{card['summary']}\n{card['detail'].rpartition('Source: ')[0]}" for card in found]
    return re.sub(r"\s+", " ", " ".join(texts))


def actions(found: list[Json]) -> list[Json]:
    return [action for card in found for suggestion in card.get("suggestions", ()) for action in suggestion["actions"]]


def created(found: list[Json]) -> list[str]:
    """Identifier values of what is created, course part left out; of a draft order its resource type."""
    values = []
    for action in actions(found):
        if action["type"] == "create":
            identifiers = action["resource"].get("identifier")
            named = identifiers[0]["value"].split(".", 1)[1] if identifiers else action["resource"]["resourceType"]
            values.append(named)
    return values


def deleted(found: list[Json]) -> list[str]:
    return [action["resourceId"] for action in actions(found) if action["type"] == "delete"]


def contact(name: str, anchor: date, status: str = "active", course: str = "0" * 16, **changes: Any) -> ArrangedContact:
    """A request as accepted from one of our cards, counted from `anchor`."""
    planned = next(one for one in plan(anchor) if one.contact.id == name)
    made = {"test": None, "due": place(planned.contact, anchor).target, "reference": f"ServiceRequest/{name}-{anchor}"}
    return ArrangedContact(course=course, contact=name, status=status, **{**made, **changes})
