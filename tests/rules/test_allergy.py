"""R-18: allergy to iron. Which entries stop which order, which are only named, and which speak for the vein."""

from typing import Any

import pytest

from cds_service.clinical.iron_allergy import show_allergy
from cds_service.clinical.model import Allergen, AllergyEntry, Conclusion, Ingredient, Line, Rank
from tests.rules.ask import ask, texts, verdict
from tests.rules.build import RLS, allergy, case, condition, day, decide, facts, ferritin, lines, order, tsat

FCM, SUCROSE, FERUMOXYTOL = Ingredient.FCM, Ingredient.SUCROSE, Ingredient.FERUMOXYTOL
RASH: dict[str, Any] = {"has_reaction": True, "reactions": "rash"}
NAUSEA: dict[str, Any] = {"has_reaction": True, "all_gastrointestinal": True, "reactions": "nausea"}
ANAPHYLAXIS: dict[str, Any] = {
    "has_reaction": True,
    "has_anaphylaxis": True,
    "is_severe": True,
    "reactions": "anaphylaxis",
}
SEVERE_RASH: dict[str, Any] = {**RASH, "is_severe": True}
SEVERE_NAUSEA: dict[str, Any] = {**NAUSEA, "is_severe": True}
HIGH_RISK: dict[str, Any] = {"is_severe": True}  # criticality high, no reaction recorded


def row(rule_id: str, words: str, *values: object) -> object:
    return pytest.param(*values, id=f"{rule_id} {words}")


def iron(ingredient: Ingredient, **changes: Any) -> AllergyEntry:
    return allergy(Allergen.INGREDIENT, ingredient, **changes)


def by_class(**changes: Any) -> AllergyEntry:
    return allergy(Allergen.PARENTERAL_CLASS, **changes)


def plain(**changes: Any) -> AllergyEntry:
    return allergy(Allergen.PLAIN_IRON, **changes)


def oral(**changes: Any) -> AllergyEntry:
    return allergy(Allergen.ORAL_IRON, **changes)


def with_allergies(ordered: Ingredient | None, *entries: AllergyEntry) -> Any:
    return case(facts(ferritin("48"), tsat("17"), allergies=entries), order(ordered))


