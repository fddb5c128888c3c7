"""Reverting: a plan of its own, decided by somebody else, and the fix it undoes follows it."""

import pytest
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.actions.orders import number_of
from triagebook.tools.fixes.interfaces import Ending

from .policies import actor
from .world import World


def applied(world: World) -> str:
    fix_id = world.approved()
    assert world.apply(fix_id) == "validated"
    return fix_id


def test_a_revert_is_approved_by_another_and_ends_the_fix(world: World) -> None:
    fix_id = applied(world)
    back = world.service.revert(actor("ann"), fix_id, "too much")
    assert back.plan is not None
    assert (back.plan.action, back.plan.undo, back.plan.parameters) == ("undo", "none", {"reverts": fix_id})
    assert [(change.now, change.then) for change in back.plan.changes] == [("200", "100")]
    execution = world.executor.effects(fix_id)[0].removeprefix(f"{fix_id}.")
    assert back.plan.order["undoes"] == number_of(execution)
    assert world.refused(world.service.approve, actor("ann"), back.id, back.digest) == "self_approval"
    world.approve(back.id)
    assert world.apply(back.id) == "validated"
    assert world.state(fix_id) == "reverted"
    assert [event.action for event in world.events()][-4:] == ["apply", "result", "revert", "result"]


def test_an_undo_that_failed_leaves_the_fix_in_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_id = applied(world)
    back = world.service.revert(actor("ann"), fix_id)
    world.approve(back.id)
    monkeypatch.setattr(type(world.executor), "execute", lambda _self, _job: Ending("failed", "undo_unsafe"))
    assert world.apply(back.id) == "failed"
    assert world.state(fix_id) == "validated"


def test_only_a_change_that_is_in_place_is_reverted(world: World) -> None:
    waiting = world.propose()
    assert world.refused(world.service.revert, actor("ann"), waiting) == "not_in_place"
    fix_id = applied(world)
    back = world.service.revert(actor("ann"), fix_id)
    world.approve(back.id)
    world.apply(back.id)
    assert world.refused(world.service.revert, actor("ann"), back.id) == "no_undo"
    assert world.refused(world.service.revert, actor("ann"), fix_id) == "not_in_place"


def test_another_target_is_not_reverted(world: World) -> None:
    fix_id = applied(world)
    world.executor.target = "target-2"
    with pytest.raises(RefusedError) as refused:
        world.service.revert(actor("ann"), fix_id)
    assert refused.value.reason == "other_target"
