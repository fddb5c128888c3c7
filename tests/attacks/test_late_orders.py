"""An order's time runs out while the helper works: the disk, a lock or a stopped process took long. It is not carried out."""

import os
from collections.abc import Iterator

import pytest
from triagebook.tools.actions.orders import OrderedChange, fields_of, render, undo_of

from tests.system.helper.scratch_host import parsed
from tests.system.helper.test_kill import KillableHost

CHANGE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
NAME = "vm/max_map_count"
DATE = """#!/bin/sh
[ ! -e ROOT/late ] || exec /bin/date -d '+10 minutes' "$@"
exec /bin/date "$@"
"""
POINTS = range(3, 120, 10)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper runs as root")


@pytest.fixture
def host() -> Iterator[KillableHost]:
    """A host on which ten minutes pass before a chosen program of the helper."""
    with KillableHost("dash") as made:
        made.wrap(
            "CONT", "{ read -r seen <ROOT/proc/sys/vm/max_map_count; echo $seen >ROOT/late; }".replace("ROOT", str(made.root))
        )
        made.write("slow-date", DATE.replace("ROOT", str(made.root)), 0o755)
        wrapper = made.path("traps/date")
        wrapper.write_text(wrapper.read_text().replace("exec /usr/bin/date", f"exec {made.root}/slow-date"))
        wrapper.write_text(wrapper.read_text().replace("exec /bin/date", f"exec {made.root}/slow-date"))
        yield made


def _late_at(host: KillableHost, point: int, change: OrderedChange) -> tuple[str, str, str]:
    """Result, reason, and the value at the moment when the ten minutes passed (empty: the helper had ended before)."""
    host.path("late").unlink(missing_ok=True)
    answer = parsed(host.run_until(point, host.key.seal(host.order(change)))[1])
    late = host.path("late")
    return answer["result"], answer["reason"], late.read_text().strip() if late.exists() else ""


def test_ten_minutes_that_pass_before_the_change_leave_it_undone(host: KillableHost) -> None:
    refused = 0
    for point in POINTS:
        result, reason, seen = _late_at(host, point, CHANGE)
        if seen == "65530":
            assert (result, host.sysctl(NAME)) == ("refused", "65530"), (point, reason)
            refused += 1
        else:
            assert (result, host.sysctl(NAME)) == ("applied", "262144"), (point, reason)
        host.path(f"proc/sys/{NAME}").write_text("65530\n")
    assert refused >= 4


def test_ten_minutes_that_pass_before_an_undo_leave_the_change_as_it_is(host: KillableHost) -> None:
    refused = 0
    for point in POINTS:
        host.path("late").unlink(missing_ok=True)
        done = host.envelope()
        assert host.send(host.key.seal(render(done, CHANGE)))["result"] == "applied"
        result, reason, seen = _late_at(host, point, undo_of(done.id))
        if seen == "262144":
            assert (result, host.sysctl(NAME)) == ("refused", "262144"), (point, reason)
            assert host.status(done.id)["journal"] == "applied"
            refused += 1
        else:
            assert (result, host.sysctl(NAME)) == ("undone", "65530"), (point, reason)
        host.path(f"proc/sys/{NAME}").write_text("65530\n")
    assert refused >= 4