# Expected: the part that stops, or "warning" / "caution" for a line, or "" for nothing.
ROWS = [
    # (a) own ingredient or class, whatever the reaction
    row("R-18a", "own ingredient, no reaction recorded", FCM, iron(FCM), "R-18a"),
    row("R-18a", "own ingredient, rash", FCM, iron(FCM, **RASH), "R-18a"),
    row("R-18a", "own ingredient, nausea only", FCM, iron(FCM, **NAUSEA), "R-18a"),
    row("R-18a", "own ingredient, anaphylaxis", FCM, iron(FCM, **ANAPHYLAXIS), "R-18a"),
    row("R-18a", "own ingredient, sucrose", SUCROSE, iron(SUCROSE, **RASH), "R-18a"),
    row("R-18a", "the class, no reaction recorded", FCM, by_class(), "R-18a"),
    row("R-18a", "the class, nausea only", FCM, by_class(**NAUSEA), "R-18a"),
    row("R-18a", "the class, product not named", None, by_class(), "R-18a"),
    row("R-18a", "own ingredient, clinical status absent", FCM, iron(FCM, clinical_status=None), "R-18a"),
    row("R-18a", "own ingredient, unconfirmed", FCM, iron(FCM, verification_status="unconfirmed"), "R-18a"),
    row("R-18a", "own ingredient, verification absent", FCM, iron(FCM, verification_status=None), "R-18a"),
    row("R-18a", "own ingredient, refuted", FCM, iron(FCM, verification_status="refuted"), ""),
    row("R-18a", "own ingredient, entered in error", FCM, iron(FCM, verification_status="entered-in-error"), ""),
    row("R-18d", "own ingredient, inactive", FCM, iron(FCM, clinical_status="inactive"), "warning"),
    row("R-18d", "own ingredient, resolved", FCM, iron(FCM, clinical_status="resolved"), "warning"),
    row(
        "R-18d",
        "own ingredient, resolved and refuted",
        FCM,
        iron(FCM, clinical_status="resolved", verification_status="refuted"),
        "",
    ),
    # (b) severe reaction to any parenteral iron
    row("R-18b", "another product, anaphylaxis", FCM, iron(SUCROSE, **ANAPHYLAXIS), "R-18b"),
    row("R-18b", "another product, severe rash", FCM, iron(SUCROSE, **SEVERE_RASH), "R-18b"),
    row("R-18b", "another product, high criticality, no reaction", FCM, iron(SUCROSE, **HIGH_RISK), "R-18b"),
    row("R-18b", "another product, severe nausea", FCM, iron(SUCROSE, **SEVERE_NAUSEA), "R-18b"),
    row(
        "R-18b",
        "another product, severe but inactive",
        FCM,
        iron(SUCROSE, **HIGH_RISK, clinical_status="inactive"),
        "warning",
    ),
    row("R-18b", "plain iron, anaphylaxis", FCM, plain(**ANAPHYLAXIS), "R-18b"),
    row("R-18b", "plain iron, severe rash", FCM, plain(**SEVERE_RASH), "R-18b"),
    row("R-18b", "plain iron, high criticality, no reaction", FCM, plain(**HIGH_RISK), "R-18b"),
    row("R-18b", "plain iron, severe but only gastrointestinal", FCM, plain(**SEVERE_NAUSEA), ""),
    row(
        "R-18b",
        "plain iron, anaphylaxis flagged without severity",
        FCM,
        plain(**{**RASH, "has_anaphylaxis": True}),
        "R-18b",
    ),
    # not a stop: mild or moderate reaction to another product
    row("R-18d", "another product, rash", FCM, iron(SUCROSE, **RASH), "caution"),
    row("R-18d", "another product, nausea only", FCM, iron(SUCROSE, **NAUSEA), "caution"),
    row("R-18d", "another product, reaction not recorded", FCM, iron(SUCROSE), "warning"),
    row("R-18d", "another product, rash, resolved", FCM, iron(SUCROSE, **RASH, clinical_status="resolved"), ""),
    # (c) ferumoxytol or product not named
    row("R-18c", "ferumoxytol, rash to sucrose", FERUMOXYTOL, iron(SUCROSE, **RASH), "R-18c"),
    row("R-18c", "ferumoxytol, sucrose without reaction", FERUMOXYTOL, iron(SUCROSE), "R-18c"),
    row("R-18c", "ferumoxytol, plain iron without reaction", FERUMOXYTOL, plain(), "R-18c"),
    row("R-18c", "ferumoxytol, plain iron with rash", FERUMOXYTOL, plain(**RASH), "R-18c"),
    row("R-18c", "ferumoxytol, nausea to sucrose", FERUMOXYTOL, iron(SUCROSE, **NAUSEA), "caution"),
    row("R-18c", "ferumoxytol, nausea to plain iron", FERUMOXYTOL, plain(**NAUSEA), ""),
    row("R-18c", "ferumoxytol, rash to oral iron", FERUMOXYTOL, oral(**RASH), "warning"),
    row(
        "R-18c",
        "ferumoxytol, inactive rash to sucrose",
        FERUMOXYTOL,
        iron(SUCROSE, **RASH, clinical_status="inactive"),
        "warning",
    ),
    row("R-18c", "unnamed, rash to sucrose", None, iron(SUCROSE, **RASH), "R-18c"),
    row("R-18c", "unnamed, sucrose without reaction", None, iron(SUCROSE), "R-18c"),
    row("R-18c", "unnamed, plain iron without reaction", None, plain(), "R-18c"),
    row("R-18c", "unnamed, nausea to sucrose", None, iron(SUCROSE, **NAUSEA), "caution"),
    # (d) named
    row("R-18d", "plain iron without reaction", FCM, plain(), "warning"),
    row("R-18d", "plain iron with rash", FCM, plain(**RASH), "warning"),
    row("R-18d", "plain iron without reaction, inactive", FCM, plain(clinical_status="inactive"), ""),
    row("R-18d", "plain iron without reaction, refuted", FCM, plain(verification_status="refuted"), ""),
    row("R-18d", "rash to oral iron", FCM, oral(**RASH), "warning"),
    row("R-18d", "anaphylaxis to oral iron", FCM, oral(**ANAPHYLAXIS), "warning"),
    row("R-18d", "oral iron of high criticality", FCM, oral(**HIGH_RISK), "warning"),
    row("R-18d", "resolved rash to oral iron", FCM, oral(**RASH, clinical_status="resolved"), ""),
    # intolerance speaks for the vein
    row("R-18", "nausea on oral iron", FCM, oral(**NAUSEA), ""),
    row("R-18", "severe nausea on oral iron", FCM, oral(**SEVERE_NAUSEA), ""),
    row("R-18", "oral iron without reaction", FCM, oral(), ""),
    row("R-18", "nausea on plain iron", FCM, plain(**NAUSEA), ""),
    row("R-18", "penicillin anaphylaxis", FCM, allergy(Allergen.OTHER_DRUG, **ANAPHYLAXIS), ""),
    row("R-18", "penicillin anaphylaxis, ferumoxytol", FERUMOXYTOL, allergy(Allergen.OTHER_DRUG, **ANAPHYLAXIS), ""),
]


