"""What a finished run says in numbers, counted by DuckDB (extra `replay`), which also writes Parquet."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.errors import ConfigurationError
from cds_service.replay.rows import ORDER, SEPARATOR, WHAT_IF
from cds_service.replay.run import DECISION_FILE, FOLLOW_UP_FILE, Run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Counted = list[tuple[str, int]]
# Columns that are no text.
_TYPES = {
    "day": "DATE", "dose_mg": "DOUBLE", "is_warning": "BOOLEAN", "is_capped": "BOOLEAN", "days_since_iron": "INTEGER",
    "ferritin_day": "DATE", "tsat_day": "DATE", "hemoglobin_day": "DATE", "gaps": "INTEGER", "stand_ins": "INTEGER",
    "day_0": "DATE", "doses": "INTEGER", "total_mg": "DOUBLE", "is_adequate": "BOOLEAN", "window_from": "DATE",
    "window_to": "DATE", "is_arranged": "BOOLEAN", "has_returned": "BOOLEAN", "next_course_after_days": "INTEGER",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of decisions. "Spoken to" are orders that would have got a card: those in scope."""

    conclusions: dict[str, Counted]  # by kind of row
    months: list[tuple[str, str, int]]  # month, conclusion, orders
    missing: list[tuple[str, str, int, int]]  # analyte, cause, orders in scope, of those insufficient data
    rules: Counted  # orders in scope in which the rule spoke
    deciding: Counted
    burden: list[tuple[int, int, int]]  # cards in a prescriber's month, such months, of those months' cards warnings
    prescribers: int
    values: dict[str, list[tuple[int, int]]]  # analyte: lower edge of the bin, orders
    relations: Counted  # how the order stood to iron already given
    contacts: list[tuple[str, str, int]]  # contact, state, courses
    responses: Counted  # at the 6-month contact
    intervals: list[tuple[int, int]]  # days from one course to the next, courses
    courses: int
    products: Counted


def open_tables(run: Run) -> "DuckDBPyConnection":
    """Views `decisions` and `follow_up`. Raises `ConfigurationError` without DuckDB."""
    connection = _connect()
    for name in (DECISION_FILE, FOLLOW_UP_FILE):
        source = _parquet(run.file(name)) if run.is_parquet else _csv(connection, run.file(name))
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")  # noqa: S608  # names of ours
    return connection


def write_parquet(table: Path, parquet: Path) -> None:
    """The CSV file as Parquet in its place, columns typed, rows in the same order."""
    connection = _connect()
    source = _csv(connection, table)
    target = _quote(parquet)
    connection.execute(f"COPY (SELECT * FROM {source}) TO {target} (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
    connection.close()
    table.unlink()


def _connect() -> "DuckDBPyConnection":
    try:
        import duckdb
    except ImportError:
        words = "Parquet and the report need DuckDB: pip install duckdb; CSV rows need nothing"
        raise ConfigurationError(words) from None
    return duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})


def _quote(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _parquet(path: Path) -> str:
    return f"read_parquet({_quote(path)})"


def _csv(connection: "DuckDBPyConnection", path: Path) -> str:
    """A sub-select with typed columns."""
    read = f"read_csv({_quote(path)}, header = true, all_varchar = true, nullstr = '', delim = ',', quote = '\"')"
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]  # noqa: S608
    typed = ", ".join(f"CAST({one} AS {_TYPES[one]}) AS {one}" if one in _TYPES else one for one in columns)
    return f"(SELECT {typed} FROM {read})"  # noqa: S608


# ---------------------------------------------------------------------------------------------------------- the counts

_VIEWS = """
    CREATE VIEW ordered AS SELECT *, strftime(day, '%Y-%m') AS month FROM decisions WHERE kind = 'order';
    CREATE VIEW spoken AS SELECT * FROM ordered WHERE conclusion <> 'out-of-scope';
    CREATE VIEW readings AS
        SELECT 'ferritin' AS analyte, 25 AS width, ferritin_ng_per_ml AS value, ferritin_missing AS cause, conclusion
        FROM spoken UNION ALL
        SELECT 'tsat', 5, tsat_percent, tsat_missing, conclusion FROM spoken UNION ALL
        SELECT 'hemoglobin', 1, hemoglobin_g_per_dl, hemoglobin_missing, conclusion FROM spoken;
"""
_CONCLUSIONS = "SELECT conclusion, count(*) FROM decisions WHERE kind = ? GROUP BY ALL ORDER BY 2 DESC, 1"
_MONTHS = "SELECT month, conclusion, count(*) FROM ordered GROUP BY ALL ORDER BY ALL"
_MISSING = """
    SELECT analyte, cause, count(*), count(*) FILTER (conclusion = 'insufficient-data') FROM readings
    WHERE cause IS NOT NULL GROUP BY ALL ORDER BY 1, 3 DESC, 2"""
