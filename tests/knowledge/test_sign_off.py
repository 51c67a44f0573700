"""Sign-off: bound to the content hash, void after any change, and reviews that are past their date are said."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service import assembly, knowledge_stamp
from cds_service.app import create_app
from cds_service.cli import main
from cds_service.clinical import codes
from cds_service.clinical.rules import RULES
from cds_service.errors import ConfigurationError
from cds_service.knowledge.export import knowledge_export
from cds_service.settings import load_settings
from cds_service.sign_off import ROLES, UNSIGNED, load_sign_off, overdue, render_template

INDEX = codes.load(None, "http://127.0.0.1:8000/fhir")
DIGEST = knowledge_stamp.digest(INDEX)
SIGNATURES = "".join(
    f'[[signature]]\nname = "Synthetic {role}"\nrole = "{role}"\ndate = 2026-12-0{place}\n'
    for place, role in enumerate(ROLES, 1)
)


def write(folder: Path, text: str) -> Path:
    file = folder / "sign-off.toml"
    file.write_text(text)
    return file


def signed(folder: Path, digest: str = DIGEST, extra: str = "") -> Path:
    return write(folder, f'digest = "{digest}"\nreview_by = 2027-06-01\n{SIGNATURES}{extra}')


def test_both_signatures_for_just_this_knowledge_make_it_signed(tmp_path: Path) -> None:
    stamp = knowledge_stamp.stamp(INDEX, load_sign_off(signed(tmp_path)))
    assert stamp.review == "clinically signed 2026-12-02"
    assert "clinically signed" in stamp.text


def test_one_signature_is_not_enough(tmp_path: Path) -> None:
    alone = SIGNATURES.partition("[[signature]]\n")[2].partition("[[signature]]")[0]
    sign_off = load_sign_off(write(tmp_path, f'digest = "{DIGEST}"\n[[signature]]\n{alone}'))
    assert knowledge_stamp.stamp(INDEX, sign_off).review == knowledge_stamp.UNSIGNED


def test_changing_one_threshold_voids_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sign_off = load_sign_off(signed(tmp_path))
    low = next(rule for rule in RULES if rule.id == "R-22")
    first, *others = low.thresholds
    changed = replace(low, thresholds=(replace(first, value=Decimal(76)), *others))
    monkeypatch.setattr(knowledge_stamp, "RULES", tuple(changed if one is low else one for one in RULES))
    assert knowledge_stamp.stamp(INDEX, sign_off).review == knowledge_stamp.VOID


def test_a_local_code_voids_it(tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / "one.json").write_text(
        '{"resourceType": "ValueSet", "id": "ferritin", "compose": {"include": [{"system": "https://lab.example",'
        '"concept": [{"code": "FER", "display": "Ferritin"}]}]}}'
    )
    engine = assembly.build_engine(load_settings(sign_off=signed(tmp_path), valuesets=folder))
    assert engine.shop.stamp.review == knowledge_stamp.VOID


def test_cards_page_and_export_say_who_signed_when(tmp_path: Path) -> None:
    settings = load_settings(sign_off=signed(tmp_path), database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    engine = assembly.build_engine(settings)
    assert engine.shop.stamp.review == "clinically signed 2026-12-02"
    assert knowledge_export(engine.index, engine.shop.stamp)["review"] == "clinically signed 2026-12-02"
    page = create_app(settings).test_client().get("/knowledge")
    assert "clinically signed 2026-12-02" in page.text
    attributes = create_app(settings).test_client().get("/knowledge/source-attributes").text
    assert "Signed by Synthetic pharmacist, pharmacist, on 2026-12-02." in attributes


def test_a_void_signature_names_nobody(tmp_path: Path) -> None:
    settings = load_settings(sign_off=signed(tmp_path, "0" * 64), database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    attributes = create_app(settings).test_client().get("/knowledge/source-attributes").text
    assert knowledge_stamp.VOID in attributes
    assert "Synthetic" not in attributes


WRONG = (
    ("", "digest must be"),
    ('digest = "abc"', "digest must be"),
    ("digest = ", "cannot be read as TOML"),
    (f'digest = "{DIGEST}"\nsigned = true', "'signed', which means nothing"),
    (f'digest = "{DIGEST}"\nreview_by = "2027-01-01"', "review_by must be a date"),
    (f'digest = "{DIGEST}"\nreview_by = 2027-01-01T00:00:00', "review_by must be a date"),
    (f'digest = "{DIGEST}"\nsignature = "me"', "[[signature]]"),
    (f'digest = "{DIGEST}"\n[[signature]]\nrole = "pharmacist"\ndate = 2026-12-01', "has no name"),
    (f'digest = "{DIGEST}"\n[[signature]]\nname = "x"\nrole = "friend"\ndate = 2026-12-01', "must be one of"),
    (f'digest = "{DIGEST}"\n[[signature]]\nname = "x"\nrole = "pharmacist"', "date of a signature must be a date"),
    (f'digest = "{DIGEST}"\nreview = 5', "[review]"),
    (f'digest = "{DIGEST}"\n[review]\n"R-22" = "soon"', "review.R-22 must be a date"),
)


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_file_that_is_wrong_stops_the_start_and_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        load_sign_off(write(tmp_path, text))


def test_a_review_date_for_an_unknown_rule_stops_the_start(tmp_path: Path) -> None:
    file = signed(tmp_path, extra='[review]\n"R-220" = 2027-01-01\n')
    with pytest.raises(ConfigurationError, match="R-220 is no rule"):
        assembly.build_engine(load_settings(sign_off=file))


REVIEWS: tuple[tuple[str, date, tuple[str, ...]], ...] = (
    ("on the day it is not yet overdue", date(2027, 6, 1), ()),
    ("the day after it is", date(2027, 6, 2), ("the knowledge as a whole was due for review by 2027-06-01",)),
    (
        "a rule with a date of its own",
        date(2027, 7, 1),
        (
            "the knowledge as a whole was due for review by 2027-06-01",
            "R-22 was due for review by 2027-06-30",
        ),
    ),
)


@pytest.mark.parametrize(("what", "day", "expected"), REVIEWS, ids=[what for what, *_ in REVIEWS])
def test_reviews_are_overdue_after_their_date(tmp_path: Path, what: str, day: date, expected: tuple[str, ...]) -> None:
    sign_off = load_sign_off(signed(tmp_path, extra='[review]\n"R-22" = 2027-06-30\n'))
    assert overdue(sign_off, knowledge_stamp.REVIEW_BY, day) == expected, what


def test_without_a_file_the_date_of_the_knowledge_counts() -> None:
    assert overdue(UNSIGNED, date(2027, 11, 24), date(2027, 11, 24)) == ()
    assert len(overdue(UNSIGNED, date(2027, 11, 24), date(2027, 11, 25))) == 1


@pytest.mark.parametrize(("day", "warnings"), [(1, 0), (2, 1)], ids=["in time", "a day late"])
def test_an_overdue_review_is_logged_on_start(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], day: int, warnings: int
) -> None:
    settings = load_settings(sign_off=signed(tmp_path), database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    create_app(settings, clock=lambda: datetime(2027, 6, day, 12, tzinfo=UTC))
    log = capsysbinary.readouterr().err.decode()
    assert log.count("a review of the clinical knowledge is overdue") == warnings


def test_an_overdue_review_is_in_the_details_of_readiness_and_does_not_make_it_unready(tmp_path: Path) -> None:
    settings = load_settings(sign_off=signed(tmp_path), database_url=f"sqlite:///{tmp_path}/none.sqlite3")
    for day, expected in ((1, None), (2, ["the knowledge as a whole was due for review by 2027-06-01"])):
        moment = datetime(2027, 6, day, 12, tzinfo=UTC)
        app = create_app(settings, clock=lambda moment=moment: moment)  # type: ignore[misc]
        answer = app.test_client().get("/readyz", environ_base={"REMOTE_ADDR": "127.0.0.1"})
        assert (answer.status_code, answer.get_json().get("reviews_overdue")) == (200, expected)


def test_the_template_is_a_file_that_waits_for_its_signatures(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["knowledge", "sign-off"])
    assert result.exit_code == 0
    sign_off = load_sign_off(write(tmp_path, result.stdout))
    assert sign_off.signatures == ()
    assert sign_off.review_by == knowledge_stamp.REVIEW_BY
    filled = re.sub(r"(?m)^# (?=\[\[|name|role|date)", "", result.stdout).replace('name = ""', 'name = "Synthetic"')
    filled = filled.replace("YYYY-MM-DD", "2026-12-01")
    assert load_sign_off(write(tmp_path, filled)).signs(sign_off.digest)


def test_the_template_names_both_roles() -> None:
    assert all(role in render_template(DIGEST, date(2027, 1, 1)) for role in ROLES)