@pytest.mark.parametrize(("ordered", "entry", "expected"), ROWS)
def test_r_18_allergy_entries_stop_warn_or_say_nothing(
    ordered: Ingredient | None, entry: AllergyEntry, expected: str
) -> None:
    decision = decide(with_allergies(ordered, entry))
    stops = [rule.id for rule, _ in decision.verdicts if rule.id.startswith("R-18")]
    assert stops == ([expected] if expected.startswith("R-18") else [])
    assert (decision.conclusion is Conclusion.CONTRAINDICATED) == bool(stops)
    named = [line for rule, line in decision.lines if rule.id == "R-18d"]
    assert [line.makes_warning for line in named] == {"warning": [True], "caution": [False]}.get(expected, [])
    assert all(line.rank is Rank.IRON_ALLERGY for line in named)


def test_r_18a_the_card_names_reaction_product_and_where_to_turn() -> None:
    entry = iron(FCM, **RASH, name="Injectafer", day=day(500), verification_status="unconfirmed")
    found = verdict("R-18a", with_allergies(FCM, entry))
    assert found is not None
    for part in ("Injectafer", "rash", "fcm", "unconfirmed", "2024-10-26"):
        assert part in found.say[0]
    assert "Consider another product or route, and an allergist" in found.say[1]
    assert [used.reference for used in found.used] == [entry.reference]


def test_r_18a_after_a_severe_reaction_no_other_product_is_offered() -> None:
    found = verdict("R-18a", with_allergies(FCM, iron(FCM, **ANAPHYLAXIS)))
    assert found is not None and "before any other intravenous iron" in found.say[1]
    assert "severe" in found.say[0]


def test_r_18a_with_the_class_on_record_another_route_is_named() -> None:
    found = verdict("R-18a", with_allergies(FCM, by_class()))
    assert found is not None and "another route" in found.say[1] and "no reaction recorded" in found.say[0]


def test_r_18b_says_why_the_ordered_product_is_stopped() -> None:
    found = verdict("R-18b", with_allergies(FCM, iron(SUCROSE, **ANAPHYLAXIS)))
    assert found is not None and "iron-sucrose" in found.say[0] and "allergist" in found.say[1]


def test_r_18c_an_unnamed_product_is_asked_for() -> None:
    unnamed = verdict("R-18c", with_allergies(None, iron(SUCROSE)))
    ferumoxytol = verdict("R-18c", with_allergies(FERUMOXYTOL, iron(SUCROSE)))
    assert unnamed is not None and "naming the product" in unnamed.say[1]
    assert ferumoxytol is not None and "naming the product" not in ferumoxytol.say[1]


