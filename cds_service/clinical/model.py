"""The vocabulary of the clinical core: facts read from a chart, answers given by rules, the decision made of them.

Every type is frozen. A fact keeps where it came from (`reference`, for example `Observation/123`) and its calendar
day. `None` always means "not on record", never "no". Units are canonical (R-05): ferritin ng/mL, TSAT %,
haemoglobin g/dL, iron and TIBC ug/dL, CRP mg/L, phosphate mg/dL, weight kg, dose mg of elemental iron.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from cds_service.clinical.dates import Day
from cds_service.clinical.frozen import frozen
from cds_service.clinical.interval import Interval

# --------------------------------------------------------------------------------------------------------- facts


class Ingredient(StrEnum):
    """Parenteral iron by ingredient; the values are value-set ids."""

    FCM = "fcm"
    DEXTRAN = "iron-dextran"
    FERUMOXYTOL = "ferumoxytol"
    DERISOMALTOSE = "ferric-derisomaltose"
    SUCROSE = "iron-sucrose"
    GLUCONATE = "ferric-gluconate"


class RejectedBecause(StrEnum):
    """Why the value of a result cannot be read (R-05, R-10, R-11); all of these have the effect of R-13a."""

    UNIT = "unit"
    IMPLAUSIBLE = "implausible"
    CENSORED = "censored"
    UNREADABLE = "unreadable"


@frozen(frozen=True, slots=True)
class Result:
    """One laboratory or vital-sign result as read from one Observation (or one of its components)."""

    analyte: str  # value-set id: ferritin, tsat, iron, tibc, uibc, transferrin, hemoglobin, crp, phosphate, body-weight
    value: Interval | None  # canonical unit, a point unless censored, already cut to the plausible range
    recorded: str  # as the chart has it: "168.5 pmol/L", "<5 ng/mL"; chart text, escape before markdown
    day: Day | None  # specimen time (3.1), None = undated
    status: str | None  # Observation.status
    reference: str
    issued: datetime | None = None
    rejected: RejectedBecause | None = None  # set when a value is there but cannot be used
    problem: str = ""  # the words for `rejected` or for "no value"
    note: str = ""  # conversion or calculation, for the card ("converted from pmol/L", "calculated from iron and TIBC")
    likely_percent: Decimal | None = None  # a TSAT of [0.45, 1.0] with unit %: what it would be as a fraction (R-26e)
    transferrin_based: bool = False  # derived with the factor for transferrin
    indeterminate: bool = False  # transferrin-based and in [18, 23] or [43, 47]
    method: str = ""  # weight: "measured", "stated", "dry", "pre-pregnancy"; hemoglobin: "", "blood-gas"
    analyzer: str = ""  # device or method text, lower case, for R-14
    lower_limit: Decimal | None = None  # referenceRange.low converted
    flagged_low: bool = False  # interpretation L or LL


@frozen(frozen=True, slots=True)
class ConditionEntry:
    """One problem-list entry or encounter diagnosis, read by R-02a."""

    concepts: frozenset[str]  # value-set ids it belongs to, by code or by name
    name: str  # text or display; chart text
    reference: str
    is_active: bool  # clinicalStatus active, recurrence, relapse, or absent without a past abatement
    clinical_status: str | None
    verification_status: str | None
    day: Day | None  # recordedDate, else onset
    by_name: bool = False  # recognised by text, not by a listed code
    is_hedged: bool = False  # named with a negation, kinship or screening word: a caution, never a fact (R-02a)

    @property
    def counts(self) -> bool:
        """Not refuted, not entered in error, and not hedged."""
        return self.verification_status not in ("refuted", "entered-in-error") and not self.is_hedged

    @property
    def is_unconfirmed(self) -> bool:
        return self.verification_status in (
            "provisional",
            "unconfirmed",
            "differential",
        )


class Allergen(StrEnum):
    """What an allergy entry is about (R-18)."""

    INGREDIENT = "ingredient"  # a parenteral iron we know; `ingredient` says which
    PARENTERAL_CLASS = "parenteral-iron"
    PLAIN_IRON = "iron"  # "iron", not stated to be oral
    ORAL_IRON = "oral-iron"
    OTHER_DRUG = "other-drug"


@dataclass(frozen=True, slots=True)
class AllergyEntry:
    """One AllergyIntolerance, or an iron-reaction problem entry is a ConditionEntry instead."""

    allergen: Allergen
    ingredient: Ingredient | None
    name: str  # chart text
    reference: str
    clinical_status: str | None  # active, inactive, resolved, or None
    verification_status: str | None
    has_reaction: bool  # any manifestation recorded
    all_gastrointestinal: bool  # every manifestation recorded is gastrointestinal (and there is one)
    has_anaphylaxis: bool
    is_severe: bool  # reaction severity severe, criticality high, or an anaphylaxis manifestation
    reactions: str = ""  # manifestations as text
    day: Day | None = None

    @property
    def is_active(self) -> bool:
        return self.clinical_status in (None, "active")

    @property
    def counts(self) -> bool:
        return self.verification_status not in ("refuted", "entered-in-error")


class DoseSource(StrEnum):
    ADMINISTRATION = "administration"
    ORDER = "order"
    STATEMENT = "statement"
    PROCEDURE = "procedure"


@dataclass(frozen=True, slots=True)
class DoseRecord:
    """One record that parenteral iron was given (R-40e), before records of the same dose are brought together."""

    ingredient: Ingredient | None  # None = parenteral iron, product not named
    day: Day | None
    amount_mg: Decimal | None
    source: DoseSource
    reference: str
    refers_to: tuple[str, ...] = ()  # orders it names (request, basedOn)
    name: str = ""


@frozen(frozen=True, slots=True)
class OrderDose:
    """Dose per administration as written (R-04a). All three amounts None and not unreadable = absent."""

    mg: Decimal | None = None
    mg_per_kg: Decimal | None = None
    unreadable: str = ""  # why it could not be read ("2 vials"); chart text

    @property
    def is_absent(self) -> bool:
        return self.mg is None and self.mg_per_kg is None and not self.unreadable


@frozen(frozen=True, slots=True)
class IronOrder:
    """One parenteral-iron order: in the session, or signed and in the chart (R-04b)."""

    reference: str  # "MedicationRequest/abc"
    resource_type: str
    name: str  # drug as written; chart text
    ingredient: Ingredient | None  # None = product not named
    status: str | None
    route: str = ""  # "", "intravenous", "intramuscular", "oral", or the text found; lower case
    is_high_molecular_weight: bool = False
    is_imaging: bool = False
    is_ambiguous: bool = False  # R-01a: the code or text does not tell oral from injectable
    has_injectable_form: bool = False
    do_not_perform: bool = False
    reason_is_rls: bool = False  # by reasonCode, or a contained Condition
    reason_references: tuple[str, ...] = ()  # "Condition/1": a reason only if that entry is RLS and counts
    dose: OrderDose = field(default_factory=OrderDose)  # of several dosage lines the largest
    other_lines: tuple[OrderDose, ...] = ()  # the remaining dosage lines (a test dose, R-33)
    administrations: int = 1  # R-04a
    planned: tuple[Day, ...] = ()  # R-43a: dates on which it is to be given, in order
    planned_last: date | None = None  # R-43a: the last of them
    authored: Day | None = None
    in_session: bool = True
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class MedicationUse:
    """An active or past oral iron or RLS drug (R-12, R-30)."""

    concepts: frozenset[str]  # "oral-iron", "rls-pramipexole", ...
    name: str
    is_active: bool
    start: Day | None
    end: Day | None
    reference: str


class PregnancySource(StrEnum):
    STATUS = "status"  # pregnancy-status observation
    CONDITION = "condition"
    DELIVERY_DATE = "delivery-date"
    GESTATIONAL_AGE = "gestational-age"
    LAST_PERIOD = "last-period"


@dataclass(frozen=True, slots=True)
class PregnancyEvidence:
    """One statement about pregnancy (R-20d, R-20e)."""

    source: PregnancySource
    reference: str
    day: Day | None  # date of the statement; an undated condition counts
    pregnant: bool | None = None  # STATUS, CONDITION
    value_date: date | None = None  # DELIVERY_DATE, LAST_PERIOD
    age_days: int | None = None  # GESTATIONAL_AGE at `day`
    trimester: int | None = None  # coded trimester 1, 2 or 3


@dataclass(frozen=True, slots=True)
class SeverityTotal:
    """RLS severity total, IRLS scale 0 to 40 (R-49)."""

    total: Decimal
    day: Day | None
    reference: str


@dataclass(frozen=True, slots=True)
class Impression:
    """A clinician's global impression that a site maps to responder or non-responder (R-49a)."""

    is_responder: bool
    day: Day | None
    reference: str


