"""One machine, one name: a host named otherwise, a machine that says it is another, a second name of a machine."""

from dataclasses import replace

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.fixes import view
from triagebook.tools.fixes.approval_server import decide_on_machine
from triagebook.tools.policy.load import load_policy
from triagebook.tools.policy.model import PolicyQuestion

from tests.system.fixes import policies, samples
from tests.system.fixes.world import World

STRICT = policies.TEXT.replace(
    "approvals:\n",
    'approvals:\n  - {name: two for prod, hosts: [web-*], needs: [{from: ["group:sre"], count: 2}], expires_in: 15m}\n',
).replace("rules:\n", "rules:\n  - {name: not here, deny: [diagnose], who: [cid], hosts: [db-*]}\n")
OTHER_NAMES = [
    "127.0.0.5",
    "10.0.0.7",
    "web-01.example.com",
    "WEB-01",
    "web-01.",
    "localhost",
    "::1",
    "[::1]:22",
    "ann@web-01",
    "web-01:22",
    "ssh://web-01",
    "web-01\n",
    "group:web",
]


def seen(host: str, **changes: str) -> Diagnosis:
    """What `host` shows when it says of itself what web-01 says."""
    found, web = samples.diagnosis(host), samples.diagnosis("web-01")
    key = web.target.host_key if changes.get("host_key") == "web-01" else found.target.host_key
    machine = web.host.machine_id if changes.get("machine_id") == "web-01" else found.host.machine_id
    return replace(found, host=replace(found.host, machine_id=machine), target=replace(found.target, host_key=key))


@pytest.mark.parametrize("who", ["ann", "mcp:ann", "slack:U0ANN"])
@pytest.mark.parametrize("name", OTHER_NAMES)
def test_only_names_of_the_inventory_are_taken_on_every_channel(world: World, name: str, who: str) -> None:
    assert world.refused(world.propose, who, host=name) in {"host_name", "inventory", "usage"}
    assert world.diagnoser.asked == []
    with pytest.raises(Exception, match=r"inventory|not a host"):
        view.allow_diagnosis(world.trust, policies.actor(who), name, "forks")


def test_a_server_without_an_inventory_plans_nothing(world: World) -> None:
    bare = replace(world, service=type(world.service)(replace(world.trust, names=type(world.trust.names)())))
    assert world.refused(bare.propose) == "no_inventory"


def test_a_second_name_of_a_machine_is_refused_whichever_comes_first(world: World) -> None:
    world.diagnoser.edit["web-02"] = seen("web-02", host_key="web-01")
    world.propose(host="web-01")
    assert world.refused(world.propose, host="web-02") == "same_machine"
    assert world.refused(world.propose, host="web-01") == "same_machine", "from then on neither name is taken"


def test_a_name_that_was_only_diagnosed_counts_too(world: World) -> None:
    view.record_diagnosis(world.trust, policies.actor("ann"), samples.diagnosis("web-01"))
    world.diagnoser.edit["db-01"] = seen("db-01", host_key="web-01")
    assert world.refused(world.propose, host="db-01") == "same_machine"


def test_an_approved_plan_does_not_run_once_its_machine_has_a_second_name(world: World) -> None:
    fix_id = world.approved("web-01")
    view.record_diagnosis(world.trust, policies.actor("ann"), seen("web-02", host_key="web-01"))
    assert world.refused(world.apply, fix_id) == "same_machine"
    assert world.executor.effects(fix_id) == []


def test_the_rules_of_every_name_hold(world: World) -> None:
    trust = replace(world.trust, policy=load_policy(STRICT, "policy.yaml"))
    for host, told in (("db-01", samples.diagnosis("db-01")), ("web-01", seen("web-01"))):
        view.record_diagnosis(trust, policies.actor("ann"), replace(told, target=samples.diagnosis("db-01").target))
        assert told.host.name == host
    cid = trust.policy.directory.identify(policies.actor("cid").account)
    decision = decide_on_machine(trust, cid, PolicyQuestion("diagnose", "web-01", "forks"))
    assert (decision.is_allowed, decision.reason) == (False, "denied_by_rule")
    assert not view.may_see(trust, policies.actor("cid"), "web-01", "forks")


def test_a_machine_that_gives_another_ones_target_id_gets_no_plan(world: World) -> None:
    world.propose(host="web-01")
    evil = replace(world.executor, target="target-1")
    object.__setattr__(evil, "target_id", lambda _host: "target-1")
    liar = replace(world, service=type(world.service)(replace(world.trust, executor=evil)))
    world.diagnoser.edit["web-02"] = seen("web-02", machine_id="web-01")
    assert world.refused(liar.propose, host="web-02") == "same_machine"


def test_a_machine_that_gives_another_ones_machine_id_cannot_lock_it(world: World) -> None:
    world.diagnoser.edit["web-02"] = seen("web-02", machine_id="web-01")
    stuck, fix_id = world.approved("web-02"), world.approved("web-01")
    world.executor.fails = RuntimeError("hangs up")
    assert world.apply(stuck) == "unknown"
    world.executor.fails = None
    assert world.apply(fix_id) == "validated", "cloned machines are told apart by their host keys"


@pytest.mark.parametrize("changed", ["host_key", "machine_id"])
def test_a_name_that_leads_to_another_machine_is_refused_until_a_person_binds_it(world: World, changed: str) -> None:
    world.propose(host="web-01")
    before = samples.diagnosis("web-01")
    world.diagnoser.edit["web-01"] = (
        replace(before, target=replace(before.target, host_key="SHA256:new"))
        if changed == "host_key"
        else replace(before, host=replace(before.host, machine_id="new"))
    )
    assert world.refused(world.propose, host="web-01") == "other_machine"
    assert world.refused(world.service.bind_host, policies.actor("dan"), "web-01", "reinstalled") == "no_rule"
    assert world.refused(world.service.bind_host, policies.actor("bob"), "web-01", "\u200b \n") == "usage"
    bound = world.service.bind_host(policies.actor("bob"), "web-01", "reinstalled")
    assert getattr(bound, changed) in {"SHA256:new", "new"}
    event = world.last()
    assert (event.action, event.severity, event.detail["why"]) == ("bind_host", "alert", "reinstalled")
    assert world.propose(host="web-01")


def test_a_name_is_not_bound_to_a_machine_that_another_name_has(world: World) -> None:
    world.propose(host="web-01")
    world.diagnoser.edit["web-02"] = seen("web-02", host_key="web-01")
    assert world.refused(world.service.bind_host, policies.actor("bob"), "web-02", "renamed") == "same_machine"


def test_a_renamed_machine_is_taken_under_its_new_name_once_the_old_one_left_the_inventory(world: World) -> None:
    world.propose(host="web-01")
    world.diagnoser.edit["web-02"] = seen("web-02", host_key="web-01")
    names = replace(
        samples.NAMES, inventory=replace(samples.NAMES.inventory, hosts={"web-02": samples.NAMES.inventory.hosts["web-02"]})
    )
    renamed = replace(world, service=type(world.service)(replace(world.trust, names=names)))
    assert renamed.propose(host="web-02")
