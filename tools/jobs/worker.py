"""The worker of a process: claims jobs, has them handled by its threads, and keeps their leases until they are done."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from datetime import datetime, timedelta

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools.jobs.arrivals import Arrivals
from triagebook.tools.log import log_event
from triagebook.tools.periodic import PeriodicThread
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Store
from triagebook.tools.store.jobs import BATCH, Job, NewJob
from triagebook.tools.store.leases import Lease, hold_lease

LEASE = timedelta(seconds=10)
CLAIM_S = 3.0
MOST_HELD = 200
BUSY_S = 5
Continue = Callable[[], None]
Handler = Callable[[Job], Continue | None]


@dataclass
class JobWorker:
    """The handlers of one process, by kind of job. `owner` names the process in the leases.

    A handler does what is quick and returns the rest, which a slow thread does; None: it is done. An expected error ends the
    job; a TrustError (the database is away) puts it off. A handler may be called again for a job whose worker died.
    """

    store: Store
    clock: Callable[[], datetime]
    owner: str
    handlers: Mapping[str, Handler]
    on_defect: Callable[[Job], None] = lambda _job: None  # told of a bug, so that whoever waits can be told
    on_given_up: Callable[[Job], None] = lambda _job: None  # told of a job that nobody will do any more
    quick_threads: int = 4
    slow_threads: int = 16
    most_held: int = MOST_HELD
    lease: timedelta = LEASE
    claim_s: float = CLAIM_S
    _held: dict[int, Job] = field(default_factory=dict)  # claimed here and not done
    _running: set[int] = field(default_factory=set)  # of these, what a thread is doing now
    _is_stopping: bool = False  # no thread begins anything more
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _renewal: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals(self._insert)
        self._quick = ThreadPoolExecutor(self.quick_threads, "job-quick")
        self._slow = ThreadPoolExecutor(self.slow_threads, "job-slow")
        self._claims = PeriodicThread("job-claims", self._claim)

    def start(self) -> None:
        """Claim what is there now, and look again from time to time."""
        self._claims.every_s = self.claim_s
        self._renewal.enter_context(hold_lease(self._renew, self.lease))
        self._claims.start()

    def accept(self, new: NewJob) -> bool:
        """Store a job and have it done. False: it was stored before. UsageError `busy`; TrustError: it is not stored."""
        if len(self._held) >= self.most_held:
            raise UsageError(f"busy, retry in {BUSY_S} s: {len(self._held)} requests are waiting", reason="busy")
        stored = self._arrivals.add([new])
        for job in stored:
            if job.tries:
                self._submit(job)
            else:
                self._claims.wake()
        return bool(stored)

    def accept_batch(self, new: list[NewJob]) -> int:
        """Store jobs with order keys by one commit, shared with other deliveries, and have them done in time; how many were new.

        However many wait, they are stored: nothing is held in memory for them before they are claimed. TrustError: none is stored.
        """
        stored = self._arrivals.add(new)
        if stored:
            self._claims.wake()
        return len(stored)

    def stop(self, patience_s: float = 10.0) -> None:
        """Begin nothing more, let what runs end, and leave the rest to other workers."""
        with self._changed:
            self._is_stopping = True
        self._claims.end()
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)
        self._claims.stop(patience_s)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, patience_s)
            running = set(self._running)
        with self.store.write("jobs.release") as transaction:
            jobs.release(transaction, self.owner, running)
        self._renewal.close()

    def _insert(self, new: list[NewJob]) -> list[Job]:
        now = self.clock()
        with self.store.write("jobs.add", is_urgent=True) as transaction:
            return jobs.add(transaction, new, now, Lease(self.owner, now + self.lease))

    def _claim(self) -> bool:
        """Claim what no worker has, and close and drop what is over. True: there may be more."""
        with self._changed:
            held = set(self._held)
        now, room = self.clock(), min(BATCH, self.most_held - len(held))
        lease = Lease(self.owner, now + self.lease)
        with self.store.read() as transaction:
            if not jobs.is_waiting(transaction, self.handlers, now):
                return False
        with self.store.write("jobs.claim") as transaction:
            if held:  # what is being done here and was not renewed in time is neither taken over from itself nor given up
                jobs.renew(transaction, held, lease)
            lost = jobs.give_up(transaction, self.handlers, now)
            claimed = jobs.claim(transaction, self.handlers, lease, now, room) if room > 0 else []
            jobs.forget(transaction, now)
        for job in lost:
            log_event("job.given_up", kind=job.kind, job=job.number, tries=job.tries)
            if job.kind in self.handlers:
                self._tell(self.on_given_up, job)
        for job in claimed:
            if job.tries > 1:
                log_event("job.taken_over", kind=job.kind, job=job.number, tries=job.tries)
            self._submit(job)
        return bool(claimed)

    def _renew(self) -> bool:
        with self._changed:
            held = set(self._held)
        if held:
            with self.store.write("jobs.renew", is_synced=False) as transaction:
                jobs.renew(transaction, held, Lease(self.owner, self.clock() + self.lease))
        return True

    def _submit(self, job: Job) -> None:
        with self._changed:
            if job.number in self._held:  # its lease expired while it is being done here
                return
            self._held[job.number] = job
        began = time.monotonic()
        log_event("job.started", kind=job.kind, job=job.number)
        self._hand_to(self._quick, job, lambda: self.handlers[job.kind](job), began)

    def _hand_to(self, pool: ThreadPoolExecutor, job: Job, step: Callable[[], Continue | None], began: float) -> None:
        try:
            pool.submit(self._do, job, step, began)
        except RuntimeError:  # stopping: another worker takes it over
            self._let_go(job)

    def _do(self, job: Job, step: Callable[[], Continue | None], began: float) -> None:
        """Do one step of a job; the next one, where there is one, is for a slow thread."""
        with self._changed:
            if self._is_stopping:  # it may have been left to another worker already
                self._held.pop(job.number, None)
                return
            self._running.add(job.number)
        rest: Continue | None = None
        is_put_off = False
        try:
            rest = step()
        except TrustError as error:
            is_put_off = True
            log_event("job.put_off", kind=job.kind, job=job.number, reason=error.reason, error=error)
        except TriagebookError as error:
            log_event("job.refused", kind=job.kind, job=job.number, reason=error.reason, error=error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the others go on
            log_event("job.defect", kind=job.kind, job=job.number, error=error)
            self._tell(self.on_defect, job)
        if rest is not None:
            with self._changed:
                self._running.discard(job.number)
            self._hand_to(self._slow, job, rest, began)
            return
        self._close(job, is_put_off=is_put_off)
        log_event("job.ended", kind=job.kind, job=job.number, ms=(time.monotonic() - began) * 1000)
        self._let_go(job)

    def _tell(self, whom: Callable[[Job], None], job: Job) -> None:
        try:
            whom(job)
        except Exception as error:  # noqa: BLE001 - it may fail for the same reason as the job
            log_event("job.defect", kind=job.kind, job=job.number, error=error)

    def _close(self, job: Job, *, is_put_off: bool) -> None:
        close = jobs.retry_later if is_put_off else jobs.finish
        try:
            with self.store.write(
                "jobs.finish", is_synced=False
            ) as transaction:  # lost in a crash of the machine, it is done again
                is_ours = close(transaction, job, self.owner, self.clock())
        except TrustError as error:  # its lease expires, and it is done again
            log_event("job.unrecorded", kind=job.kind, job=job.number, error=error)
            return
        if not is_ours:
            log_event("job.lost", kind=job.kind, job=job.number)
        elif job.order_key:
            self._claims.wake()

    def _let_go(self, job: Job) -> None:
        with self._changed:
            self._held.pop(job.number, None)
            self._running.discard(job.number)
            self._changed.notify_all()