@dataclass(frozen=True, slots=True)
class ProcedureEntry:
    """A completed or running procedure in one of our value sets (dialysis, R-28)."""

    concepts: frozenset[str]
    day: Day | None
    reference: str


@dataclass(frozen=True, slots=True)
class ArrangedContact:
    """A follow-up request with our identifier, in the chart or among the drafts (R-50a)."""

    course: str  # course part of the identifier
    contact: str  # "day-8", "week-3", "week-8-labs", "month-6", ...
    test: str | None  # "ferritin", ... for the separate laboratory requests
    due: date | None
    status: str
    reference: str
    is_draft_order: bool = False  # among the draft orders of this session


@dataclass(frozen=True, slots=True)
class NotGiven:
    """A record that an infusion of parenteral iron did not take place (R-50); never a dose (R-40e)."""

    day: Day | None
    reference: str
    refers_to: tuple[str, ...] = ()  # orders it names


@dataclass(frozen=True, slots=True)
class Gap:
    """A resource that could not be read, or belongs to somebody else: named in the trace, never used."""

    reference: str
    why: str  # no patient value in it
    key: str = ""  # prefetch key


@frozen(frozen=True, slots=True)
class PatientFacts:
    """Everything the rules may know about the patient (section 3.1 of the rule book)."""

    birth: Day | None = None
    is_deceased: bool = False
    sex: str | None = None  # administrative: male, female, other, unknown, None
    conditions: tuple[ConditionEntry, ...] = ()
    allergies: tuple[AllergyEntry, ...] = ()
    results: Mapping[str, tuple[Result, ...]] = field(default_factory=dict)  # by analyte, in no particular order
    dose_records: tuple[DoseRecord, ...] = ()
    signed_orders: tuple[IronOrder, ...] = ()  # parenteral iron, active or on-hold, in the chart (R-04b)
    medications: tuple[MedicationUse, ...] = ()
    pregnancy: tuple[PregnancyEvidence, ...] = ()
    severity: tuple[SeverityTotal, ...] = ()
    impressions: tuple[Impression, ...] = ()
    procedures: tuple[ProcedureEntry, ...] = ()
    arranged: tuple[ArrangedContact, ...] = ()
    idle_orders: tuple[IronOrder, ...] = ()  # in the chart, unsigned or called off: neither open nor given
    not_given: tuple[NotGiven, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)  # prefetch key -> "missing" | "failed" | "incomplete"