@pytest.mark.parametrize(
    ("rule_id", "ordered", "entry", "lead"),
    [
        row("R-18a", "own", "R-18a", FCM, iron(FCM), "Allergy that includes the ordered product, \u2063fcm\u2063: "),
        row(
            "R-18b",
            "severe",
            "R-18b",
            FCM,
            iron(SUCROSE, **ANAPHYLAXIS),
            "Severe reaction to iron, so \u2063fcm\u2063 is no safe choice either: ",
        ),
        row(
            "R-18c",
            "ferumoxytol",
            "R-18c",
            FERUMOXYTOL,
            iron(SUCROSE),
            "Reaction to another iron, which counts for \u2063ferumoxytol\u2063: ",
        ),
        row(
            "R-18c",
            "product not named",
            "R-18c",
            None,
            iron(SUCROSE),
            "The product ordered is not named, and with ferumoxytol any reaction to iron by vein counts: ",
        ),
    ],
)
def test_r_18_the_first_sentence_says_what_the_entry_means_for_this_order(
    rule_id: str, ordered: Ingredient | None, entry: AllergyEntry, lead: str
) -> None:
    found = verdict(rule_id, with_allergies(ordered, entry))
    assert found is not None and found.say[0].startswith(f"{lead}\u2063{entry.name}\u2063 (")


def test_r_18a_an_order_without_a_name_is_the_ordered_iron() -> None:
    found = verdict("R-18a", case(facts(allergies=(iron(FCM),)), order(FCM, name="")))
    assert found is not None and found.say[0].startswith("Allergy that includes the ordered product, the ordered iron:")


def test_r_18_each_entry_is_named_by_one_part() -> None:
    entries = (iron(FERUMOXYTOL, **ANAPHYLAXIS), iron(SUCROSE, **ANAPHYLAXIS, name="Venofer"), plain(name="Iron"))
    decision = decide(with_allergies(FERUMOXYTOL, *entries))
    assert [rule.id for rule, _ in decision.verdicts] == ["R-18a", "R-18b", "R-18c"]
    assert lines(decision, "R-18d") == []


def test_r_18d_entries_of_one_kind_share_a_line() -> None:
    chart = with_allergies(FCM, plain(name="Iron"), plain(name="Iron compound"), oral(**RASH, name="Ferrous sulfate"))
    first, second = texts("R-18d", chart)
    assert "Iron compound" in first and "not stated to be oral" in first
    assert "Ferrous sulfate" in second


@pytest.mark.parametrize(
    ("changes", "is_named"),
    [
        row("R-18d", "active problem", {}, True),
        row(
            "R-18d",
            "resolved problem: the reaction happened",
            {"clinical_status": "resolved", "is_active": False},
            True,
        ),
        row("R-18d", "history of a reaction, by name", {"is_hedged": True}, True),
        row("R-18d", "refuted problem", {"verification_status": "refuted"}, False),
        row("R-18d", "problem entered in error", {"verification_status": "entered-in-error"}, False),
    ],
)
def test_r_18d_iron_reactions_on_the_problem_list_warn(changes: dict[str, Any], is_named: bool) -> None:
    problem = condition("iron-adverse-reaction", **{"name": "Adverse effect of iron", **changes})
    chart = case(facts(ferritin("48"), tsat("17"), conditions=(RLS, problem)))
    answers = [answer for answer in ask("R-18d", chart) if isinstance(answer, Line)]
    assert [("Adverse effect of iron" in line.text, line.makes_warning) for line in answers] == [
        (True, True)
    ] * is_named
    assert decide(chart).conclusion is Conclusion.INDICATED_STRONG


def test_r_18_no_entry_is_no_allergy() -> None:
    for part in ("R-18a", "R-18b", "R-18c", "R-18d"):
        assert ask(part, with_allergies(FERUMOXYTOL)) == ()


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        row("R-18", "words of the reaction", iron(FCM, **RASH, name="X"), "X (reaction: rash)"),
        row(
            "R-18",
            "reaction without words",
            iron(FCM, has_reaction=True, name="X"),
            "X (reaction recorded without words)",
        ),
        row("R-18", "no reaction", iron(FCM, name="X"), "X (no reaction recorded)"),
        row(
            "R-18",
            "not active",
            iron(FCM, name="X", clinical_status="resolved", is_severe=True),
            "X (no reaction recorded; severe; resolved)",
        ),
        row("R-18", "no name", iron(FCM, name=""), "an entry without a name (no reaction recorded)"),
    ],
)
def test_r_18_how_an_entry_is_worded(entry: AllergyEntry, shown: str) -> None:
    assert show_allergy(entry).replace("\u2063", "") == shown


def test_r_18_chart_text_is_marked_for_escaping() -> None:
    assert "\u2063[x](http://evil)\u2063" in show_allergy(iron(FCM, name="[x](http://evil)"))
