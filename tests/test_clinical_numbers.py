"""No clinical number and no clinical code stands in the package outside `clinical/` (style, twelve principles, 5)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cds_service.clinical.value_set_files import read_shipped

ROOT = Path(__file__).resolve().parent.parent / "cds_service"
READ = {".py", ".html", ".js", ".css", ".svg", ".json", ".toml", ".txt", ".mako"}
NOT_OURS = {"vendor", "__pycache__"}  # libraries of other people

# Code systems are told by the form of their codes: LOINC 2276-4, SNOMED CT and RxNorm 73211009, HCPCS J1439, CPT 96365,
# ICD-10-CM D50.9. Four digits or fewer are no evidence, so those are looked up among the codes of the value sets; and
# a number that is no text is a size or a time far more often than a code: round ones and powers of two are passed over.
FORMS = re.compile(r"(?<![\w.#/-])(?:\d{1,5}-\d|[A-V]\d{4}|[1-9]\d{4,17}|[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4})(?![\w./-])")
WORDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9]")
MEASURED = re.compile(
    r"\d\s*(?:[munp\u00b5]?g|kg|[munp]?mol|IU|[dm]?L)(?:/(?:d?L|m[lL]|kg))?(?![\w])|\d\s*(?:%|percent\b|points\b)"
    r"|\d[\s-]+(?:hour|day|week|month|year)s?\b"
)
CLINICAL = re.compile(
    r"ferritin|tsat|transferrin|ha?emoglobin|phosph|\bcrp\b|weight|dose|irls|gestat|trimester|dialys|infusion|an(?:a?)emia"
    r"|severity|\bage\b|an?chor|blackout|stale",
    re.IGNORECASE,
)
TRIVIAL = (0, 1, -1)
# (start of the file's name, part of the line) -> why the number or code there is not one a decision rests on
ALLOWED = {
    ("fhir/pregnancy_status.py", '-trimester": '): "the trimester that a code names, not where one begins",
    ("replay/", "WIDTHS = "): "width of the bins of a chart",
    ("reports/", "_HIGHEST = "): "end of an axis",
    ("story.py", "_FOOT = "): "end of an axis",
    ("story.py", "_TOP = "): "end of an axis",
    ("story.py", "Last 12 months"): "the span a chart shows",
    ("knowledge/attributes.py", "Personal(1"): "number of a source attribute in 45 CFR 170.315(b)(11)",
    ("reassessment.py", "lines[2] += "): "the place of a line",
    ("discovery.py", "PROCEDURES[:6]"): "the first few of a list",
    ("reports/", "fontsize=8"): "a size of letters",
    ("reports/burden", "95 %"): "level of an interval",
    ("reports/", "_CSS = "): "style of a page",
    ("headers.py", "max-age="): "seconds of a header",
    ("settings.py", "le=65535"): "a port",
    ("store/migrating.py", "pg_advisory_xact_lock"): "key of a lock",
    ("demo/search.py", "1000000000"): "length of a number",
    ("conformance/tokens.py", "65537"): "exponent of an RSA key",
}


@cache
def listed_codes() -> frozenset[str]:
    """Codes of the value sets that have a digit; the others are words such as `replace`."""
    codes = {member.coding.code for one in read_shipped().values() for member in one}
    return frozenset(code for code in codes if any(map(str.isdigit, code)) and len(code) > 3)


def find_in_text(text: str) -> Iterator[tuple[int, str]]:
    """Line and code, of the codes that our value sets list."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in WORDS.findall(line):
            if word in listed_codes() and not (word.isdigit() and len(word) < 5):
                yield number, f"code {word}"


def find_in_python(text: str) -> Iterator[tuple[int, str]]:
    """Line and what stands there: a literal of the form of a code, a measured amount, a number beside a clinical word.

    Docstrings and comments explain and decide nothing.
    """
    tree = ast.parse(text)
    lines = text.splitlines()
    docstrings = set(map(id, read_docstrings(tree)))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings or isinstance(node.value, bool):
            continue
        if isinstance(node.value, str):
            yield from ((node.lineno, f"code {code}") for code in FORMS.findall(node.value))
            yield from ((node.lineno, f"amount {found[0]}") for found in MEASURED.finditer(node.value))
        elif isinstance(node.value, int | float) and node.value not in TRIVIAL:
            if FORMS.fullmatch(str(node.value)) and not is_size(node.value):
                yield node.lineno, f"code {node.value}"
            elif CLINICAL.search(lines[node.lineno - 1].partition("  #")[0]):
                yield node.lineno, f"number {node.value}"


