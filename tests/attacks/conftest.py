"""What the attacks use: the small world of the fixes, server processes, and how long each attack goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.attacks import budget, report
from tests.attacks.budget import Attack
from tests.system.fixes.conftest import starter, world
from tests.system.fixes.world import World, build

__all__ = ["starter", "world"]

EXAMPLES_A_SECOND = 2  # of hypothesis, for each second of all loops
settings.register_profile("attacks", max_examples=max(100, int(budget.SECONDS * EXAMPLES_A_SECOND)), deadline=None)


# A round of a parser takes a millisecond, one of a server that is killed takes seconds: each gets its share of the time by that.
SHARES = {
    "test_no_acknowledged_decision_is_lost_by_kill_9": 10,
    "test_a_server_stopped_at_any_moment_changes_nothing_that_another_settled": 4,
    "test_no_hostile_order_is_carried_out_and_every_shell_says_the_same": 20,
    "test_a_spoiled_message_is_a_failed_login": 2,
    "test_words_said_over_by_another_are_a_failed_login": 14,
    "test_a_hostile_answer_is_judged_or_unreadable": 4,
}
OTHER_SHARE = 1


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """An attack that goes on for its share of the time."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and "attack" in item.fixturenames]
    whole = sum(map(_share, items)) or OTHER_SHARE
    return Attack(request.node.nodeid, budget.SECONDS * _share(request.node) / whole)


def _share(item: pytest.Function) -> int:
    return SHARES.get(item.originalname, OTHER_SHARE)


@pytest.fixture
def attacked(database_url: str, tmp_path: Path) -> Iterator[World]:
    """The small world of the fixes over a database of either kind."""
    made = build(database_url, tmp_path)
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def _more_examples() -> None:
    settings.load_profile("attacks")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the figures, where all of it ran."""
    target = os.environ.get("ATTACK_REPORT")
    if target:
        report.write(Path(target), session.testscollected, session.testsfailed, int(exitstatus))
