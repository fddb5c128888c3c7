"""A server dies after a plan was stored and before its job was finished: the job is done again, the plan is not stored again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.fixes.propose import Proposal

from tests.system.fixes.policies import actor
from tests.system.fixes.world import World, build

PROPOSAL = Proposal("web-01", "raise_tasks_max", parameters={"limit": 200})


class Death(BaseException):
    """The process ends here."""


@pytest.fixture
def mortal(database_url: str, tmp_path: Path) -> Iterator[tuple[World, list[str]]]:
    """A world that dies after the next commit whose name is in the list."""
    deaths: list[str] = []

    def step(name: str) -> None:
        if name in deaths:
            deaths.remove(name)
            raise Death

    made = build(database_url, tmp_path, step=step)
    yield made, deaths
    made.store.close()


def _fixes(world: World) -> list[str]:
    return [fix.id for fix in world.service.list(actor("dan"))]


def test_a_delivery_that_is_done_again_stores_one_plan(mortal: tuple[World, list[str]]) -> None:
    world, deaths = mortal
    deaths.append("propose.after_commit")
    with pytest.raises(Death):
        world.service.propose(actor("ann"), PROPOSAL, "Ev1")
    (stored,) = _fixes(world)
    assert world.service.propose(actor("ann"), PROPOSAL, "Ev1").id == stored
    assert _fixes(world) == [stored]
    others = {
        world.service.propose(actor("ann"), PROPOSAL, "Ev2").id,
        world.service.propose(actor("bob"), PROPOSAL, "Ev1").id,
        world.service.propose(actor("ann"), PROPOSAL).id,
        world.service.propose(actor("ann"), PROPOSAL).id,
    }
    assert len(others | {stored}) == 5
    assert world.trust.checkpointer.report().holds


@pytest.mark.parametrize("step", ["revert", "persist"])
def test_a_revert_and_a_permanent_step_too(mortal: tuple[World, list[str]], step: str) -> None:
    world, deaths = mortal
    done = world.approved()
    assert world.apply(done) == "validated"
    ask = getattr(world.service, step)
    deaths.append("propose.after_commit")
    with pytest.raises(Death):
        ask(actor("ann"), done, "why", "Ev1")
    assert len(_fixes(world)) == 2
    again = ask(actor("ann"), done, "why", "Ev1").id
    assert sorted(_fixes(world)) == sorted([done, again])
