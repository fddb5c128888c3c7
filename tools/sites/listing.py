"""Looks at each site: which workers answer now, and how much they have in hand."""

from collections.abc import Mapping
from datetime import UTC, datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.sites import wire
from triagebook.tools.sites.client import Message, SiteClient
from triagebook.tools.times import rfc3339

MOST_COUNT = 1_000_000


@dataclass(frozen=True)
class SiteWorker:
    """What a worker says of itself."""

    name: str
    version: str
    hosts: int  # in hand
    at_once: int
    waiting: int
    began: str


@dataclass(frozen=True)
class SiteRow:
    """A site: how many hosts the inventory gives it, the workers that answered, and when one was last heard."""

    site: str
    hosts: int
    workers: tuple[SiteWorker, ...]
    last_seen: datetime | None
    since: str  # it has no worker, in words

    def as_plain(self) -> dict[str, object]:
        """Return it as plain data for JSON."""
        seen = rfc3339(self.last_seen) if self.last_seen else None
        return {"site": self.site, "hosts": self.hosts, "workers": [vars(worker) for worker in self.workers], "last_seen": seen}

    def as_text(self) -> str:
        """Return it as a line, and one for each worker."""
        hosts = f"{self.hosts} host{'' if self.hosts == 1 else 's'}"
        if not self.workers:
            return f"{self.site}  {hosts}  no worker {self.since}"
        lines = [
            f"  {worker.name}  triagebook {worker.version}  {worker.hosts} of {worker.at_once} hosts in hand, "
            f"{worker.waiting} waiting, since {worker.began}"
            for worker in self.workers
        ]
        return "\n".join([f"{self.site}  {hosts}  {len(self.workers)} worker{'' if len(lines) == 1 else 's'}", *lines])


def site_rows(client: SiteClient, hosts: Mapping[str, int], seconds: float) -> tuple[SiteRow, ...]:
    """Ask the workers of each site who they are, and wait so long for them. Raises NoAnswer: no connection to the NATS server."""
    rows = []
    for site, count in sorted(hosts.items()):
        workers = sorted((_worker(answer) for answer in client.ask_all(site, seconds)), key=lambda worker: worker.name)
        rows.append(
            SiteRow(site, count, tuple(workers), client.last_heard.last(site), client.last_heard.since(site, datetime.now(UTC)))
        )
    return tuple(rows)


def _worker(answer: Message) -> SiteWorker:
    """Read what a worker says of itself, which is a stranger's text."""
    counts = (answer.get(name) for name in ("hosts", "at_once", "waiting"))
    hosts, at_once, waiting = (max(0, min(count, MOST_COUNT)) if isinstance(count, int) else 0 for count in counts)
    name, version, began = (safe_text(wire.text_of(answer, key, 100), 100) for key in ("worker", "version", "began"))
    return SiteWorker(name, version, hosts, at_once, waiting, began)
