"""Making a live fix permanent: a plan of its own that does not need the cause any more, decided by somebody else."""

from dataclasses import replace

import pytest

from tests.system.fixes import samples

from .policies import actor
from .test_revert import applied
from .world import World

WELL = replace(samples.diagnosis(), verdict=None, remediations=(), status="healthy")


def test_a_permanent_step_is_a_plan_of_its_own_that_outlives_the_cause(world: World) -> None:
    fix_id = applied(world)
    world.diagnoser.edit["web-01"] = WELL
    kept = world.service.persist(actor("ann"), fix_id, "it is back each week")
    assert kept.plan is not None
    assert (kept.state, kept.plan.order["step"], kept.plan.undo) == ("proposed", "persist", "captured")
    assert kept.plan.title == f"Make {fix_id} permanent: Raise the task limit of the unit"
    assert kept.plan.parameters == {"limit": 200, "unit": samples.UNIT, "follows": fix_id}
    assert world.refused(world.service.approve, actor("ann"), kept.id, kept.digest) == "self_approval"
    world.approve(kept.id)
    assert world.apply(kept.id) == "validated"
    assert world.state(fix_id) == "validated"
    assert world.refused(world.service.persist, actor("ann"), kept.id) == "not_live"


def test_a_permanent_step_that_would_start_from_other_values_is_stale(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = world.service.persist(actor("ann"), applied(world))
    world.approve(kept.id)
    moved = samples.rendering("300", "200")
    monkeypatch.setattr(type(world.trust.renderer), "permanent", lambda _self, _plan: moved)
    assert world.refused(world.service.apply, actor("cid"), kept.id) == "stale_facts"
    assert world.state(kept.id) == "stale"
    assert world.executor.effects(kept.id) == []


def test_only_a_live_change_that_is_in_place_is_made_permanent(world: World) -> None:
    assert world.refused(world.service.persist, actor("ann"), world.propose()) == "not_in_place"
    fix_id = applied(world)
    back = world.service.revert(actor("ann"), fix_id)
    assert world.refused(world.service.persist, actor("ann"), back.id) == "not_live"
    world.executor.target = "target-2"
    assert world.refused(world.service.persist, actor("ann"), fix_id) == "other_target"
