"""Is there anything to say at all: a live parenteral-iron order, for an adult with restless legs syndrome?"""

from datetime import date

from cds_service.clinical import doses
from cds_service.clinical.case import Case, Rule, Threshold
from cds_service.clinical.citations import A1, A6, DESIGN
from cds_service.clinical.dates import Day, has_reached_age
from cds_service.clinical.given_doses import local_reference
from cds_service.clinical.model import (
    Answer,
    Cap,
    Conclusion,
    ConditionEntry,
    IronOrder,
    Line,
    NotApplicable,
    Phase,
    Rank,
    Remark,
    Used,
    Verdict,
)
from cds_service.clinical.problem_list import find_active
from cds_service.clinical.wording import quote

ADULT_AGE = Threshold("adult from", 18, "years")
RLS = frozenset({"rls"})
FINISHED = frozenset({"cancelled", "stopped", "revoked", "completed", "entered-in-error"})
VEIN = "intravenous"
INJECTION_ROUTES = (VEIN, "intramuscular")  # R-01a


def _out(because: str) -> tuple[Answer, ...]:
    return (Verdict(Conclusion.OUT_OF_SCOPE, because),)


# ------------------------------------------------------------------------------------------------ the order


def is_parenteral_iron_order(order: IronOrder) -> bool:
    """R-01 and R-01a: the order counts in its session. A test dose does too (R-33), but gets no card of its own."""
    return not (_why_not_live(order) or _is_of_unclear_form(order))


def _why_not_live(order: IronOrder) -> str:
    if order.is_imaging:
        return "an imaging agent, not iron treatment"
    if order.do_not_perform:
        return "the order says not to give it"
    if order.status in FINISHED:
        return f"the order is {order.status}"
    return ""


def _is_of_unclear_form(order: IronOrder) -> bool:
    return order.is_ambiguous and order.route not in INJECTION_ROUTES and not order.has_injectable_form


_LIVE = (NotApplicable("a live order of parenteral iron"),)
_CLEAR_FORM = (NotApplicable("the drug, its route or its form says that it is injected"),)
_NO_TEST_DOSE = (NotApplicable("not the test dose of another order"),)


def _evaluate_order(case: Case) -> tuple[Answer, ...]:
    why = _why_not_live(case.order)
    return _out(why) if why else _LIVE


def _evaluate_form(case: Case) -> tuple[Answer, ...]:
    if _is_of_unclear_form(case.order):
        return _out("neither drug, route nor form says whether this iron is swallowed or injected")
    return _CLEAR_FORM


def _evaluate_test_dose(case: Case) -> tuple[Answer, ...]:
    if doses.is_test_dose(case.order, case.session):
        return _out("the test dose of the larger iron dextran order beside it")
    return _NO_TEST_DOSE


# -------------------------------------------------------------------------------------- restless legs syndrome


def find_rls(conditions: tuple[ConditionEntry, ...]) -> tuple[ConditionEntry, ...]:
    """Entries that make the diagnosis: active and not refuted, entered in error or hedged (R-02a)."""
    return find_active(conditions, RLS)


def _evaluate_rls(case: Case) -> tuple[Answer, ...]:
    if case.order.reason_is_rls or _names_rls_entry(case):
        return (NotApplicable("RLS is the reason of the order"),)
    if find_rls(case.facts.conditions):
        return (NotApplicable("RLS is an active problem"),)
    return _out("no active entry of RLS, and RLS is not the reason of the order")


def _names_rls_entry(case: Case) -> bool:
    """The order's reason points to an RLS entry, in any clinical status; a refuted entry is no reason."""
    reasons = {local_reference(one) for one in case.order.reason_references}
    return any(one.reference in reasons and RLS & one.concepts and one.counts for one in case.facts.conditions)


_CONFIRMED = (NotApplicable("the diagnosis of RLS is not marked as unconfirmed"),)


