"""A unit's memory limit on a scratch host: raised live and for good, taken back, refused where somebody would be killed for it."""

import pytest
from triagebook.tools.actions.orders import fields_of, undo_of

from tests.system.helper import fake_systemctl
from tests.system.helper.fake_systemctl import UNIT
from tests.system.helper.scratch_host import ScratchHost

MIB = 1 << 20
OLD, NEW = 48 * MIB, 96 * MIB
LIVE = fields_of("unit_memory_max", ("live", UNIT, str(OLD), str(NEW)))
PERSIST = fields_of("unit_memory_max", ("persist", UNIT, str(NEW), str(NEW)))


@pytest.fixture(params=["systemd-252", "systemd-257"])
def unit_host(host: ScratchHost, request: pytest.FixtureRequest) -> ScratchHost:
    """A host with one unit that may use 48 MiB and holds 40."""
    fake_systemctl.install(host, request.param)
    return host


def limit(host: ScratchHost) -> int:
    return int(host.path(f"cgroup/system.slice/{UNIT}/memory.max").read_text())


def test_a_live_memory_limit_is_set_by_systemd_and_undone_by_deleting_its_file(unit_host: ScratchHost) -> None:
    before = unit_host.snapshot()
    answer = unit_host.apply(LIVE)
    assert (answer["result"], answer["before"], answer["after"]) == ("applied", str(OLD), str(NEW)), answer
    assert limit(unit_host) == NEW
    assert unit_host.apply(undo_of(answer["id"]))["after"] == str(OLD)
    assert unit_host.snapshot() == before


def test_live_then_persistent_are_undone_in_either_order(unit_host: ScratchHost) -> None:
    before = unit_host.snapshot()
    for reverse in (True, False):
        orders = [unit_host.apply(LIVE)["id"], unit_host.apply(PERSIST)["id"]]
        ours = unit_host.path(f"etc/units/{UNIT}.d/zz-triagebook-MemoryMax.conf")
        assert ours.read_text() == f"[Service]\nMemoryMax={NEW}\n"
        for order in reversed(orders) if reverse else orders:
            assert unit_host.apply(undo_of(order))["result"] == "undone"
        assert unit_host.snapshot() == before


def test_going_below_what_cannot_be_given_back_is_undo_unsafe(unit_host: ScratchHost) -> None:
    applied = unit_host.apply(LIVE)
    fake_systemctl.hold(unit_host, 49 * MIB)
    before = unit_host.snapshot()
    answer = unit_host.apply(undo_of(applied["id"]))
    assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", "undo_unsafe", f"in use {49 * MIB}")
    assert unit_host.snapshot() == before
    fake_systemctl.hold(unit_host, 40 * MIB)
    assert unit_host.apply(undo_of(applied["id"]))["result"] == "undone"


@pytest.mark.parametrize(
    ("wanted", "file", "text", "detail"),
    [
        (40 * MIB, "", "", "not_higher"),
        (50 * MIB, f"cgroup/system.slice/{UNIT}/memory.current", f"{51 * MIB}\n", "below_use"),
        (NEW, "cgroup/system.slice/memory.max", f"{64 * MIB}\n", "ancestor_room"),
        (NEW, "proc/meminfo", "MemTotal: 100000 kB\nMemAvailable: 20000 kB\n", "available_memory"),
    ],
)
def test_what_would_have_somebody_killed_is_refused(unit_host: ScratchHost, wanted: int, file: str, text: str, detail: str) -> None:
    if file:
        unit_host.write(file, text)
    before = unit_host.snapshot()
    answer = unit_host.apply(fields_of("unit_memory_max", ("live", UNIT, str(OLD), str(wanted))))
    assert (answer["reason"], answer["detail"]) == ("out_of_bounds", detail)
    assert unit_host.snapshot() == before


def test_a_limit_that_changed_meanwhile_is_refused(unit_host: ScratchHost) -> None:
    unit_host.write(f"cgroup/system.slice/{UNIT}/memory.max", "max\n")
    answer = unit_host.apply(LIVE)
    assert (answer["reason"], answer["detail"]) == ("changed", "max")


def test_a_drop_in_that_would_win_over_ours_is_refused_by_name(unit_host: ScratchHost) -> None:
    unit_host.write(f"etc/units/{UNIT}.d/zzz.conf", f"[Service]\nMemoryMax={OLD}\n")
    answer = unit_host.apply(fields_of("unit_memory_max", ("persist", UNIT, str(OLD), str(NEW))))
    assert answer["reason"] == "overridden"
