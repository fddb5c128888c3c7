"""Keeping a lease while an execution runs. When the process dies the lease runs out, and others know that nobody knows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta


@contextmanager
def kept(renew: Callable[[], bool], lease: timedelta) -> Iterator[None]:
    """Renew every third of the lease until the block ends. A renewal that fails is tried again while the lease lasts."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(lease.total_seconds() / 3):
            try:
                if not renew():
                    return
            except Exception:  # noqa: BLE001, S112 - a database that is away for a moment; the lease decides
                continue

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
