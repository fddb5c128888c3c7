"""Persistent steps and unit changes on a scratch host: what is written, what undo leaves, what is refused."""

import pytest
from triagebook.tools.actions.orders import fields_of, undo_of

from tests.system.helper import fake_systemctl
from tests.system.helper.fake_systemctl import UNIT
from tests.system.helper.scratch_host import ScratchHost

LIVE = fields_of("unit_tasks_max", ("live", UNIT, "20", "400"))
PERSIST = fields_of("unit_tasks_max", ("persist", UNIT, "400", "400"))
NPROC = fields_of("unit_limit", ("persist", UNIT, "nproc", "50:50", "500"))


@pytest.fixture(params=["systemd-252", "systemd-257"])
def unit_host(host: ScratchHost, request: pytest.FixtureRequest) -> ScratchHost:
    """A host with one unit at its task limit."""
    fake_systemctl.install(host, request.param)
    return host


def test_a_live_task_limit_is_set_by_systemd_and_undone_by_deleting_its_file(unit_host: ScratchHost) -> None:
    before = unit_host.snapshot()
    answer = unit_host.apply(LIVE)
    assert (answer["result"], answer["before"], answer["after"]) == ("applied", "20", "400"), answer
    assert fake_systemctl.limit(unit_host) == "400"
    fake_systemctl.use(unit_host, 15)
    assert unit_host.apply(undo_of(answer["id"]))["after"] == "20"
    fake_systemctl.use(unit_host, 20)
    assert unit_host.snapshot() == before


def test_the_settings_of_a_unit_that_a_program_made_stand_beside_it(unit_host: ScratchHost) -> None:
    unit_host.write(f"run-units/transient/{UNIT}", "[Service]\n")  # by systemd-run
    before = unit_host.snapshot()
    answers = [unit_host.apply(LIVE), unit_host.apply(fields_of("unit_memory_max", ("live", UNIT, "50331648", "100663296")))]
    assert [answer["result"] for answer in answers] == ["applied", "applied"], answers
    found = sorted(path.name for path in unit_host.path(f"run-units/transient/{UNIT}.d").iterdir())
    assert found == ["50-MemoryMax.conf", "50-TasksMax.conf"]
    fake_systemctl.use(unit_host, 15)
    assert [unit_host.apply(undo_of(answer["id"]))["result"] for answer in reversed(answers)] == ["undone", "undone"]
    fake_systemctl.use(unit_host, 20)
    assert unit_host.snapshot() == before


def test_live_then_persistent_are_undone_in_either_order(unit_host: ScratchHost) -> None:
    fake_systemctl.use(unit_host, 15)
    before = unit_host.snapshot()
    for reverse in (True, False):
        orders = [unit_host.apply(LIVE)["id"], unit_host.apply(PERSIST)["id"]]
        for order in reversed(orders) if reverse else orders:
            assert unit_host.apply(undo_of(order))["result"] == "undone"
        assert unit_host.snapshot() == before
        assert fake_systemctl.limit(unit_host) == "20"


def test_a_persistent_task_limit_is_a_drop_in_of_our_own_named_late(unit_host: ScratchHost) -> None:
    unit_host.write(f"etc/units/{UNIT}.d/tasks.conf", "[Service]\nTasksMax=20\n")  # an administrator's, sorts after 50-
    before = unit_host.snapshot()
    answer = unit_host.apply(fields_of("unit_tasks_max", ("persist", UNIT, "20", "400")))
    ours = unit_host.path(f"etc/units/{UNIT}.d/zz-triagebook-TasksMax.conf")
    assert answer["result"] == "applied"
    assert ours.read_text() == "[Service]\nTasksMax=400\n"
    assert (ours.stat().st_mode & 0o777, fake_systemctl.limit(unit_host)) == (0o644, "400")
    fake_systemctl.use(unit_host, 15)
    assert unit_host.apply(undo_of(answer["id"]))["result"] == "undone"
    fake_systemctl.use(unit_host, 20)
    assert unit_host.snapshot() == before


