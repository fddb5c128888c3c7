"""From Slack's hands to a worker: kept in the database first, acknowledged next, worked on once, whoever dies meanwhile."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from datetime import datetime, timedelta

from triagebook.bot.slack.inbound.delivery import Delivery, load
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools.log import log_event
from triagebook.tools.store import chat_deliveries
from triagebook.tools.store.chat_deliveries import Stored
from triagebook.tools.store.database import Store

LEASE = timedelta(seconds=10)
RENEW_S = 3.0
QUICK, SLOW = 6, 64  # workers for clicks and modals; for what waits for hosts
MOST_WAITING = 200
BUSY_S = 5
Continue = Callable[[], None]
Work = Callable[[Delivery], Continue | None]


@dataclass
class _Entry:
    delivery: Delivery
    is_new: bool = False
    is_kept: bool = False
    problem: TrustError | None = None


@dataclass
class Inbox:
    """The deliveries of one replica. `owner` names it in the leases."""

    store: Store
    clock: Callable[[], datetime]
    owner: str
    work: Work
    failed: Callable[[Delivery], None] = lambda _delivery: None  # told of a defect, so that the person is not left waiting
    most_waiting: int = MOST_WAITING
    lease: timedelta = LEASE
    renew_s: float = RENEW_S
    _pending: list[_Entry] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _flushing: threading.Lock = field(default_factory=threading.Lock)
    _running: set[str] = field(default_factory=set)  # accepted here and not done
    _working: set[str] = field(default_factory=set)  # of these, what a worker is at
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._quick = ThreadPoolExecutor(QUICK, "slack-quick")
        self._slow = ThreadPoolExecutor(SLOW, "slack-slow")
        self._keeper = threading.Thread(target=self._keep, name="slack-inbox", daemon=True)

    def start(self) -> None:
        """Take over what others left, now and from time to time."""
        self._keeper.start()

    def accept(self, delivery: Delivery) -> bool:
        """Keep it and have it worked on. False: it was here before. UsageError `busy`; TrustError: not kept, not acknowledged."""
        with self._guard:
            if len(self._running) >= self.most_waiting:
                raise UsageError(f"busy, retry in {BUSY_S} s: {len(self._running)} requests are waiting", reason="busy")
            entry = _Entry(delivery)
            self._pending.append(entry)
        with self._flushing:
            if not entry.is_kept:
                self._flush()
        if entry.problem is not None or not entry.is_kept:
            raise entry.problem or TrustError("a delivery could not be kept", reason="database")
        if entry.is_new:
            self._submit(delivery)
        return entry.is_new

    def stop(self, patience_s: float = 10.0) -> None:
        """Begin nothing more, let what runs end, leave the rest to others."""
        self._stopping.set()
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)
        self._keeper.join(patience_s)
        deadline = time.monotonic() + patience_s
        while self._working and time.monotonic() < deadline:
            time.sleep(0.02)
        with self.store.write("chat.release") as transaction:
            chat_deliveries.release(transaction, self.owner, self.clock(), sorted(self._working))

    def _flush(self) -> None:
        """One transaction for everybody who waits: an insert costs a sync of the disk, however many rows it has."""
        with self._guard:
            entries, self._pending = self._pending, []
        stored = {entry.delivery.key: entry.delivery for entry in entries}
        items = [Stored(key, delivery.kind, delivery.dump()) for key, delivery in stored.items()]
        try:
            with self.store.write("chat.accept", is_urgent=True) as transaction:
                new = chat_deliveries.add(transaction, items, self.owner, self.clock(), self.lease)
        except TrustError as error:
            for entry in entries:
                entry.problem, entry.is_kept = error, True
            return
        seen: set[str] = set()
        for entry in entries:
            key = entry.delivery.key
            entry.is_new, entry.is_kept = key in new and key not in seen, True
            seen.add(key)

    def _submit(self, delivery: Delivery) -> None:
        with self._guard:
            self._running.add(delivery.key)
        self._hand_to(self._quick, delivery, lambda: self.work(delivery))

    def _hand_to(self, pool: ThreadPoolExecutor, delivery: Delivery, step: Callable[[], Continue | None]) -> None:
        try:
            pool.submit(self._step, delivery, step)
        except RuntimeError:  # stopping: another takes it over
            with self._guard:
                self._running.discard(delivery.key)

    def _step(self, delivery: Delivery, step: Callable[[], Continue | None]) -> None:
        """One step of the work; the next one, where there is one, is a slow worker's."""
        following: Continue | None = None
        is_done = True
        with self._guard:
            self._working.add(delivery.key)
        try:
            following = step()
        except TrustError as error:
            is_done = False
            _log_end(delivery, "again", error)
        except TriagebookError as error:
            _log_end(delivery, "refused", error)
        except Exception as error:  # noqa: BLE001 - a defect ends one delivery, not the others
            _log_end(delivery, "failed", error)
            self._say_so(delivery)
        else:
            _log_end(delivery, "ok" if following is None else "goes_on")
        if following is not None:
            with self._guard:
                self._working.discard(delivery.key)
            self._hand_to(self._slow, delivery, following)
            return
        if is_done:
            self._finish(delivery.key)
        with self._guard:
            self._working.discard(delivery.key)
            self._running.discard(delivery.key)

    def _say_so(self, delivery: Delivery) -> None:
        with contextlib.suppress(TrustError):
            self.failed(delivery)

    def _finish(self, key: str) -> None:
        try:
            with self.store.write("chat.finish") as transaction:
                chat_deliveries.finish(transaction, key, self.owner, self.clock())
        except TrustError as error:
            log_event("slack.database", says=error)

    def _keep(self) -> None:
        while True:
            try:
                now = self.clock()
                with self.store.write("chat.keep") as transaction:
                    with self._guard:
                        held = sorted(self._running)
                    if held:
                        chat_deliveries.renew(transaction, held, self.owner, now, self.lease)
                    found = chat_deliveries.take_over(transaction, self.owner, now, self.lease)
                    chat_deliveries.forget(transaction, now)
                for item in found:
                    self._submit(load(item.body))
            except TrustError as error:
                log_event("slack.database", says=error)
            if self._stopping.wait(self.renew_s):
                return


def _log_end(delivery: Delivery, outcome: str, error: Exception | None = None) -> None:
    log_event(
        "slack.delivery" if outcome != "failed" else "slack.delivery_failed",
        kind=delivery.kind,
        name=delivery.name,
        account=str(delivery.actor.account),
        in_channel=delivery.channel,
        outcome=outcome,
        reason=getattr(error, "reason", None),
        error=error,
    )
