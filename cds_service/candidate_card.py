"""Unasked cards of an opened chart: a draft order for a patient who meets the criteria, or iron studies (R-50d)."""

from cds_service import markdown as md
from cds_service.card_parts import Json, primary_source, section
from cds_service.clinical import doses
from cds_service.clinical.citations import A1
from cds_service.clinical.follow_up.candidate import HOW_DOSED, ORAL_FIRST, WITHOUT_FERRITIN, Candidate
from cds_service.clinical.follow_up.view import Topic, View
from cds_service.follow_up_parts import make_card, show_values, texts
from cds_service.follow_up_suggestions import Desktop, suggest_iron_studies, suggest_order

REASONS = ("patient-ineligible", "prefers-alternative", "patient-refuses", "risk-benefit-ratio")


def render_candidate(desktop: Desktop, view: View) -> tuple[Json, list[Json]]:
    """The card and what it suggests; without a candidate the offer of iron studies."""
    if not isinstance(view.candidate, Candidate):
        return _iron_studies(desktop, view)
    candidate, chart = view.candidate, view.chart
    rule, verdict = candidate.decision.verdicts[0]
    parts = [
        "If the RLS is clinically significant, iron treatment can be considered.",
        *([f"**{ORAL_FIRST}**"] if candidate.names_oral_first else []),
        section("Why", [*texts(verdict.say), md.text(f"{rule.id}: {verdict.because}")]),
        section("Check first", texts([line.text for _, line in candidate.decision.lines])),
        md.text(
            f"The suggestion drafts {doses.plain(candidate.dose_mg)} mg of ferric carboxymaltose ({HOW_DOSED}); "
            f"everything is decided anew when the order is chosen."
        ),
        show_values(view),
    ]
    summary = f"RLS with ferritin {chart.ferritin.shown}, TSAT {chart.tsat.shown}: iron treatment can be considered"
    citation = primary_source(rule.sources)
    card = make_card(desktop.shop, Topic.CANDIDATE, summary, parts, citation, REASONS)
    return card, suggest_order(desktop, view, candidate)


def _iron_studies(desktop: Desktop, view: View) -> tuple[Json, list[Json]]:
    parts = [
        f"No ferritin is on record for {WITHOUT_FERRITIN}.",
        "If the RLS is clinically significant, the guideline supports testing ferritin and TSAT.",
        show_values(view),
    ]
    summary = f"RLS without a ferritin in {WITHOUT_FERRITIN}: consider iron studies"
    card = make_card(desktop.shop, Topic.CANDIDATE, summary, parts, A1, REASONS)
    return card, suggest_iron_studies(desktop, view)