def _evaluate_unconfirmed(case: Case) -> tuple[Answer, ...]:
    entries = find_rls(case.facts.conditions)
    if not entries or not all(entry.is_unconfirmed for entry in entries):
        return _CONFIRMED
    entry = entries[0]
    text = f"The diagnosis of RLS is unconfirmed ({entry.verification_status}): {quote(entry.name)}."
    used = tuple(Used("RLS", quote(one.name), one.reference) for one in entries)
    return (Remark("history", text, f"the only RLS entry is {entry.verification_status}", used=used),)


# ------------------------------------------------------------------------------------------------------ age

_ALIVE_ADULT = (NotApplicable("18 years or older"),)
_AGE_UNKNOWN = (NotApplicable("age not certain: see R-03a"),)


def is_adult(birth: Day | None, as_of: date) -> bool | None:
    """None when the birth date is absent, or so partial that 18 is neither certain nor excluded (R-03a, R-08a)."""
    if birth is None:
        return None
    return has_reached_age(birth, int(ADULT_AGE.value), as_of)


def _evaluate_age(case: Case) -> tuple[Answer, ...]:
    if case.facts.is_deceased:
        return _out("the patient is recorded as deceased")
    adult = is_adult(case.facts.birth, case.as_of)
    if adult is None:
        return _AGE_UNKNOWN
    return _ALIVE_ADULT if adult else _out("younger than 18 years")


_ADULT = (NotApplicable("age known"),)


def _evaluate_unknown_age(case: Case) -> tuple[Answer, ...]:
    if is_adult(case.facts.birth, case.as_of) is not None:
        return _ADULT
    birth = case.facts.birth
    why = "no birth date on record" if birth is None else "the birth date on record leaves open whether 18 is reached"
    say = f"Age cannot be told: {why}. These rules are for adults; please add the birth date."
    used = () if birth is None else (Used("birth date", str(birth), "Patient"),)
    return (Verdict(Conclusion.INSUFFICIENT_DATA, why, "birth date needed", (say,), used),)


# ------------------------------------------------------------------------------------------------- R-01b: the route

_BY_VEIN = (NotApplicable("route intravenous or not recorded"),)


def _is_by_other_route(order: IronOrder) -> bool:
    return order.route not in ("", VEIN)


def _evaluate_route_cap(case: Case) -> tuple[Answer, ...]:
    if not _is_by_other_route(case.order):
        return _BY_VEIN
    return (Cap(f"route {quote(case.order.route)}: the evidence in RLS is for the intravenous route"),)


def _evaluate_route_line(case: Case) -> tuple[Answer, ...]:
    if not _is_by_other_route(case.order):
        return _BY_VEIN
    text = f"Ordered route: {quote(case.order.route)}. The evidence is for the intravenous route."
    return (Line(Rank.PRODUCT, text, "another route than intravenous"),)


RULES: tuple[Rule, ...] = (
    Rule("R-01", "The order is live and meant to be given", Phase.SCOPE, (DESIGN,), ("order",), _evaluate_order),
    Rule("R-01a", "The order is of injectable iron", Phase.SCOPE, (DESIGN,), ("order",), _evaluate_form),
    Rule("R-04b (test dose)", "A test dose gets no card", Phase.SCOPE, (DESIGN,), ("session",), _evaluate_test_dose),
    Rule("R-02", "Restless legs syndrome is present", Phase.SCOPE, (A1, A6), ("order", "conditions"), _evaluate_rls),
    Rule("R-03", "Adults only", Phase.SCOPE, (A1,), ("birth", "is_deceased"), _evaluate_age, (ADULT_AGE,)),
    Rule("R-03a", "Age cannot be told", Phase.MISSING, (DESIGN,), ("birth",), _evaluate_unknown_age, (ADULT_AGE,)),
    Rule("R-01b", "Another route than the vein caps", Phase.CAP, (DESIGN,), ("order",), _evaluate_route_cap),
    Rule("R-01b (text)", "The evidence is for the vein", Phase.TEXT, (DESIGN,), ("order",), _evaluate_route_line),
    Rule("R-02 (text)", "The diagnosis is unconfirmed", Phase.TEXT, (DESIGN,), ("conditions",), _evaluate_unconfirmed),
)
