"""A process with a worker for one source: a Python file with KIND, `read(body)` and `handle(job)`. Each line of input is a body."""

import importlib.util
import sys
from datetime import UTC, datetime, timedelta

from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.store import jobs
from triagebook.tools.store.database import open_store
from triagebook.tools.store.migrate import migrate


def main(source: str, url: str, owner: str) -> None:
    spec = importlib.util.spec_from_file_location("source", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    migrate(url)
    store = jobs.store_of_arrivals(open_store(url))
    worker = JobWorker(
        store, lambda: datetime.now(UTC), owner, {module.KIND: module.handle}, lease=timedelta(seconds=1), claim_s=0.1
    )
    worker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write("stored\n" if worker.accept(module.read(line.strip())) else "known\n")
        sys.stdout.flush()
    worker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
