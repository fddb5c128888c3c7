"""Many hosts in one question, by two workers: each host once in the answer, and the server's memory does not grow with them."""

import json
import subprocess
import sys

import pytest

from tests import nats
from tests.hang import GUARD_S

RUNBOOK = ("--runbook", "segfault")  # the smallest


@pytest.mark.skipif(bool(nats.WHY_NOT), reason=str(nats.WHY_NOT))
@pytest.mark.parametrize("hosts", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_two_full_workers_read_every_host_once_in_bounded_memory(hosts: int) -> None:
    argv = ("--workers", "2", "--at-once", "10" if hosts < 1000 else "200", "--hosts", str(hosts), "--delay", "0.05", *RUNBOOK)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sites", *argv], capture_output=True, text=True, check=True, timeout=3 * GUARD_S
    )
    found = json.loads(done.stdout)
    assert found["each_once"]
    assert set(found["ends"]) <= {"healthy", "warning", "cause_found", "inconclusive"}, "each of them was read"
    assert found["own_memory_mib"] <= 150
