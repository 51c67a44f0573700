"""Source attributes of each CDS Service: the thirteen of an evidence-based intervention in 45 CFR 170.315(b)(11).

Which personal attributes the logic uses is not typed by hand: it follows from the inputs that the rules declare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service import __version__
from cds_service.card_parts import Stamp
from cds_service.clinical.case import Rule
from cds_service.clinical.citations import CITATIONS
from cds_service.clinical.rules import RULES
from cds_service.clinical.rules.scope import ADULT_AGE
from cds_service.discovery import Service
from cds_service.hooks import PATIENT_VIEW
from cds_service.sign_off import UNSIGNED, SignOff

Json = dict[str, Any]
NOT_USED = "not used"


@dataclass(frozen=True, slots=True)
class Personal:
    """One attribute about the person. `inputs` are facts of the clinical core that hold it; () is none of them."""

    number: int
    name: str
    inputs: tuple[str, ...] = ()
    purpose: str = ""  # what it is used for, in words, where it is used


PERSONAL: tuple[Personal, ...] = (
    Personal(5, "Use of race"),
    Personal(6, "Use of ethnicity"),
    Personal(7, "Use of language"),
    Personal(8, "Use of sexual orientation"),
    Personal(9, "Use of gender identity"),
    Personal(10, "Use of sex", ("sex",), "anemia bounds of WHO and whether pregnancy is asked about"),
    Personal(11, "Use of date of birth", ("birth",), "adults only; the ages at which pregnancy is asked about"),
    Personal(12, "Use of social determinants of health"),
    Personal(
        13,
        "Use of health status assessments",
        ("severity", "impressions"),
        "the severity total (IRLS) and the clinician's global impression: response to an earlier course, severity, "
        "and follow-up",
    ),
)
# Facts that are worked out from others: whoever uses the first uses the second, too (R-08b, R-09, R-20d, R-41).
THROUGH: Mapping[str, tuple[str, ...]] = {
    "pregnancy": ("sex", "birth"),
    "weight": ("pregnancy",),
    "earlier_iron": ("weight",),
    "ferritin": ("earlier_iron",),
    "tsat": ("earlier_iron",),
    "dose_mg": ("weight",),
}
# The follow-up rules have no `Rule` of their own; what they read is declared here and checked against their code.
FOLLOW_UP: Mapping[str, tuple[str, ...]] = {
    "R-03": ("birth", "is_deceased"),
    "R-44": ("severity",),
    "R-48": ("severity", "impressions"),
    "R-49": ("severity", "impressions"),
}
DEVELOPER = "The developers of iv-iron-rls-cds, an open-source project"
FUNDING = "None stated: developed without declared funding"
INTENDED_USE = {
    True: "For clinicians who open the chart of an adult with restless legs syndrome: which reassessment after "
    "intravenous iron is due, what may be concluded, and whether iron treatment can be considered.",
    False: "For prescribers who choose or sign an intravenous iron order for an adult with restless legs syndrome: "
    "whether guidelines support it, what stands against it, and when to reassess.",
}
NOT_INTENDED = (
    "Not for diagnosis, not for children, not for patients or relatives, and not to order anything by itself."
)
LIMITS = (
    "Value sets are small: they hold codes that were checked, not all there are. Sites add their own.",
    "Names of drugs and diseases without a code of ours are read as text: mostly English, with common brand names.",
    "The texts are English.",
    "FHIR R4 only; notes and scanned results are not read, and what the client does not send does not exist.",
    "No patient is remembered: severity totals must be in the chart to count.",
    "Product limits follow US labels, or the EU label of ferric carboxymaltose where the site says so.",
    f"No cards for people without restless legs syndrome or under {ADULT_AGE.value}, which says nothing about them.",
)
CHANGES = (
    "Rules, thresholds, codes and sources are public; `cds-service knowledge diff` tells what changed between two."
)


def source_attributes(
    service: Service,
    stamp: Stamp,
    overdue: Sequence[str] = (),
    rules: Sequence[Rule] = RULES,
    sign_off: SignOff = UNSIGNED,
) -> Json:
    """One service as JSON: intended use, limits, review, and the attributes 1 to 13 in order."""
    is_follow_up = service.hook == PATIENT_VIEW
    inputs = {rule.id: rule.inputs for rule in rules}
    if is_follow_up:
        inputs = {**inputs, **{f"{name} (follow-up)": read for name, read in FOLLOW_UP.items()}}
    return {
        "service": service.id,
        "hook": service.hook,
        "title": service.title,
        "kind": "evidence-based decision support intervention, not predictive",
        "intendedUse": INTENDED_USE[is_follow_up],
        "notIntendedFor": NOT_INTENDED,
        "knownLimits": list(LIMITS),
        "review": {"status": stamp.review, "signatures": _signatures(stamp, sign_off), "overdue": list(overdue)},
        "attributes": [*_general(stamp, rules), *(describe_use(one, inputs) for one in PERSONAL)],
    }


def _signatures(stamp: Stamp, sign_off: SignOff) -> list[Json]:
    """Only those for just this content."""
    if not sign_off.signs(stamp.digest):
        return []
    return [{"name": one.name, "role": one.role, "date": str(one.day)} for one in sign_off.signatures]


def _general(stamp: Stamp, rules: Sequence[Rule]) -> list[Json]:
    cited = {source.id for rule in rules for source in rule.sources}
    sources = [f"{one.id}: {one.title}. {one.url}".rstrip() for one in CITATIONS if one.id in cited]
    release = (
        f"Software {__version__}; knowledge {stamp.version} of {stamp.date}, content hash {stamp.digest}. {CHANGES}"
    )
    return [
        {"number": 1, "name": "Bibliographic citation of the intervention", "value": sources},
        {"number": 2, "name": "Developer of the intervention", "value": DEVELOPER},
        {"number": 3, "name": "Funding source of the technical implementation", "value": FUNDING},
        {"number": 4, "name": "Release and revision dates", "value": release},
    ]


def describe_use(personal: Personal, inputs: Mapping[str, tuple[str, ...]]) -> Json:
    """Which rules use it by their declared inputs, and which through facts that are worked out from it.

    `inputs`: rule id to the inputs that the rule declares.
    """
    wanted = set(personal.inputs)
    direct = [rule for rule, read in inputs.items() if wanted & set(read)]
    through = [rule for rule, read in inputs.items() if rule not in direct and wanted & reach(read)]
    used = [f"used for {personal.purpose}: {', '.join(direct)}"] if direct else []
    if through:
        used.append(f"{'also ' if direct else 'used '}through facts worked out from it: {', '.join(through)}")
    return {
        "number": personal.number,
        "name": personal.name,
        "value": "; ".join(used) or NOT_USED,
        "isUsed": bool(used),
        "rules": direct,
        "rulesThrough": through,
    }


def reach(inputs: Iterable[str]) -> set[str]:
    """The inputs and all that they are worked out from."""
    found: set[str] = set()
    waiting = list(inputs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += THROUGH.get(name, ())
    return found
