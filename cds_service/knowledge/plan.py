"""The rules as a FHIR PlanDefinition, the reassessment contacts as its later actions, and the Library beside them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.card_parts import TOPIC_DISPLAY
from cds_service.clinical.case import Rule, Threshold
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.model import Citation, Conclusion, Phase
from cds_service.clinical.rules import RULES
from cds_service.clinical.schedule import CONTACTS, Contact
from cds_service.knowledge.base import TITLE, Json, Source, camel, concept, head
from cds_service.knowledge.conditions import CONDITIONS, PARAMETERS
from cds_service.knowledge.terminology import CONTACT_KINDS, TOPICS

ID = "iv-iron-rls"
UCUM = "http://unitsofmeasure.org"
DAY_0 = "day-0"
PHASES: Mapping[Phase, str] = {
    Phase.SCOPE: "Is the order in scope?",
    Phase.STOP: "What stops iron by vein",
    Phase.CEILING: "Ferritin above the range studied",
    Phase.EARLIER_IRON: "Iron given earlier",
    Phase.MISSING: "What is missing",
    Phase.DIALYSIS: "In dialysis",
    Phase.ELIGIBILITY: "Do ferritin and transferrin saturation support it?",
    Phase.CAP: "What lowers a strong recommendation",
    Phase.TEXT: "What the card says besides",
}
# What is queried for each input of a rule: FHIR resource types, and for Observations the value set of their code.
# `hook`, `label` and `unavailable` are no data of the patient.
_CONDITIONS, _ORDERS = ("Condition", ""), ("MedicationRequest", "")
_GIVEN = (("MedicationAdministration", ""), ("Procedure", ""))
READS: Mapping[str, tuple[tuple[str, str], ...]] = {
    **{name: (("Observation", name),) for name in ("crp", "ferritin", "hemoglobin", "phosphate", "tsat")},
    **dict.fromkeys(("birth", "sex", "is_deceased"), (("Patient", ""),)),
    **dict.fromkeys(("order", "session", "signed_orders", "medications"), (_ORDERS,)),
    **dict.fromkeys(("doses", "dose_records", "earlier_iron"), _GIVEN),
    **dict.fromkeys(("hook", "label", "unavailable"), ()),
    "allergies": (("AllergyIntolerance", ""),),
    "conditions": (_CONDITIONS,),
    "dose_mg": (_ORDERS, ("Observation", "body-weight")),
    "impressions": (("Observation", "rls-responder"), ("Observation", "rls-nonresponder")),
    "inflammation": (_CONDITIONS, ("Observation", "crp")),
    "is_in_dialysis": (_CONDITIONS, ("Procedure", "dialysis-procedure")),
    "pregnancy": (_CONDITIONS, ("Observation", "pregnancy-status"), ("Observation", "gestational-age")),
    "procedures": (("Procedure", ""),),
    "severity": (("Observation", "rls-severity"),),
    "weight": (("Observation", "body-weight"),),
}


# ------------------------------------------------------------------------------------------------------ PlanDefinition


def render_plan(source: Source) -> Json:
    """Groups by precedence, in them the rules in order; then the contacts, counted from day 0 (R-43)."""
    groups = [_render_phase(source, phase, words) for phase, words in PHASES.items()]
    return {
        **head(source, "PlanDefinition", ID, camel(ID), TITLE),
        "type": _coded("http://terminology.hl7.org/CodeSystem/plan-definition-type", "eca-rule", "ECA Rule"),
        "description": f"{_REVIEW.format(source.stamp.review)} Actions stand in the order of precedence: the first "
        "rule that gives a conclusion decides, stops and gaps are all named, caps lower a strong recommendation, text "
        "rules only add sentences. Rules that decide by intervals alone carry a FHIRPath condition; others a sentence.",
        "usage": _PARAMETERS_IN_WORDS,
        "relatedArtifact": [_cite(one) for one in CITATIONS],
        "library": [f"{source.canonical}/Library/{ID}"],
        "action": [*(group for group in groups if group), _render_reassessment(source)],
    }


_REVIEW = "Decision support for clinicians about an order of intravenous iron. Review status: {}."
_PARAMETERS_IN_WORDS = (
    "Conditions read "
    + " and ".join(f"%{one.name} (decimal, {one.unit})" for one in PARAMETERS)
    + ". Each is empty when no usable result exists; a condition on an empty value is not true. Where several are true "
    "the first decides. In dialysis the rules of that group come first."
)


def _render_phase(source: Source, phase: Phase, words: str) -> Json | None:
    rules = [rule for rule in RULES if rule.phase is phase]
    if not rules:
        return None
    return {
        "id": f"phase-{phase.name.lower().replace('_', '-')}",
        "title": words,
        "groupingBehavior": "logical-group",
        "action": [_render_rule(source, rule) for rule in rules],
    }


def element_id(rule_id: str) -> str:
    """R4 allows no spaces in the id of an element: `R-13 (days apart)` becomes `R-13-days-apart`."""
    return "-".join(re.findall(r"[\w.]+", rule_id))


def _render_rule(source: Source, rule: Rule) -> Json:
    action: Json = {
        "id": element_id(rule.id),
        "prefix": rule.id,
        "title": rule.title,
        "description": _describe(rule),
        "documentation": [_cite(one) for one in rule.sources],
    }
    condition = CONDITIONS.get(rule.id)
    if condition is None:
        return {**action, **_inputs(source, rule)}
    return {
        **action,
        "code": [_topic(source, condition.conclusion)],
        "condition": [
            {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": condition.expression}}
        ],
        **_inputs(source, rule),
    }


def _describe(rule: Rule) -> str:
    limits = "; ".join(show_threshold(one) for one in rule.thresholds)
    return f"{rule.title}. {f'Thresholds: {limits}. ' if limits else ''}Version {rule.version} of this rule."


def show_threshold(threshold: Threshold) -> str:
    """`ferritin at most 75 ng/mL`."""
    return f"{threshold.name} {threshold.value} {threshold.unit}".rstrip()


def _inputs(source: Source, rule: Rule) -> Json:
    """Data the rule reads, each kind once."""
    needs = dict.fromkeys(need for name in rule.inputs for need in READS.get(name, ()))
    inputs = [_data(source, resource_type, value_set) for resource_type, value_set in needs]
    return {"input": inputs} if inputs else {}


def _data(source: Source, resource_type: str, value_set: str) -> Json:
    if not value_set:
        return {"type": resource_type}
    canonical = f"{source.canonical}/ValueSet/{value_set}"
    return {"type": resource_type, "codeFilter": [{"path": "code", "valueSet": canonical}]}


def _topic(source: Source, conclusion: Conclusion) -> Json:
    return _coded(f"{source.canonical}/CodeSystem/{TOPICS}", str(conclusion), TOPIC_DISPLAY[str(conclusion)])


def _coded(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _cite(citation: Citation) -> Json:
    artifact: Json = {"type": "citation", "label": citation.id, "display": citation.title, "citation": citation.says}
    return {**artifact, "url": citation.url} if citation.url else artifact


# -------------------------------------------------------------------------------------------------------- reassessment


def _render_reassessment(source: Source) -> Json:
    first = {
        "id": DAY_0,
        "title": "Day 0: the planned or documented infusion",
        "description": "The day from which contacts are counted (R-43).",
    }
    return {
        "id": "reassessment",
        "title": "Reassessment after the infusion",
        "groupingBehavior": "logical-group",
        "action": [first, *(_render_contact(source, contact) for contact in CONTACTS)],
    }


def _render_contact(source: Source, contact: Contact) -> Json:
    return {
        "id": contact.id,
        "prefix": contact.rule,
        "title": contact.title.capitalize(),
        "description": _describe_contact(contact),
        "code": [_coded(f"{source.canonical}/CodeSystem/{CONTACT_KINDS}", contact.id, contact.title.capitalize())],
        "relatedAction": [{"actionId": DAY_0, "relationship": "after-end", "offsetDuration": offset(contact)}],
        "definitionCanonical": f"{source.canonical}/ActivityDefinition/{_activity_id(contact)}",
    }


def offset(contact: Contact) -> Json:
    """From day 0 to the target, in calendar days or months."""
    if contact.months:
        return {"value": contact.months, "unit": "months", "system": UCUM, "code": "mo"}
    return {"value": contact.days, "unit": "days", "system": UCUM, "code": "d"}


def _describe_contact(contact: Contact) -> str:
    window = f"Window: {_days(contact.window_from)} to {_days(contact.window_to)}."
    return " ".join((*contact.tasks, window))


def _days(days: int) -> str:
    """`1 day before the target`."""
    if not days:
        return "the target day"
    return f"{abs(days)} day{'s' if abs(days) > 1 else ''} {'before' if days < 0 else 'after'} it"


def render_activities(source: Source) -> Iterable[Json]:
    """One ActivityDefinition per contact: what is requested then."""
    for contact in CONTACTS:
        activity_id = _activity_id(contact)
        yield {
            **head(source, "ActivityDefinition", activity_id, camel(activity_id), f"Reassessment, {contact.title}"),
            "description": _describe_contact(contact),
            "kind": "ServiceRequest",
            "intent": "order",
            "code": concept(source.index.preferred("follow-up")),
            "library": [f"{source.canonical}/Library/{ID}"],
        }


def _activity_id(contact: Contact) -> str:
    return f"reassessment-{contact.id}"


# ------------------------------------------------------------------------------------------------------------- Library


def render_library(source: Source) -> Json:
    """The parameters of the conditions, the value sets and the sources, under the hash of the knowledge."""
    return {
        **head(source, "Library", ID, f"{camel(ID)}Library", f"{TITLE}: parameters, value sets and sources"),
        "type": _coded("http://terminology.hl7.org/CodeSystem/library-type", "logic-library", "Logic Library"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{source.stamp.digest}"}],
        "description": _REVIEW.format(source.stamp.review),
        "relatedArtifact": [*_depends_on(source), *(_cite(one) for one in CITATIONS)],
        "parameter": [
            {
                "name": one.name,
                "use": "in",
                "min": 0,
                "max": "1",
                "type": "decimal",
                "documentation": f"{one.meaning}. Unit: {one.unit}",
            }
            for one in PARAMETERS
        ],
    }


def _depends_on(source: Source) -> list[dict[str, Any]]:
    return [{"type": "depends-on", "resource": f"{source.canonical}/ValueSet/{one}"} for one in source.index.sets]
