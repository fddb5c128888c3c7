"""Slack's deliveries as jobs: stored before they are acknowledged, then done by a worker of this server or of another one."""

from collections.abc import Callable
from datetime import datetime, timedelta

from triagebook.bot.slack.inbound.delivery import Delivery, load
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError
from triagebook.tools.jobs.worker import Continue, JobWorker
from triagebook.tools.log import log_event
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Store
from triagebook.tools.store.jobs import Job, NewJob

KIND = "slack"
LIFE = timedelta(minutes=10)  # Slack repeats what was not acknowledged for some minutes; nobody waits longer for an answer
QUICK, SLOW = 6, 64  # threads for clicks and modals; for what waits for hosts
Work = Callable[[Delivery], Continue | None]


@dataclass(frozen=True)
class Inbox:
    """The deliveries of one server, and the worker that does them."""

    worker: JobWorker

    def accept(self, delivery: Delivery) -> bool:
        """Store a delivery and have it worked on. False: it came before. UsageError `busy`; TrustError: do not acknowledge it."""
        new = NewJob(KIND, delivery.key, delivery.dump(), begin_within=LIFE, remember_for=LIFE)
        return self.worker.accept(new)


def build(store: Store, clock: Callable[[], datetime], owner: str, work: Work, on_defect: Callable[[Delivery], None]) -> Inbox:
    """An inbox, not started. `owner` names this server among several on one database."""
    worker = JobWorker(
        jobs.store_of_arrivals(store),
        clock,
        owner,
        {KIND: lambda job: _handle(job, work)},
        on_defect=lambda job: on_defect(load(job.body)),
        quick_threads=QUICK,
        slow_threads=SLOW,
    )
    return Inbox(worker)


def _handle(job: Job, work: Work) -> Continue | None:
    delivery = load(job.body)
    return _do(delivery, lambda: work(delivery))


def _do(delivery: Delivery, step: Callable[[], Continue | None]) -> Continue | None:
    """Do one step of the work and log how it ended; the rest, where there is some, is logged as well."""
    try:
        rest = step()
    except Exception as error:
        _log_end(delivery, _outcome_of(error), error)
        raise
    _log_end(delivery, "ok" if rest is None else "goes_on")
    return None if rest is None else lambda: _do_rest(delivery, rest)


def _do_rest(delivery: Delivery, rest: Continue) -> None:
    _do(delivery, rest)


def _outcome_of(error: Exception) -> str:
    if isinstance(error, TrustError):
        return "again"
    return "refused" if isinstance(error, TriagebookError) else "failed"


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
