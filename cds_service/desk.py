"""One admitted call from question to record: answers it, keeps the row, and withholds the cards in silent mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from time import perf_counter

from cryptography.fernet import Fernet

from cds_service import services
from cds_service.admission import SECONDS_TO_COME_BACK, Admit, Admitted
from cds_service.assembly import Engine
from cds_service.discovery import Service
from cds_service.errors import CdsError, Overloaded, ServiceFault
from cds_service.feedback import Encrypt, Item, feedback_rows
from cds_service.hooks import PATIENT_VIEW, HookRequest
from cds_service.progress import Progress
from cds_service.records import call_row, is_live, pseudonym
from cds_service.services import NOTHING, Reply
from cds_service.settings import Settings
from cds_service.store import Store, StoreDown


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted and parsed call."""

    key: str  # in the store
    began: float  # perf_counter
    admitted: Admitted
    service: Service
    request: HookRequest
    traceparent: str = ""  # W3C trace context of the call, passed on to the FHIR server
    request_id: str = ""  # passed on, too
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class Shown:
    """The reply as the client gets it, and what was decided."""

    reply: Reply
    decided: Reply

    @property
    def is_silent(self) -> bool:
        return self.reply is not self.decided


class Desk:
    """What is behind the routes: the door, the clock, and where things are kept."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        admit: Admit,
        store: Store | None,
        now: Callable[[], datetime],
        today: Callable[[tzinfo | None], date],
    ) -> None:
        """Without a store calls are answered and not recorded; feedback is refused for later."""
        self.admit = admit
        self._engine = engine
        self._store = store
        self._now = now
        self._today = today
        self._knowledge = engine.shop.stamp.version
        key, comment_key = settings.pseudonym_key, settings.comment_key
        self._pseudonym_key = key.get_secret_value().encode() if key else None
        self._keeps_pseudonym = settings.keep_pseudonym
        self._encrypt = _encryption(comment_key.get_secret_value()) if comment_key else None

    def answer(self, call: Call) -> Shown:
        """Answers and records, also what fails. Silent mode withholds cards only: an error is the client's to see."""
        client, request = call.admitted.client, call.request
        name = pseudonym(self._pseudonym_key, client.name, request.context.patient_id) if self._pseudonym_key else None
        is_shown = is_live(client.live_share, name)
        decided, outcome = NOTHING, ServiceFault.issue_code
        try:
            day = self._today(client.zone)
            decided = services.answer(
                self._engine,
                call.service,
                request,
                client,
                day,
                call.traceparent,
                self._find_overrides(call, name),
                call.progress,
                call.request_id,
            )
            outcome = decided.outcome
            call.progress.conclusions = _conclusions(decided)
            call.progress.cards = _topics(decided)
        except CdsError as refusal:
            outcome = refusal.issue_code
            raise
        finally:
            self._record(call, decided, outcome, name if self._keeps_pseudonym else None, is_shown)
        return Shown(decided if is_shown else NOTHING, decided)

    def _find_overrides(self, call: Call, name: str | None) -> services.FindOverrides:
        """R-50c, R-50d: without pseudonyms or with the store away nothing stays away, and the call is answered."""
        store, client = self._store, call.admitted.client
        if call.request.hook != PATIENT_VIEW or store is None or name is None or not self._keeps_pseudonym:
            return dict

        def find() -> Mapping[str, date]:
            try:
                found = store.find_overrides(client.name, call.service.id, name)
            except StoreDown:  # the store has said so in the log
                return {}
            return {topic: moment.astimezone(client.zone).date() for topic, moment in found.items()}

        return find

    def _record(self, call: Call, decided: Reply, outcome: str, name: str | None, is_shown: bool) -> None:
        if self._store is None:
            return
        row = call_row(
            call.key,
            self._now(),
            call.admitted.client.name,
            call.admitted.tenant,
            call.service.id,
            call.request,
            outcome,
            shown=is_shown,
            duration_ms=(perf_counter() - call.began) * 1000,
            knowledge=self._knowledge,
            patient_pseudonym=name,
            cards=decided.cards,
            decisions=decided.decisions,
            view=decided.view,
        )
        self._store.record_call(row)

    def keep_feedback(self, items: tuple[Item, ...], admitted: Admitted, service_id: str) -> int:
        """How many items are new; all are durable on return. Raises `Overloaded`: the client sends them again."""
        rows = feedback_rows(items, admitted.client.name, service_id, self._now(), self._encrypt)
        try:
            if self._store is None:
                raise StoreDown("no tables")
            return self._store.record_feedback(rows)
        except StoreDown as wrong:
            raise Overloaded("the feedback could not be kept; send it again", SECONDS_TO_COME_BACK) from wrong


def _conclusions(decided: Reply) -> tuple[tuple[str, str], ...]:
    """Class and the rule that gave it, of each evaluated order."""
    return tuple((str(one.conclusion), one.verdicts[0][0].id if one.verdicts else "none") for one in decided.decisions)


def _topics(decided: Reply) -> tuple[str, ...]:
    return tuple(card["source"].get("topic", {}).get("code", "none") for card in decided.cards)


def _encryption(key: str) -> Encrypt:
    box = Fernet(key)
    return lambda comment: box.encrypt(comment.encode())
