"""Opens the store and makes the alert-burden report of a span of days at the site."""

from datetime import date, datetime, time, timedelta

from cds_service import assembly
from cds_service.errors import ConfigurationError
from cds_service.reports.burden import Burden, measure
from cds_service.settings import Settings
from cds_service.store import StoreDown, is_migrated, open_database
from cds_service.store.card_history import count_strays, read_calls, read_cards


def build(settings: Settings, first: date, last: date, period_days: int) -> tuple[Burden, list[str]]:
    """The report, both days included, and notes on the knowledge. Raises `ConfigurationError` without a store."""
    since, until = _midnight(settings, first), _midnight(settings, last + timedelta(days=1))
    engine = open_database(settings.database_url)
    try:
        if not is_migrated(engine):
            raise ConfigurationError("CDS_DATABASE_URL: the tables are missing or old; run `cds-service migrate` once")
        burden = measure(
            read_calls(engine, since, until),
            read_cards(engine, since, until),
            since,
            until,
            period_days,
            count_strays(engine, since, until),
        )
    except StoreDown as wrong:
        raise ConfigurationError(f"CDS_DATABASE_URL: the report cannot be made: {wrong}") from None
    finally:
        engine.dispose()
    return burden, _notes(settings, last)


def _midnight(settings: Settings, day: date) -> datetime:
    """R-08a: the day begins when it does at the site."""
    return datetime.combine(day, time()).replace(tzinfo=settings.zone).astimezone()


def _notes(settings: Settings, as_of: date) -> list[str]:
    engine = assembly.build_engine(settings)
    overdue = [f"Overdue: {one}." for one in assembly.overdue_reviews(engine, as_of)]
    return [f"Knowledge now: {engine.shop.stamp.text.removeprefix('Knowledge ')}.", *overdue]