def is_size(number: float) -> bool:
    """A power of two, or round; codes that our value sets list are found all the same, by `find_in_text`."""
    return number % 100 == 0 or (isinstance(number, int) and number & (number - 1) == 0)


def read_docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def find_strays(root: Path) -> list[str]:
    """Where a clinical number or code stands outside `clinical/`, what ALLOWED lists left out."""
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if not path.is_file() or path.suffix not in READ or name.parts[0] == "clinical" or NOT_OURS & set(name.parts):
            continue
        text = path.read_text(encoding="utf-8")
        strays = [*find_in_text(text), *(find_in_python(text) if path.suffix == ".py" else ())]
        lines = text.splitlines()
        found += [
            f"{name} line {number}: {what}: {lines[number - 1].strip()}"[:200]
            for number, what in sorted(set(strays))
            if not any(str(name).startswith(start) and part in lines[number - 1] for start, part in ALLOWED)
        ]
    return found


def test_no_clinical_number_or_code_stands_outside_the_clinical_package() -> None:
    found = find_strays(ROOT)
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(("start", "part"), ALLOWED)
def test_every_exception_is_still_needed(start: str, part: str) -> None:
    assert any(part in path.read_text(encoding="utf-8") for path in ROOT.glob(f"{start}*") if path.suffix == ".py")


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        pytest.param("cards.py", 'FERRITIN = "2276-4"\n', id="LOINC code"),
        pytest.param("cards.py", 'RLS = "32914008"\n', id="SNOMED CT code"),
        pytest.param("cards.py", "RLS = 32914008\n", id="SNOMED CT code as a number"),
        pytest.param("cards.py", 'INFUSION = ("J1439",)\n', id="HCPCS code"),
        pytest.param("cards.py", 'IS_RLS = code == "G25.81"\n', id="ICD-10-CM code"),
        pytest.param("web/templates/card.html", "<b>2276-4</b>\n", id="LOINC code on a page"),
        pytest.param("cards.py", "LOW = ferritin <= 75\n", id="cut-off of ferritin"),
        pytest.param("cards.py", "STALE_DAYS = 90\n", id="age of a result"),
        pytest.param("cards.py", "limit = weight * 15\n", id="dose by weight"),
        pytest.param("cards.py", 'TEXT = "at most 1000 mg per dose"\n', id="dose in a sentence"),
        pytest.param("cards.py", 'TEXT = f"{name}: below 75 ng/mL"\n', id="cut-off in a sentence"),
        pytest.param("cards.py", 'TEXT = "TSAT below 20 %"\n', id="per cent in a sentence"),
        pytest.param("cards.py", 'TEXT = "not before 28 days"\n', id="days in a sentence"),
        pytest.param("cards.py", 'TEXT = "an 8-week wait"\n', id="weeks in a sentence"),
    ],
)
def test_a_planted_number_or_code_is_found(tmp_path: Path, name: str, planted: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(planted, encoding="utf-8")
    assert find_strays(tmp_path)


@pytest.mark.parametrize(
    "innocent",
    [
        "from cds_service.clinical.zones import FERRITIN_ZONES\n",
        "ferritin = readings[0]\n",
        "TIMEOUT = 2.5\nSTATUS = 404\n",
        'def f() -> None:\n    """ferritin below 75 ng/mL, LOINC 2276-4."""\n',
        'RULE = "R-26a"\nROW = "CH-247"\n',
        "port = 8000  # not a dose\n",
    ],
)
def test_what_is_no_clinical_number_is_not_complained_about(tmp_path: Path, innocent: str) -> None:
    (tmp_path / "cards.py").write_text(innocent, encoding="utf-8")
    assert [line for line in find_strays(tmp_path) if "2276-4" not in line] == []


def test_clinical_itself_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "clinical").mkdir()
    (tmp_path / "clinical" / "zones.py").write_text("LOW = ferritin <= 75\n", encoding="utf-8")
    assert find_strays(tmp_path) == []
