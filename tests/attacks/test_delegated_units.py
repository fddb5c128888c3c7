"""A user of a target names a cgroup like another's service: in a delegated subtree, in a user's manager, below made-up slices."""

from dataclasses import replace

import pytest
from triagebook.bot.render.plan import render_fix
from triagebook.bot.slack.cards import approval
from triagebook.runbooks.engine.conclude import Conclusion, conclude
from triagebook.runbooks.engine.facts import Collection
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes import address_spaces, memory_cgroups, pids_cgroups, tasks_by_uid
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.runbooks.probes.cgroup_path import is_login_session, limit_owner_of, owner_of, system_unit_of
from triagebook.runbooks.probes.records import Record, Sample

from tests.runbooks import CATALOG
from tests.system.fixes import samples
from tests.unit.cli.test_fix_commands import shown

NAMES = {1000: "mallory"}
RUNBOOK = CATALOG.load("enomem@1.0.0")
LOGIN = "/user.slice/user-1000.slice"
INSIDE = [
    "/system.slice/ci.service/ssh.service",
    "/system.slice/ci.service/system.slice/ssh.service",
    "/system.slice/ci.service/payload/ssh.service",
    "/system.slice/system-ci.slice/ci.service/user.slice/user-0.slice/ssh.service",
    "/ci.service/ssh.service",
]
WALK = Record("walk", ("processes=50", "tasks=100", "total=100", "kernel_threads=20", "gone=0", "unscanned=0"))
END = Record("end", ("truncated=",))


def sample(kind: str, *lines: str) -> list[Sample]:
    return [Sample(1, (*(Record(kind, tuple(line.split())) for line in lines), WALK, END), True)]


def limits_at(path: str) -> Collection[pids_cgroups.LimitedCgroup]:
    whole = "all mode=v2 meaning=local mount=/sys/fs/cgroup root=/ cgroups=9 finite=1 absent=0 outside=0 whole=1 near=1"
    return pids_cgroups.parse(sample("pids_cgroups", whole, f"at {path} 5 5 3 ? 5")).limited


def sized(path: str) -> Collection[address_spaces.SizedProcess]:
    whole = "all max_map_count=65530 page_kb=4 map_clear=1 sized_clear=1 map_denied=0 map_skipped=0 sized_unread=0"
    return address_spaces.parse(
        sample("address_spaces", whole, f"size 2543 python3 1000 {path} 9000 as 9000 9216000 9216000")
    ).limited


def concluded(**found: object) -> Conclusion:
    case = read_case(CATALOG.find("enomem@1.0.0"), "healthy", facts_types(), RUNBOOK)
    facts = dict(case.history[-1])
    for name, limited in found.items():
        facts[name] = replace(facts[name], limited=limited)  # type: ignore[type-var]
    return conclude(RUNBOOK, [facts], {})


@pytest.mark.parametrize("path", INSIDE)
def test_a_subtree_belongs_to_the_unit_it_was_delegated_to(path: str) -> None:
    assert owner_of(path, NAMES).unit == system_unit_of(path) == "ci.service"
    assert (owner_of(path, NAMES).kind, owner_of(path, NAMES).user, is_login_session(path)) == ("unit", "", False)


@pytest.mark.parametrize("path", INSIDE)
def test_a_limit_in_a_delegated_subtree_is_called_by_its_whole_path(path: str) -> None:
    found = concluded(pids=limits_at(path))
    assert found.verdict is not None
    assert found.verdict.culprit.unit == ""
    assert f"{path} " in found.headline
    assert not [offer for offer in found.remediations if offer.action.startswith("unit")]
    assert limit_owner_of(path, NAMES).manager == "none"


def test_memory_limits_are_named_by_the_same_rule() -> None:
    whole = "all mode=v2 mount=/sys/fs/cgroup root=/ cgroups=9 finite=1 absent=0 outside=0 whole=1 near=1"
    parsed = memory_cgroups.parse(sample("memory_cgroups", whole, f"at {INSIDE[0]} 4096 4096 max 3 0 0 0 0 0 0"))
    assert [(item.unit, item.kind) for item in parsed.limited.items] == [("", "cgroup")]


@pytest.mark.parametrize("path", [*INSIDE, f"{LOGIN}/user@1000.service/app.slice/ssh.service"])
def test_no_fix_of_another_unit_is_offered_for_a_process_of_a_subtree(path: str) -> None:
    found = concluded(spaces=sized(path))
    assert found.verdict is not None
    own = "user@1000.service" if path.startswith(LOGIN) else "ci.service"
    assert found.verdict.culprit.unit == own
    units = {offer.params["unit"].default for offer in found.remediations if "unit" in offer.params}
    assert units == {own}
    cited = {entry.id: entry.readings[-1].value for entry in found.facts if entry.readings}
    assert cited["spaces[2543].cgroup"] == path


def test_a_unit_of_a_users_manager_is_named_with_it() -> None:
    path = f"{LOGIN}/user@1000.service/app.slice/ssh.service"
    found = concluded(pids=limits_at(path))
    assert "ssh.service of user@1000.service" in found.headline
    assert found.verdict is not None
    assert found.verdict.culprit.id == path


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (f"{LOGIN}/user@1000.service/app.slice/ssh.service/cron.service", "user@1000.service"),
        (f"{LOGIN}/user@0.service/ssh.service", "user@0.service"),
        (f"{LOGIN}/session-3.scope/ssh.service", "session-3.scope"),
        ("/system.slice/ci.service/docker-c0ffee.scope", "ci.service"),
        ("/batch/ssh.service", ""),
    ],
)
def test_neighbours_of_the_trick(path: str, unit: str) -> None:
    assert system_unit_of(path) == unit
    assert (limit_owner_of(path, NAMES).unit, limit_owner_of(path, NAMES).manager != "system") == ("", True)


def test_the_uid_in_a_slice_counts_only_where_logins_are() -> None:
    assert owner_of("/machine.slice/user-1000.slice/vm.scope", NAMES).user == ""
    assert not is_login_session("/machine.slice/user-1000.slice/vm.scope")


def test_tasks_of_a_user_name_the_unit_they_really_run_in() -> None:
    (item,) = tasks_by_uid.parse(
        sample("tasks_by_uid", "all users=1 near=1 unread=0", f"user 77 python3 1000 {INSIDE[0]} 9 9 9 9 9 0 /n 1")
    ).limited.items
    assert (item.unit, item.cgroup, item.is_login_session) == ("ci.service", INSIDE[0], False)


def test_who_approves_is_shown_the_whole_path_of_the_cgroup() -> None:
    path = "/system.slice/" + "x" * 600 + ".service/ssh.service"
    fix = shown()
    fix["plan"]["culprit"] = path
    assert f"  cgroup      {path}" in render_fix(fix)
    fix["plan"]["culprit"] = "python3"
    fix["plan"]["facts"].append({"id": "spaces[2543].cgroup", "value": path, "source": "/proc/2543/cgroup"})
    assert f"  cgroup      {path}" in render_fix(fix)
    plan = replace(samples.plan(), culprit=path)
    assert any(path in str(block) for block in approval._plan(plan))