def test_a_drop_in_that_would_win_over_ours_is_refused_by_name(unit_host: ScratchHost) -> None:
    unit_host.write(f"etc/units/{UNIT}.d/zzz.conf", "[Service]\nTasksMax=20\n")
    answer = unit_host.apply(fields_of("unit_tasks_max", ("persist", UNIT, "20", "400")))
    assert answer["reason"] == "overridden"
    assert answer["detail"].endswith("zzz.conf")


def test_going_below_present_use_is_undo_unsafe(unit_host: ScratchHost) -> None:
    applied = unit_host.apply(LIVE)
    fake_systemctl.use(unit_host, 21)
    before = unit_host.snapshot()
    answer = unit_host.apply(undo_of(applied["id"]))
    assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", "undo_unsafe", "in use 21")
    assert unit_host.snapshot() == before
    fake_systemctl.use(unit_host, 19)
    assert unit_host.apply(undo_of(applied["id"]))["result"] == "undone"  # the refusal did not use the undo up
    assert unit_host.apply(undo_of(applied["id"]))["reason"] == "already_undone"


def test_when_a_lower_limit_than_expected_would_come_back_the_undo_is_taken_back(unit_host: ScratchHost) -> None:
    live, kept = unit_host.apply(LIVE), unit_host.apply(PERSIST)  # "before" of the second is 400
    fake_systemctl.use(unit_host, 15)
    assert unit_host.apply(undo_of(live["id"]))["result"] == "undone"
    fake_systemctl.use(unit_host, 300)
    before = unit_host.snapshot()
    answer = unit_host.apply(undo_of(kept["id"]))
    assert (answer["reason"], answer["detail"]) == ("undo_unsafe", "in use 300")
    assert unit_host.snapshot() == before
    assert fake_systemctl.limit(unit_host) == "400"
    assert unit_host.status(kept["id"])["journal"] == "applied"


def test_our_file_edited_by_somebody_since_is_left_alone(unit_host: ScratchHost) -> None:
    applied = unit_host.apply(LIVE), unit_host.apply(PERSIST)
    ours = unit_host.path(f"etc/units/{UNIT}.d/zz-triagebook-TasksMax.conf")
    ours.write_text("[Service]\nTasksMax=999\n")
    before = unit_host.snapshot()
    assert unit_host.apply(undo_of(applied[1]["id"]))["reason"] == "changed"
    assert unit_host.snapshot() == before


def test_a_change_that_does_not_take_is_put_back(unit_host: ScratchHost) -> None:
    before = unit_host.snapshot()
    unit_host.write("broken", "")  # daemon-reload fails
    answer = unit_host.apply(NPROC)
    assert answer["result"] == "unknown"  # it cannot be put back while daemon-reload fails
    assert (answer["reason"], answer["journal"]) == ("not_applied", "half")
    unit_host.path("broken").unlink()
    assert unit_host.apply(undo_of(answer["id"]))["result"] == "undone"
    assert unit_host.snapshot() == before


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (("live", UNIT, "20", "20"), "out_of_bounds", "not_higher"),
        (("live", UNIT, "20", "3791"), "out_of_bounds", "half_of_threads_max"),
        (("live", UNIT, "30", "400"), "changed", "20"),
        (("live", UNIT, "max", "400"), "changed", "20"),
        (("live", "docker-0123.scope", "20", "400"), "container_unit", ""),
        (("live", "shop@.service", "20", "400"), "order_value", "unit"),
        (("live", "shop.timer", "20", "400"), "order_value", "unit"),
        (("live", "shop\\x2g.service", "20", "400"), "order_value", "unit"),
        (("live", "a/b.service", "20", "400"), "order_value", "unit"),
    ],
)
def test_a_task_limit_out_of_bounds_is_refused(unit_host: ScratchHost, change: tuple[str, ...], reason: str, detail: str) -> None:
    before = unit_host.snapshot()
    answer = unit_host.apply(fields_of("unit_tasks_max", change))
    assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", reason, detail)
    assert unit_host.snapshot() == before


