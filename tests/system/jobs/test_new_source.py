"""A new source of work is one file: it reads a body and handles a job, and the queue, which knows nothing of it, does the rest."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hang import GUARD_S

from .steps import until

MAIN = Path(__file__).with_name("worker_main.py")
SOURCE = '''
"""Alerts of a monitoring system, as a new file would read them."""

import json
import os
import signal
from pathlib import Path

from triagebook.tools.store.jobs import Job, NewJob

KIND = "toy-alert"
HERE = Path(__file__).parent


def read(body: str) -> NewJob:
    alert = json.loads(body)
    return NewJob(KIND, alert["fingerprint"], body, order_key=alert["host"])


def handle(job: Job) -> None:
    alert = json.loads(job.body)
    with (HERE / "log").open("a") as log:
        log.write(f"{alert['host']} {alert['says']}, try {job.tries}\\n")
    if (HERE / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
'''


@contextmanager
def process(source: Path, url: str, owner: str) -> Iterator["subprocess.Popen[str]"]:
    argv = (sys.executable, str(MAIN), str(source), url, owner)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        assert made.stdout is not None
        assert made.stdout.readline() == "ready\n"
        try:
            yield made
        finally:
            assert made.stdin is not None
            if made.poll() is None:
                made.stdin.close()
            made.wait(GUARD_S)


def tell(made: "subprocess.Popen[str]", fingerprint: str, host: str, says: str) -> str:
    assert made.stdin is not None
    assert made.stdout is not None
    made.stdin.write(f'{{"fingerprint": "{fingerprint}", "host": "{host}", "says": "{says}"}}\n')
    made.stdin.flush()
    return made.stdout.readline().strip()


def test_a_source_of_one_file_has_its_work_stored_claimed_and_taken_over(tmp_path: Path, database_url: str) -> None:
    source = tmp_path / "toy.py"
    source.write_text(SOURCE)
    log = tmp_path / "log"
    (tmp_path / "die").touch()
    with process(source, database_url, "one") as doomed:
        assert tell(doomed, "f1", "web-01", "down") == "stored"
        assert doomed.wait(GUARD_S) == -9
    assert log.read_text().splitlines() == ["web-01 down, try 1"]
    (tmp_path / "die").unlink()
    with process(source, database_url, "two") as other:
        assert tell(other, "f1", "web-01", "down") == "known"
        assert tell(other, "f2", "web-01", "up again") == "stored"
        until(lambda: "up again" in log.read_text(), "the second alert")
    assert log.read_text().splitlines() == ["web-01 down, try 1", "web-01 down, try 2", "web-01 up again, try 1"]
