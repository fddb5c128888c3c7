"""How many audit rows and moves a second the store makes durable, on SQLite and on PostgreSQL.

    python -m tests.bench.store [SECONDS]

One writer, then eight. Each operation is a transaction of its own, synced to the disk: an appended audit row, or a
compare-and-set with its audit row. Required: at least 200 a second, each, on both. Prints one JSON line a figure.
"""

import json
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from triagebook.tools.store import audit_rows, fix_rows
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.migrate import migrate

from tests import postgres
from tests.contract.store import samples

REQUIRED = 200
Operation = Callable[[Store, str], None]


def append(store: Store, _prefix: str) -> None:
    with store.write() as transaction:
        audit_rows.append(transaction, samples.event("bench", host="web-01", fix="F-1", person="ann"))


def move(store: Store, prefix: str) -> None:
    """proposed -> denied of a fix that `prepared` made."""
    fix = samples.fix(f"{prefix}-{_next(prefix)}")
    with store.write() as transaction:
        if not fix_rows.decide(transaction, fix, "denied", samples.event("deny", fix=fix.id)):
            raise RuntimeError(fix.id)


_counts: dict[str, Iterator[int]] = {}


def _next(prefix: str) -> int:
    return next(_counts.setdefault(prefix, iter(range(10**9))))


def prepared(store: Store, prefix: str, count: int) -> None:
    """Fixes to move. A few a transaction: thousands of dead versions of one row are nothing that happens in use."""
    for start in range(0, count, 20):
        with store.write() as transaction:
            for number in range(start, min(start + 20, count)):
                fix_rows.add(transaction, samples.fix(f"{prefix}-{number}"), samples.event("propose"))


def measured(store: Store, operation: Operation, writers: int, seconds: float) -> float:
    """Operations a second of so many threads together."""
    prefixes = [f"B{secrets.token_hex(4)}{number}" for number in range(writers)]
    if operation is move:
        for prefix in prefixes:
            prepared(store, prefix, int(1500 * seconds / writers))
    done = [0] * writers
    ends = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < ends:
            operation(store, prefixes[number])
            done[number] += 1

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)


def synced(seconds: float) -> float:
    """How often a second this disk makes 4 KiB durable: nothing that commits singly can be faster."""
    ends, done = time.perf_counter() + seconds, 0
    with tempfile.TemporaryFile() as file:
        while time.perf_counter() < ends:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            done += 1
    return done / seconds


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """A URL by kind; PostgreSQL only where it is installed."""
    with tempfile.TemporaryDirectory() as directory:
        urls = {"sqlite": f"sqlite:///{Path(directory) / 'bench.db'}"}
        if postgres.binaries() is None:
            yield urls
            return
        with postgres.running(is_durable=True) as server:
            yield urls | {"postgresql": server.url()}


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    is_enough = True
    sys.stdout.write(json.dumps({"disk": "4 KiB synced", "per_s": round(synced(seconds))}) + "\n")
    with databases() as urls:
        for kind, url in urls.items():
            migrate(url)
            store = open_store(url)
            for operation in (append, move):
                for writers in (1, 8):
                    rate = measured(store, operation, writers, seconds)
                    is_enough &= rate >= REQUIRED
                    figure = {"database": kind, "operation": operation.__name__, "writers": writers, "per_s": round(rate)}
                    sys.stdout.write(json.dumps(figure) + "\n")
            store.close()
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())
