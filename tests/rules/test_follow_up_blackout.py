"""R-09, R-48: results that circulating product makes unreadable are named on the card of the course that did it."""

import pytest

from cds_service.clinical.model import DoseRecord, Result
from tests.rules.build import facts, ferritin, given, tsat
from tests.rules.opened import cards, words

NOW, YEAR_AGO = given(mg="500", days_ago=10), given(mg="500", days_ago=330)
FIVE = ["Ferritin 400 ng/mL was drawn 5 days"]
ROWS = [
    pytest.param((NOW,), (ferritin("400", days_ago=5),), FIVE, id="R-09 this course"),
    pytest.param((NOW,), (tsat("60", days_ago=10),), ["TSAT 60 % was drawn 0 days"], id="R-09 on the day of the dose"),
    pytest.param((NOW,), (ferritin("48", days_ago=11),), [], id="R-09 the day before"),
    pytest.param((NOW, YEAR_AGO), (ferritin("400", days_ago=329),), [], id="R-09 an earlier course"),
    pytest.param(
        (NOW, YEAR_AGO),
        (ferritin("400", days_ago=5), ferritin("390", days_ago=329), tsat("70", days_ago=328)),
        FIVE,
        id="R-09 this course beside an earlier one",
    ),
    pytest.param(
        (NOW, given(mg="500", days_ago=25)),
        (ferritin("400", days_ago=20),),
        FIVE,
        id="R-09 between two doses of this course",
    ),
]


@pytest.mark.parametrize(("doses", "results", "named"), ROWS)
def test_what_cannot_be_interpreted_is_named_since_the_course_began(
    doses: tuple[DoseRecord, ...], results: tuple[Result, ...], named: list[str]
) -> None:
    said = words(cards(facts(*results, dose_records=doses)))
    assert "Day 10 after IV iron" in said
    assert all(one in said for one in named)
    assert said.count("not interpretable") == len(named)
