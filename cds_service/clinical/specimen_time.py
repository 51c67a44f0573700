"""Whether the day on which a specimen was drawn lets its result count (R-08, R-08a, R-09, R-09a, R-28b, R-41)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

from cds_service.clinical.dates import Day
from cds_service.clinical.given_doses import Dose
from cds_service.clinical.reading import SetAsideKind, show_day

BLACKOUT_DAYS = 28  # days 0 to 27 after a dose cannot be interpreted
SETTLED_DAYS = 56  # from this day on no caution
SUPERSEDING_MG = Decimal(500)  # R-28b: more than this since the draw


@dataclass(frozen=True, slots=True)
class Timing:
    """`kind` is None for a result that is in time; then `caution` may say how far it can be trusted."""

    kind: SetAsideKind | None = None
    why: str = ""
    caution: str = ""


IN_TIME = Timing()
JudgeDraw = Callable[[date, time | None], Timing]


def judge_day(day: Day | None, as_of: date, longest: int, judge: JudgeDraw) -> Timing:
    """Ask `judge` about a specimen day; a partial date counts only if all its days give the same answer (R-08a).

    `longest` is the length in days of the window `judge` allows: a longer stretch can never lie inside it.
    """
    if day is None:
        return Timing(SetAsideKind.UNDATED, "has no specimen date")
    if day.first > as_of:
        return Timing(SetAsideKind.FUTURE, "is dated after today")
    if day.is_exact:
        return judge(day.first, day.clock)
    if day.last > as_of:
        return _imprecise(day)
    newest = judge(day.last, None)
    if newest.kind is SetAsideKind.STALE:
        return newest  # every earlier day is at least as old
    if (day.last - day.first).days > longest:
        return _imprecise(day)
    return _judge_each(day, judge)


def _judge_each(day: Day, judge: JudgeDraw) -> Timing:
    each = [judge(date.fromordinal(number), None) for number in range(day.first.toordinal(), day.last.toordinal() + 1)]
    if len({timing.kind for timing in each}) > 1:
        return _imprecise(day)
    return next((timing for timing in each if timing.caution), each[-1])


def _imprecise(day: Day) -> Timing:
    return Timing(SetAsideKind.IMPRECISE, f"is dated {show_day(day)} only, too vague to tell whether it counts")


def judge_age(on: date, as_of: date, limit: int) -> Timing:
    """R-08: `limit` days old still counts."""
    age = (as_of - on).days
    if age > limit:
        return Timing(SetAsideKind.STALE, f"is {age} days old (limit {limit})")
    return IN_TIME


@dataclass(frozen=True, slots=True)
class IronClocks:
    """The doses of parenteral iron that bear on ferritin, iron and TSAT, oldest first."""

    as_of: date
    limit: int  # days, R-08
    doses: tuple[Dose, ...] = ()  # R-09, R-09a
    small_doses: tuple[Dose, ...] = ()  # R-28b: sessional doses in dialysis, which start no clock
    course_start: Dose | None = None  # first dose of the course whose next dose is ordered


def judge_iron_draw(clocks: IronClocks, on: date, clock: time | None) -> Timing:
    """R-09 before R-08 before R-09a: a result that shows circulating product is never evidence, however old."""
    start = clocks.course_start
    if start is None and not clocks.doses and not clocks.small_doses:  # as nearly always: no iron on record
        return judge_age(on, clocks.as_of, clocks.limit)
    if start is not None and is_drawn_before(on, clock, start):
        return _judge_before_course(clocks, start, on, clock)
    earlier = [dose for dose in clocks.doses if not is_drawn_before(on, clock, dose)]
    if earlier and (on - earlier[-1].day).days < BLACKOUT_DAYS:
        return _blackout(on, earlier[-1])
    aged = judge_age(on, clocks.as_of, clocks.limit)
    if aged.kind:
        return aged
    if len(earlier) < len(clocks.doses):
        return _superseded(clocks.doses[-1])
    return _judge_small_doses(clocks, earlier, on, clock)


def _judge_before_course(clocks: IronClocks, start: Dose, on: date, clock: time | None) -> Timing:
    """R-41: seen from the first dose of the course, as if that dose had not been given yet."""
    before = IronClocks(
        as_of=start.day,
        limit=clocks.limit,
        doses=tuple(dose for dose in clocks.doses if dose.day < start.day),
        small_doses=tuple(dose for dose in clocks.small_doses if dose.day < start.day),
    )
    timing = judge_iron_draw(before, on, clock)
    if timing.kind is SetAsideKind.STALE:
        days = (start.day - on).days
        why = f"was drawn {days} days before the first dose of this course on {start.day} (limit {clocks.limit})"
        return Timing(SetAsideKind.STALE, why)
    return timing


def _judge_small_doses(clocks: IronClocks, earlier: list[Dose], on: date, clock: time | None) -> Timing:
    """What is left when no clock forbids the result: the 500 mg of R-28b, and the cautions."""
    since = [dose for dose in clocks.small_doses if _compare(on, clock, dose) <= 0]  # same day, order unknown: since
    given = sum((dose.least_mg for dose in since), Decimal(0))
    if given > SUPERSEDING_MG:
        why = (
            f"was drawn before {given.normalize():f} mg of IV iron given since (limit {SUPERSEDING_MG} mg in dialysis)"
        )
        return Timing(SetAsideKind.SUPERSEDED, why)
    cautions = []
    if earlier and (days := (on - earlier[-1].day).days) < SETTLED_DAYS:
        cautions.append(
            f"drawn {days} days after IV iron ({earlier[-1].day}), fully settled only from day {SETTLED_DAYS}"
        )
    small = [dose for dose in clocks.small_doses if _compare(on, clock, dose) >= 0]
    if small and (days := (on - small[-1].day).days) < SETTLED_DAYS:
        cautions.append(f"drawn {days} days after a small dose of IV iron ({small[-1].day}), which can raise it")
    return Timing(caution="; ".join(cautions)) if cautions else IN_TIME


def is_drawn_before(on: date, clock: time | None, dose: Dose) -> bool:
    """R-09a: on the day of the dose only if both clock times are known and the specimen came first."""
    return _compare(on, clock, dose) < 0


def is_drawn_after(on: date, clock: time | None, dose: Dose) -> bool:
    """On the day of the dose only if both clock times show it."""
    return _compare(on, clock, dose) > 0


def _compare(on: date, clock: time | None, dose: Dose) -> int:
    """-1 drawn before the dose, 1 after it, 0 on its day with the order unknown."""
    if on != dose.day:
        return -1 if on < dose.day else 1
    if clock is None or dose.clock is None or not dose.is_exact_day or clock == dose.clock:
        return 0
    return -1 if clock < dose.clock else 1


def _blackout(on: date, dose: Dose) -> Timing:
    days = (on - dose.day).days
    why = f"was drawn {days} days after IV iron on {dose.day} (not interpretable before day {BLACKOUT_DAYS})"
    return Timing(SetAsideKind.BLACKOUT, why)


def _superseded(dose: Dose) -> Timing:
    return Timing(SetAsideKind.SUPERSEDED, f"was drawn before the IV iron of {dose.day}")