def test_more_than_an_ancestor_has_room_for_is_refused(unit_host: ScratchHost) -> None:
    unit_host.write("cgroup/system.slice/pids.max", "100\n")
    assert unit_host.apply(LIVE)["detail"] == "ancestor_room"
    assert unit_host.apply(fields_of("unit_tasks_max", ("live", UNIT, "20", "30")))["result"] == "applied"


def test_a_unit_that_systemd_does_not_know_is_refused(unit_host: ScratchHost) -> None:
    unit_host.write("loadstate", "not-found\n")
    assert unit_host.apply(LIVE)["reason"] == "unit_not_loaded"


def test_a_service_limit_keeps_the_hard_limit_unless_it_must_rise(unit_host: ScratchHost) -> None:
    answer = unit_host.apply(NPROC)
    assert (answer["before"], answer["after"]) == ("50:50", "500:500")
    ours = unit_host.path(f"etc/units/{UNIT}.d/zz-triagebook-LimitNPROC.conf")
    assert ours.read_text() == "[Service]\nLimitNPROC=500:500\n"


def test_a_restart_is_of_the_instance_that_was_diagnosed(unit_host: ScratchHost) -> None:
    unit_host.write("proc/self/cgroup", "0::/user.slice/session-1.scope\n")
    assert unit_host.apply(fields_of("unit_restart", ("live", UNIT, "f" * 32)))["reason"] == "changed"
    answer = unit_host.apply(fields_of("unit_restart", ("live", UNIT, "0" * 31 + "1")))
    assert (answer["result"], answer["after"]) == ("applied", "0" * 31 + "2")
    assert unit_host.apply(undo_of(answer["id"]))["reason"] == "no_undo"


def test_a_restart_of_what_the_helper_runs_in_is_refused(unit_host: ScratchHost) -> None:
    unit_host.write("proc/self/cgroup", f"0::/system.slice/{UNIT}\n")
    assert unit_host.apply(fields_of("unit_restart", ("live", UNIT, "0" * 31 + "1")))["detail"] == "own_unit"


