"""The official conformance suite against our server factory, on both revisions, and against the product as it is.

With the suite's fixture tools mounted nothing may fail. Without them everything that fails is a fixture the product does not
have, named in the baseline; an entry that passes fails the run, so the baseline cannot rot.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hang import GUARD_S
from tests.peers import peers
from tests.quick import quick_share

pytestmark = pytest.mark.skipif(peers.NO_NODE is not None, reason=str(peers.NO_NODE))
REVISIONS = ("2026-07-28", "2025-11-25")
TASKS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)


def suite(address: str, out: Path, *options: str) -> str:
    arguments = (str(peers.CONFORMANCE), "server", "--url", address, *options, "-o", str(out))
    done = peers.node(*arguments)
    if done.returncode:  # the suite gives each of its requests a second or so: a busy machine gets one more chance
        done = peers.node(*arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def fixtures() -> Iterator[str]:
    """The address of our factory with the suite's tools."""
    with peers.serving("fixtures") as address:
        yield address


@pytest.mark.timeout(10 * GUARD_S)
@pytest.mark.parametrize("revision", REVISIONS)
def test_our_factory_passes_the_whole_suite(revision: str, tmp_path: Path, fixtures: str) -> None:
    said = suite(fixtures, tmp_path, "--suite", "all", "--spec-version", revision)
    (passed, failed), *_ = re.findall(r"Total: (\d+) passed, (\d+) failed", said)
    assert (int(passed) > 80, int(failed)) == (True, 0)


@pytest.mark.timeout(10 * GUARD_S)
@pytest.mark.parametrize("revision", REVISIONS)
def test_the_product_fails_only_what_the_baseline_names(revision: str, tmp_path: Path) -> None:
    baseline = Path(__file__).with_name(f"baseline-{revision}.yml")
    with peers.serving("product") as address:
        suite(address, tmp_path, "--suite", "all", "--spec-version", revision, "--expected-failures", str(baseline))


@pytest.mark.timeout(10 * GUARD_S)
@pytest.mark.parametrize("scenario", quick_share(TASKS, of=2))
def test_tasks_pass_every_scenario_of_the_extension(scenario: str, tmp_path: Path, fixtures: str) -> None:
    said = suite(fixtures, tmp_path, "--scenario", scenario)
    passed, total, failed = map(int, re.findall(r"Passed: (\d+)/(\d+), (\d+) failed", said)[-1])
    assert passed == total > 0
    assert failed == 0
