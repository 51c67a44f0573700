"""What to expect after IV iron, with its true weight (R-55, R-56): reported facts, never a prognosis."""

from cds_service.clinical.citations import A2, A5, T1, T4, T6, T10

WHAT_TO_EXPECT = (
    (
        "Earliest benefit was seen about day 8, in 12 of 20 patients after 500 mg ferric carboxymaltose; the "
        f"responders' IRLS total went from 28.3 to 18.3 by week 3, the whole group's from 30.1 to 23.07 ({T1.id})."
    ),
    (
        "After 1000 mg iron dextran 32 of the 42 anemic patients who were reached responded, 20 of 42 for longer than "
        f"6 months ({T6.id})."
    ),
    (
        "Younger age (p = 0.064), ferritin below 45 (p = 0.097) and fewer comorbidities (no p-value given) "
        f"showed tendencies only, and later series disagree ({T1.id}, {T6.id}, {T10.id})."
    ),
    f"No response can be promised, and non-response is not final before weeks 6 to 8 ({A2.id}).",
)
# the honest size of the effect, for the detail of a supportive card.
SIZE_OF_EFFECT = (
    "Size of the effect: iron lowers the IRLS total by 3.78 points more than placebo (95 % CI 1.31 to 6.25; moderate "
    f"certainty; 7 trials, 345 people; {A5.id}). In the largest ferric carboxymaltose trial the IRLS end-point "
    f"was met (-8.0 against -4.8), the global-impression end-point was not (35.5 % against 28.7 %; {T4.id})."
)
