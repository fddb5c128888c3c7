"""Durable work: a job is stored once, belongs to one worker at a time, and is done at least once, whoever dies meanwhile.

A job whose worker died is taken over when its lease has expired, a few times: after that it may be what kills the workers.
Jobs with the same order key are done one after the other, in the order they were added. A change to a host is never a job.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam, delete, or_, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store import leases
from triagebook.tools.store.database import Store, Transaction
from triagebook.tools.store.leases import Lease, Micros
from triagebook.tools.store.schema import jobs
from triagebook.tools.times import to_micros

MOST_TRIES = 3
BATCH = 50
ABANDONED = timedelta(days=1)  # then a job is closed by a worker of another kind too
BACKOFF, LONGEST_BACKOFF = timedelta(seconds=1), timedelta(minutes=1)
FILE = "jobs.db"


@dataclass(frozen=True)
class NewJob:
    """Work to be stored. `key` is the source's own name of it: the same thing sent again has the same key.

    It is begun after `begin_after` and within `begin_within` of now, or given up; a repetition is recognised for `remember_for`.
    """

    kind: str
    key: str
    body: str
    order_key: str = ""
    begin_within: timedelta = timedelta(minutes=10)
    remember_for: timedelta = timedelta(minutes=10)
    begin_after: timedelta = timedelta()  # only for a job with an order key: others are begun at once


@dataclass(frozen=True)
class Job:
    """Work as it is stored. `tries`: how many workers took it so far, this one included."""

    number: int
    kind: str
    key: str
    body: str
    order_key: str = ""
    tries: int = 0
    retries: int = 0


def store_of_arrivals(store: Store) -> Store:
    """The database for jobs that are acknowledged when stored: on SQLite a file of its own, which no other writer holds up."""
    return store.beside(FILE, jobs)


def add(transaction: Transaction, new: Sequence[NewJob], now: datetime, lease: Lease | None = None) -> list[Job]:
    """Store the jobs whose keys were never seen, and return those. With a lease, a job without an order is claimed at once."""
    if not new:
        return []
    values = [_values(job, now, lease) for job in sorted(new, key=_insertion_order)]
    # Values beside the statement: SQLAlchemy builds it once, and sends as many rows at a time as a statement may have values.
    statement = transaction.insert(jobs).on_conflict_do_nothing().returning(*jobs.c)
    return [_job(row) for row in transaction.connection.execute(statement, values)]


def is_waiting(transaction: Transaction, kinds: Collection[str], now: datetime) -> bool:
    """Whether there is a job to claim, to give up or to forget. It writes nothing."""
    return transaction.connection.execute(_question(tuple(sorted(kinds))), {"now": to_micros(now)}).first() is not None


@cache
def _question(kinds: tuple[str, ...]) -> Select[tuple[int]]:
    """Built once: it is asked at each wake-up, and SQLAlchemy spends more on building it than the database on running it."""
    now = bindparam("now", type_=BigInteger())
    return select(jobs.c.number).where(_is_claimable(kinds, now) | _is_hopeless(kinds, now) | _is_forgettable(now)).limit(1)


def is_known(transaction: Transaction, kind: str, key: str) -> bool:
    """Whether a job of this key is stored, done or not."""
    where = (jobs.c.kind == kind) & (jobs.c.key == key)
    return transaction.connection.execute(select(jobs.c.number).where(where)).first() is not None


def is_first(transaction: Transaction, kind: str, key: str, now: datetime, remember_for: timedelta) -> bool:
    """Note that something came, and say whether it is the first time within `remember_for`. There is nothing to do about it."""
    forget(transaction, now)
    values = {**_values(NewJob(kind, key, "", remember_for=remember_for), now, None), "done_at": to_micros(now)}
    statement = transaction.insert(jobs).values(values).on_conflict_do_nothing().returning(jobs.c.number)
    return transaction.connection.execute(statement).first() is not None


def claim(transaction: Transaction, kinds: Collection[str], lease: Lease, now: datetime, limit: int = BATCH) -> list[Job]:
    """Take jobs of these kinds that belong to nobody: new ones, put off ones whose time has come, and those of dead workers."""
    wanted = select(jobs.c.number).where(_is_claimable(kinds, to_micros(now))).order_by(jobs.c.number).limit(limit)
    numbers = list(transaction.connection.execute(wanted).scalars())
    if not numbers:
        return []
    where = jobs.c.number.in_(numbers) & (jobs.c.done_at == 0)
    rows = leases.claim(transaction, jobs, lease, now, where, tries=jobs.c.tries + 1)
    return sorted(map(_job, rows), key=lambda job: job.number)


def renew(transaction: Transaction, numbers: Collection[int], lease: Lease) -> int:
    """Prolong the leases of what this owner works on; returns how many. One that expired counts while nobody took it over."""
    return leases.renew(transaction, jobs, lease.until, _is_of(numbers, lease.owner))


def finish(transaction: Transaction, job: Job, owner: str, now: datetime) -> bool:
    """The job is done, and what it was about is not stored any longer. False: it was taken over or given up before."""
    return _update(transaction, job, owner, done_at=to_micros(now), body="", **leases.ENDED)


def retry_later(transaction: Transaction, job: Job, owner: str, now: datetime) -> bool:
    """Put the job off, longer each time. That is not a try. False: it was taken over before."""
    delay = min(LONGEST_BACKOFF, BACKOFF * 2 ** min(job.retries, 10))
    values = {"not_before": to_micros(now + delay), "tries": jobs.c.tries - 1, "retries": jobs.c.retries + 1}
    return _update(transaction, job, owner, **values, **leases.ENDED)


def release(transaction: Transaction, owner: str, but: Collection[int] = ()) -> None:
    """Let another worker have at once what this owner has not begun. That is not a try."""
    where = (jobs.c.owner == owner) & (jobs.c.done_at == 0) & (jobs.c.lease_until > 0) & jobs.c.number.not_in(but)
    transaction.connection.execute(update(jobs).where(where).values(tries=jobs.c.tries - 1, **leases.ENDED))


def give_up(transaction: Transaction, kinds: Collection[str], now: datetime) -> list[Job]:
    """Close the jobs of these kinds that nobody will begin any more, and return them: too late, or too many workers died of them.

    Jobs of other kinds are left to workers that can tell somebody, for a day.
    """
    values = {"done_at": to_micros(now), "problem": f"not done by its time, or by {MOST_TRIES} workers"}
    statement = update(jobs).where(_is_hopeless(kinds, to_micros(now))).values(values)
    return [_job(row) for row in transaction.connection.execute(statement.returning(*jobs.c))]


def forget(transaction: Transaction, now: datetime) -> None:
    """Drop closed jobs that need not be recognised any more."""
    transaction.connection.execute(delete(jobs).where(_is_forgettable(to_micros(now))))


def _is_claimable(kinds: Collection[str], micros: Micros) -> ColumnElement[bool]:
    earlier = jobs.alias()
    is_first = ~(
        select(earlier.c.number)
        .where(earlier.c.order_key == jobs.c.order_key, earlier.c.done_at == 0, earlier.c.number < jobs.c.number)
        .exists()
    )
    is_open = jobs.c.kind.in_(sorted(kinds)) & (jobs.c.done_at == 0) & leases.is_over_at(jobs, micros)
    is_timely = (jobs.c.not_before <= micros) & (jobs.c.begin_by > micros) & (jobs.c.tries < MOST_TRIES)
    return is_open & is_timely & or_(jobs.c.order_key == "", is_first)


def _is_hopeless(kinds: Collection[str], micros: Micros) -> ColumnElement[bool]:
    is_open = (jobs.c.done_at == 0) & leases.is_over_at(jobs, micros)
    is_nobodys = jobs.c.begin_by <= micros - ABANDONED // timedelta(microseconds=1)
    is_lost = (jobs.c.begin_by <= micros) | (jobs.c.tries >= MOST_TRIES)
    return is_open & ((jobs.c.kind.in_(sorted(kinds)) & is_lost) | is_nobodys)


def _is_forgettable(micros: Micros) -> ColumnElement[bool]:
    return (jobs.c.done_at > 0) & (jobs.c.remember_until <= micros)


def _is_of(numbers: Collection[int], owner: str) -> ColumnElement[bool]:
    return jobs.c.number.in_(numbers) & (jobs.c.done_at == 0) & leases.is_not_taken(jobs, owner)


def _update(transaction: Transaction, job: Job, owner: str, **values: Any) -> bool:
    statement = update(jobs).where(_is_of([job.number], owner)).values(values)
    return transaction.connection.execute(statement).rowcount == 1


def _insertion_order(job: NewJob) -> tuple[str, str, str]:
    """Jobs with an order key as they come; others by name, so that two replicas never wait for each other's rows."""
    return (job.order_key, "", "") if job.order_key else ("", job.kind, job.key)


def _values(job: NewJob, now: datetime, lease: Lease | None) -> dict[str, Any]:
    is_claimed = lease is not None and not job.order_key
    return {
        **{name: getattr(job, name) for name in ("kind", "key", "body", "order_key")},
        "created_at": to_micros(now),
        "not_before": to_micros(now + job.begin_after),
        "begin_by": to_micros(now + job.begin_within),
        "remember_until": to_micros(now + job.remember_for),
        **(leases.owner_values(lease) if lease is not None and is_claimed else {"owner": "", **leases.ENDED}),
        "tries": int(is_claimed),
        "retries": 0,
        "done_at": 0,
        "problem": "",
    }


def _job(row: Row[Any]) -> Job:
    return Job(**{name: getattr(row, name) for name in ("number", "kind", "key", "body", "order_key", "tries", "retries")})