def test_a_kernel_value_is_made_permanent_only_after_it_was_tried_live(host: ScratchHost) -> None:
    before = host.snapshot()
    live = host.apply(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")))
    kept = host.apply(fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144")))
    file = host.path("etc/sysctl.d/99-zz-triagebook-vm.max_map_count.conf")
    assert (kept["result"], file.read_text()) == ("applied", "vm.max_map_count = 262144\n")
    assert host.apply(undo_of(kept["id"]))["result"] == "undone"
    assert (file.exists(), host.sysctl("vm/max_map_count")) == (False, "262144")
    assert host.apply(undo_of(live["id"]))["result"] == "undone"
    assert host.snapshot() == before


def test_our_older_file_for_a_key_comes_back_byte_by_byte(host: ScratchHost) -> None:
    file = host.write("etc/sysctl.d/99-zz-triagebook-vm.max_map_count.conf", "vm.max_map_count = 65530\n# kept\n", 0o640)
    before = host.snapshot()
    live = host.apply(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")))
    kept = host.apply(fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144")))
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("vm.max_map_count = 262144\n", 0o640)
    assert host.apply(undo_of(kept["id"]))["result"] == "undone"
    assert host.apply(undo_of(live["id"]))["result"] == "undone"
    assert host.snapshot() == before


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("etc/sysctl.conf", "vm.max_map_count = 65530\n", "overridden"),
        ("etc/sysctl.conf", " vm/max_map_count=65530\n", "overridden"),
        ("etc/sysctl.conf", "vm.max_map_count = 262144\n", "ok"),
        ("etc/sysctl.conf", "# vm.max_map_count = 65530\n", "ok"),
        ("usr/sysctl.d/99-zzz.conf", "-vm.max_map_count = 65530\n", "overridden"),
        ("etc/sysctl.d/10-early.conf", "vm.max_map_count = 65530\n", "ok"),
    ],
)
def test_a_file_that_would_win_at_the_next_boot_is_refused_by_name(host: ScratchHost, name: str, text: str, reason: str) -> None:
    host.write("proc/sys/vm/max_map_count", "262144\n")
    host.write(name, text)
    answer = host.apply(fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144")))
    assert answer["reason"] == reason


def test_ratio_and_kbytes_come_back_as_a_pair(host: ScratchHost) -> None:
    host.write("proc/sys/vm/overcommit_kbytes", "450000\n")
    host.write("proc/sys/vm/overcommit_ratio", "0\n")
    host.write("proc/meminfo", "MemTotal: 1000000 kB\nCommitted_AS: 100000 kB\nSwapTotal: 0 kB\n")
    applied = host.apply(fields_of("sysctl", ("live", "vm.overcommit_ratio", "0", "80")))
    assert applied["result"] == "applied"
    host.write("proc/sys/vm/overcommit_kbytes", "0\n")  # as the kernel does when the ratio is written
    host.apply(undo_of(applied["id"]))
    assert host.sysctl("vm/overcommit_kbytes") == "450000"


@pytest.mark.parametrize(("committed", "result"), [(500000 - 262144, "refused"), (500000 - 262145, "undone")])
def test_strict_overcommit_comes_back_only_with_room(host: ScratchHost, committed: int, result: str) -> None:
    applied = host.apply(fields_of("sysctl", ("live", "vm.overcommit_memory", "2", "0")))
    assert applied["result"] == "applied"
    host.write("proc/meminfo", f"MemTotal: 1000000 kB\nCommitted_AS: {committed} kB\nSwapTotal: 0 kB\n")
    answer = host.apply(undo_of(applied["id"]))
    assert (answer["result"], answer["reason"]) == (result, "undo_unsafe" if result == "refused" else "ok")
    assert host.sysctl("vm/overcommit_memory") == ("0" if result == "refused" else "2")


@pytest.mark.parametrize(("tasks", "result"), [(7580 - 300, "refused"), (7580 - 301, "undone")])
@pytest.mark.parametrize("key", ["kernel.threads-max", "kernel.pid_max"])
def test_a_task_limit_of_the_host_comes_back_only_with_room(host: ScratchHost, key: str, tasks: int, result: str) -> None:
    host.write("proc/sys/kernel/pid_max", "7580\n")
    applied = host.apply(fields_of("sysctl", ("live", key, "7580", "15000")))
    assert applied["result"] == "applied"
    host.tasks(tasks)
    answer = host.apply(undo_of(applied["id"]))
    assert (answer["result"], answer["reason"]) == (result, "undo_unsafe" if result == "refused" else "ok")


def test_a_live_value_that_somebody_changed_since_is_left_alone(host: ScratchHost) -> None:
    applied = host.apply(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")))
    host.write("proc/sys/vm/max_map_count", "300000\n")
    assert host.apply(undo_of(applied["id"]))["reason"] == "changed"
    assert host.sysctl("vm/max_map_count") == "300000"


def test_after_a_reboot_there_is_no_live_value_to_undo(host: ScratchHost) -> None:
    applied = host.apply(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")))
    rebooted = "99999999-2222-3333-4444-555555555555"
    host.write("proc/sys/kernel/random/boot_id", rebooted + "\n")
    answer = host.send(host.key.seal(host.order(undo_of(applied["id"]), boot=rebooted)))
    assert (answer["reason"], answer["detail"]) == ("nothing_to_undo", "rebooted")


def test_a_value_the_kernel_does_not_take_is_put_back(host: ScratchHost) -> None:
    value = host.path("proc/sys/vm/max_map_count")
    value.unlink()
    value.symlink_to("/dev/null")  # takes anything and keeps nothing
    host.write("proc/sys/vm/max_map_count.real", "65530\n")
    host.write(
        "bin/cat",
        f'#!/bin/sh\ncase $1 in */max_map_count) exec /bin/cat {value}.real ;; esac\nexec /bin/cat "$@"\n',
        0o755,
    )
    answer = host.apply(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")))
    assert (answer["result"], answer["reason"], answer["journal"]) == ("failed", "not_taken", "restored")
