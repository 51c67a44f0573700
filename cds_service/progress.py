"""What is noted of one call on its way, for metrics, log and Server-Timing: time by stage, and how data were had."""

from time import perf_counter

PARSE, FETCH, READ, DECIDE, RENDER = STAGES = ("parse", "fetch", "read", "decide", "render")
FETCHED = "fetched"  # how a prefetch key was settled that was not supplied and could be had


class Progress:
    """Filled while a call is answered, also by one that fails. No value of a patient.

    Mutable, and with plain attributes: it is on the path of every call.
    """

    __slots__ = ("_last", "cards", "conclusions", "failures", "seconds", "settled")

    def __init__(self, began: float | None = None) -> None:
        """`began`: when the first stage did, on `perf_counter`."""
        self._last = perf_counter() if began is None else began
        self.seconds: dict[str, float] = {}  # by stage
        self.settled: dict[str, str] = {}  # prefetch key to how it was settled
        self.failures: list[str] = []  # why queries to the FHIR server brought nothing, or not all
        self.conclusions: tuple[tuple[str, str], ...] = ()  # of each evaluated order, with the rule that gave the class
        self.cards: tuple[str, ...] = ()  # their topics

    def finish(self, stage: str) -> None:
        """All time since the last stage ended was this one's; a stage may come up several times."""
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def restart(self) -> None:
        """What went before belongs to no stage."""
        self._last = perf_counter()

    def server_timing(self) -> str:
        """The value of the header (W3C Server Timing), in milliseconds."""
        return ", ".join(f"{name};dur={self.seconds.get(name, 0.0) * 1000:.2f}" for name in STAGES)
