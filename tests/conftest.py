"""Real parts that several suites share, each started once; and which tests on virtual machines run."""

import logging
import os
import re
import resource
import shutil
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.log import ROOT

from tests import databases, postgres, sshd

BEGAN = pytest.StashKey[float]()
SHOWN_FROM_S, DEAREST = 60.0, 12
REPEATED = {"database_url", "current_database_url", "awk"}  # fixtures that give a test each kind in turn
KIND = re.compile(r"(?<=[\[-])(sqlite|postgresql|mawk|gawk|busybox|original)(?=[\]-])")  # as it stands in the id of the test


def pytest_configure() -> None:
    """Begin with an empty cache folder of this process's own, which the programs that it starts share (see tests/runbooks.py)."""
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="triagebook-cache-")


def pytest_unconfigure() -> None:
    """Remove the cache folder."""
    shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)


def mark_repeats(items: list[pytest.Item]) -> None:
    """Mark `long` what repeats a test in a further database or awk: each test is quick in one, and each of them has its share."""
    groups: dict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and REPEATED & item.callspec.params.keys():
            groups[KIND.sub("", item.nodeid, count=1)].append(item)
    for test, group in groups.items():
        here = [item for item in group if "postgresql" not in item.callspec.params.values() or postgres.binaries() is not None]
        if here and not any(item.get_closest_marker("long") for item in group):
            quick = here[zlib.crc32(test.encode()) % len(here)]
            for item in group:
                if item is not quick:
                    item.add_marker(pytest.mark.long)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Four scenarios run always, the long ones (marked `long`) with TRIAGEBOOK_LAB=all."""
    mark_repeats(items)
    if os.environ.get("TRIAGEBOOK_LAB") == "all":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: run by `make unit-long` or `make lab-long`"))


def cpu_s() -> float:
    """CPU seconds of this process and of all that it started and has waited for."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the CPU time at which the test begins."""
    item.stash[BEGAN] = cpu_s()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Note what the test cost, once its fixtures are gone."""
    item.user_properties.append(("cpu_s", cpu_s() - item.stash[BEGAN]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing is skipped silently: how many tests for which reason. Nor is anything dear: the CPU of all, and the dearest."""
    endings = [report for report in terminalreporter.getreports("") if report.when == "teardown"]
    costs = sorted(((dict(report.user_properties).get("cpu_s", 0.0), report.nodeid) for report in endings), reverse=True)
    if (total := sum(cost for cost, _test in costs)) >= SHOWN_FROM_S:
        terminalreporter.section(f"CPU: {total:.0f} s of {len(costs)} tests, the dearest")
        for cost, test in costs[:DEAREST]:
            terminalreporter.line(f"{cost:5.1f} s {test}")
    reports = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports if isinstance(report.longrepr, tuple))
    if reasons:
        terminalreporter.section("skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} {reason}")


@pytest.fixture(autouse=True)
def silent_log() -> None:
    """Each test begins with a log that nobody shows: a handler that an earlier test left would say everything twice."""
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler for handler in logger.handlers if isinstance(handler, logging.NullHandler)]
    logger.propagate = True


@pytest.fixture(scope="session")
def place() -> Iterator[sshd.Ground]:
    """Keys and an unprivileged account for servers of sshd."""
    if sshd.WHY_NOT:
        pytest.skip(sshd.WHY_NOT)
    with sshd.ground() as made:
        yield made


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL on a loopback port."""
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'triagebook.db'}"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def current_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of either kind that has the newest schema and no row."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'triagebook.db'}"
        databases.open_current(url)
        return url
    return databases.current_postgresql(request.getfixturevalue("postgres_server"))