# ------------------------------------------------------------------------------------------------------- answers


class Conclusion(StrEnum):
    """Outcome class (section 1); the value is `source.topic.code` of the card."""

    OUT_OF_SCOPE = "out-of-scope"
    CONTRAINDICATED = "contraindicated"
    NOT_INDICATED = "not-indicated"
    INSUFFICIENT_DATA = "insufficient-data"
    MAY_BENEFIT = "may-benefit"
    INDICATED_STRONG = "indicated-strong"

    @property
    def is_supportive(self) -> bool:
        return self in (Conclusion.MAY_BENEFIT, Conclusion.INDICATED_STRONG)


class Phase(IntEnum):
    """Precedence P1 to P8 of section 1; TEXT rules only add lines."""

    SCOPE = 1
    STOP = 2
    CEILING = 3
    EARLIER_IRON = 4
    MISSING = 5
    DIALYSIS = 6
    ELIGIBILITY = 7
    CAP = 8
    TEXT = 9


class Rank(IntEnum):
    """Order of caution lines (R-51a); lines up to PREGNANCY are never dropped."""

    TSAT_MISSING = 1
    UNREADABLE = 2
    HEMOGLOBIN_CRITICAL = 3
    DOSE = 4
    DUPLICATE = 5
    IRON_ALLERGY = 6
    BOXED_WARNING = 7
    PREGNANCY = 8
    INFECTION_OVERLOAD = 9
    INTERVAL_PHOSPHATE = 10
    INFLAMMATION = 11
    HEMOGLOBIN = 12
    CONFLICT = 13
    PRODUCT = 14
    SPECIMEN = 15


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the rule book (section 12); `says` is the short statement we rely on, in our own words."""

    id: str  # "A1"
    title: str
    year: int | None
    url: str
    says: str
    checked: str  # "read", "secondary", "general knowledge"
    section: str = ""


@frozen(frozen=True, slots=True)
class Used:
    """A value a rule looked at, for trace and card."""

    name: str  # "ferritin"
    shown: str  # "74.5 ng/mL"
    reference: str
    day: str = ""  # ISO date or ""


@dataclass(frozen=True, slots=True)
class NotApplicable:
    because: str


@frozen(frozen=True, slots=True)
class Verdict:
    """A class. `headline` completes the card's summary; `say` are sentences of its detail, first one leading."""

    conclusion: Conclusion
    because: str
    headline: str = ""
    say: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()
    offer_tests: tuple[str, ...] = ()  # value-set ids of tests to order: ferritin, iron, tibc, cbc, phosphate
    tests_not_before: date | None = None  # R-41c
    certainty: str = ""  # strength and certainty in words, for a recommendation


@dataclass(frozen=True, slots=True)
class Cap:
    """Lowers `indicated-strong` to `may-benefit` (P8), never anything else."""

    because: str
    say: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()


@frozen(frozen=True, slots=True)
class Line:
    """A caution line (R-51a)."""

    rank: Rank
    text: str
    because: str
    makes_warning: bool = False
    used: tuple[Used, ...] = ()


@frozen(frozen=True, slots=True)
class Remark:
    """A fixed or value-bound sentence that is no caution line (R-12, R-14, R-29, R-30, R-38, R-39, R-54)."""

    section: (
        str  # "ferritin", "tsat", "hemoglobin": beside that value; "alternatives", "product", "next-step", "history"
    )
    text: str
    because: str
    offer_tests: tuple[str, ...] = ()  # R-29c
    speaks_for_iron: bool = False  # told only where the class supports IV iron, and no alternative to it
    used: tuple[Used, ...] = ()


Answer = NotApplicable | Verdict | Cap | Line | Remark
