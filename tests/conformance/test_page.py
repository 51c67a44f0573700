"""The conformance page holds all rows and opens without login in both modes."""

from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.conformance.rows import load_rows
from cds_service.web.conformance_page import describe, summarise
from tests.spec.protected import open_protected, protected_settings

PATH = "/knowledge/conformance"


def test_it_has_every_row_with_its_tests(tmp_path: Path) -> None:
    page = create_app(protected_settings(tmp_path, clients=None)).test_client().get(PATH)
    assert page.status_code == 200
    for row in load_rows():
        assert f'id="{row.id}"' in page.text
        assert all(test in page.text for test in row.tests)
    assert "script" not in page.text
    assert "'none'" in page.headers["Content-Security-Policy"]


def test_anyone_may_read_it_in_protected_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert open_protected(monkeypatch, tmp_path, answer=None).test_client().get(PATH).status_code == 200


def test_the_sums_count_every_row_once() -> None:
    assert sum(summarise(load_rows()).values()) == 256


def test_each_row_says_how_it_is_shown() -> None:
    assert all(describe(row) for row in load_rows())
    assert describe(load_rows()[0]) == "self-test: passed"
