"""What the attacks use: the small world of the fixes, server processes, and how long each attack goes on."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.attacks import budget, report
from tests.attacks.budget import Attack
from tests.system.fixes.conftest import starter, world

__all__ = ["starter", "world"]

EXAMPLES_A_SECOND = 2  # of hypothesis, for each second of all loops
settings.register_profile("attacks", max_examples=max(100, int(budget.SECONDS * EXAMPLES_A_SECOND)), deadline=None)


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """An attack that goes on for its share of the time."""
    loops = sum("attack" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function))
    return Attack(request.node.nodeid, budget.SECONDS / max(loops, 1))


@pytest.fixture(autouse=True)
def _more_examples() -> None:
    settings.load_profile("attacks")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the figures, where all of it ran."""
    target = os.environ.get("ATTACK_REPORT")
    if target:
        report.write(Path(target), session.testscollected, session.testsfailed, int(exitstatus))