_RULES = """
    SELECT rule, count(*) FROM (SELECT unnest(string_split(rules, ?)) AS rule FROM spoken)
    GROUP BY ALL ORDER BY 2 DESC, 1"""
_DECIDING = "SELECT decided_by, count(*) FROM ordered GROUP BY ALL ORDER BY 2 DESC, 1"
_BURDEN = """
    SELECT cards, count(*), sum(warnings)::BIGINT FROM (
        SELECT count(*) AS cards,
            count(*) FILTER (is_warning OR conclusion IN ('contraindicated', 'not-indicated')) AS warnings
        FROM spoken WHERE prescriber IS NOT NULL GROUP BY prescriber, month)
    GROUP BY ALL ORDER BY 1"""
_PRESCRIBERS = "SELECT count(DISTINCT prescriber) FROM spoken"
_VALUES = """
    SELECT (floor(TRY_CAST(value AS DOUBLE) / width) * width)::INTEGER, count(*) FROM readings
    WHERE analyte = ? AND TRY_CAST(value AS DOUBLE) IS NOT NULL GROUP BY ALL ORDER BY 1"""
_RELATIONS = "SELECT relation, count(*) FROM spoken GROUP BY ALL ORDER BY 2 DESC, 1"
_CONTACTS = "SELECT contact, state, count(*) FROM follow_up GROUP BY ALL ORDER BY ALL"
_RESPONSES = """
    SELECT response, count(*) FROM follow_up WHERE contact = 'month-6' AND response IS NOT NULL
    GROUP BY ALL ORDER BY 2 DESC, 1"""
_COURSES = """
    SELECT next_course_after_days, count(*) FROM follow_up WHERE contact = 'day-8' GROUP BY ALL ORDER BY ALL"""
_PRODUCTS = "SELECT coalesce(product, 'not named'), count(*) FROM spoken GROUP BY ALL ORDER BY 2 DESC, 1"
WIDTHS = {"ferritin": 25, "tsat": 5, "hemoglobin": 1}  # of the bins, in the unit of the column


def summarize(run: Run) -> Summary:
    """Raises `ConfigurationError` without DuckDB."""
    tables = open_tables(run)
    tables.execute(_VIEWS)

    def ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = tables.execute(query, list(values)).fetchall()
        return rows

    courses = ask(_COURSES)
    summary = Summary(
        conclusions={kind: _pairs(ask(_CONCLUSIONS, kind)) for kind in (ORDER, WHAT_IF)},
        months=[(month, conclusion, count) for month, conclusion, count in ask(_MONTHS)],
        missing=[(analyte, cause, count, of) for analyte, cause, count, of in ask(_MISSING)],
        rules=_pairs(ask(_RULES, SEPARATOR)),
        deciding=_pairs(ask(_DECIDING)),
        burden=[(cards, months, warnings) for cards, months, warnings in ask(_BURDEN)],
        prescribers=int(ask(_PRESCRIBERS)[0][0]),
        values={one: [(low, count) for low, count in ask(_VALUES, one)] for one in WIDTHS},
        relations=_pairs(ask(_RELATIONS)),
        contacts=[(contact, state, count) for contact, state, count in ask(_CONTACTS)],
        responses=_pairs(ask(_RESPONSES)),
        intervals=[(days, count) for days, count in courses if days is not None],
        courses=sum(count for _, count in courses),
        products=_pairs(ask(_PRODUCTS)),
    )
    tables.close()
    return summary


def _pairs(rows: list[tuple[Any, ...]]) -> Counted:
    return [(str(name), int(count)) for name, count in rows]
