"""The table of CDS Services on offer, with prefetch templates generated from the value sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.follow_up.view import QUIET_DAYS

VERSION = "2.0.1"  # the CDS Hooks version we implement (CH-027)
HOOK_VERSION = "1.0"  # of the three published hooks (CH-029)

SCOPE = ("patient", "conditions")  # all that patient-view looks at before it knows that there is RLS
REQUIRED = (
    "patient",
    "conditions",
    "ferritin",
    "tsat",
)  # neither supplied nor obtainable: 412

# Observation keys: value sets behind each key. Results of very different frequency never share a key.
OBSERVATIONS: Mapping[str, tuple[str, ...]] = {
    "ferritin": ("ferritin",),
    "tsat": ("tsat",),
    "hemoglobin": ("hemoglobin", "hemoglobin-bloodgas"),
    "iron_panel": ("iron", "tibc", "uibc", "transferrin"),
    "weight": (
        "body-weight",
        "body-weight-stated",
        "body-weight-dry",
        "pre-pregnancy-weight",
    ),
    "crp": ("crp",),
    "phosphate": ("phosphate",),
    "pregnancy": (
        "pregnancy-status",
        "delivery-date",
        "gestational-age",
        "last-menstrual-period",
    ),
    "rls_severity": ("rls-severity",),
}
NEWEST = "&_sort=-date&_count=20"

# What is lost when a key can neither be supplied nor fetched: shown on the page of the service.
WITHOUT: Mapping[str, str] = {
    "patient": "no answer (412): age and sex decide scope and wording",
    "conditions": "no answer (412): without the problem list RLS and the stops cannot be judged",
    "ferritin": "no answer (412): ferritin decides",
    "tsat": "no answer (412): TSAT decides where ferritin alone does not, and a high one stops",
    "hemoglobin": "no line on anaemia or incomplete repletion",
    "iron_panel": "no calculated TSAT",
    "weight": "no weight-based dose ceiling",
    "crp": "inflammation is judged by diagnoses only",
    "phosphate": "a low phosphate before ferric carboxymaltose is not seen (warning)",
    "pregnancy": "pregnancy is judged by diagnoses only (warning)",
    "rls_severity": "response to an earlier course is not documented",
    "allergies": "hypersensitivity to iron is not seen (warning)",
    "iron_administrations": "earlier infusions are not seen (warning)",
    "medications": "earlier and open iron orders, oral iron and RLS drugs are not seen (warning)",
    "medication_statements": "infusions recorded as statements are not seen (warning)",
    "procedures": "infusions by HCPCS code and dialysis are not seen (warning)",
    "follow_up": "nothing counts as arranged; infusions ordered by HCPCS code are not seen (warning)",
}


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the discovery document."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, str]


def build_services(index: CodeIndex, follow_up: str = "ServiceRequest") -> tuple[Service, ...]:
    """The services of this site; templates include the codes of its overlay."""
    templates = prefetch_templates(index, follow_up)
    return (
        *(Service("iv-iron-rls", hook, title, words, USAGE, templates) for hook, title, words in _ORDER_HOOKS),
        Service("iv-iron-rls-follow-up", "patient-view", *_FOLLOW_UP_WORDS, templates),
    )


_ORDER_HOOKS = (
    (
        "order-select",
        "IV iron in restless legs syndrome",
        (
            "Says whether guidelines support the intravenous iron order just chosen for an adult with restless legs "
            "syndrome, what stands against it and why, and offers to schedule the reassessments."
        ),
    ),
    (
        "order-sign",
        "IV iron in restless legs syndrome: before signing",
        "The same for orders about to be signed, with the checks of dose, interval and duplicates.",
    ),
)
_FOLLOW_UP_WORDS = (
    "Follow-up of intravenous iron in restless legs syndrome",
    (
        "Says which reassessment after intravenous iron is due, what may be concluded today and when a repeat may be "
        "considered; before a first infusion, whether iron studies meet the criteria."
    ),
    (
        "Fire it for patients with restless legs syndrome where the EHR can filter; others get an empty answer after "
        f"patient and conditions. Overridden cards stay away for {QUIET_DAYS} days, but not where pseudonyms are off "
        "or the store is down."
    ),
)
USAGE = (
    "Fire it for parenteral iron where the EHR can filter. Needs prefetch, or a FHIR R4 server that is listed with "
    "this service; patient, conditions, ferritin and tsat are required."
)


def prefetch_templates(index: CodeIndex, follow_up: str) -> dict[str, str]:
    """Key to FHIR query in the CDS Hooks 2.0 subset (CH-066...CH-074); one resource type a key."""
    patient = "patient={{context.patientId}}"
    templates = {
        "patient": "Patient/{{context.patientId}}",
        "conditions": f"Condition?{patient}",
    }
    for key, sets in OBSERVATIONS.items():
        templates[key] = f"Observation?{patient}&code={index.search_tokens(*sets)}{NEWEST}"
    templates["allergies"] = f"AllergyIntolerance?{patient}"
    templates["iron_administrations"] = f"MedicationAdministration?{patient}"
    templates["medications"] = f"MedicationRequest?{patient}"
    templates["medication_statements"] = f"MedicationStatement?{patient}"
    templates["procedures"] = f"Procedure?{patient}&code={index.search_tokens(*PROCEDURES)}"
    templates["follow_up"] = _follow_up_template(index, follow_up)
    return templates


PROCEDURES = (
    "fcm",
    "iron-sucrose",
    "ferumoxytol",
    "iron-dextran",
    "ferric-derisomaltose",
    "ferric-gluconate",
    "dialysis-procedure",
)


def _follow_up_template(index: CodeIndex, resource: str) -> str:
    patient = "patient={{context.patientId}}"
    if resource != "ServiceRequest":
        return f"{resource}?{patient}"
    return f"ServiceRequest?{patient}&code={index.search_tokens(*FOLLOW_UP)}"


FOLLOW_UP = ("follow-up", *PROCEDURES[:6], "ferritin", "iron-panel", "cbc", "phosphate")


def render_discovery(services: tuple[Service, ...], pages: str) -> dict[str, Any]:
    """The body of `GET /cds-services`, keys in the order written here (CH-079). `pages`: where each is described."""
    return {"services": [_render_service(service, f"{pages}/{service.id}") for service in services]}


def _render_service(service: Service, page: str) -> dict[str, Any]:
    return {
        "hook": service.hook,
        "title": service.title,
        "description": service.description,
        "id": service.id,
        "prefetch": dict(service.prefetch),
        "usageRequirements": f"{service.usage_requirements} Described at {page}",
        "version": VERSION,
        "hookVersion": HOOK_VERSION,
    }
