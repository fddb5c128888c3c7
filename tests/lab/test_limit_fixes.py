"""Fixes of limits that the table of scenarios does not have, on a guest: approved, applied, validated by fresh facts, reverted.

`TRIAGEBOOK_LAB=all python -m pytest tests/lab/test_limit_fixes.py -m long -s` prints each fix: release, result, seconds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.lab.approval_server import ASKS, Fixing, prepared
from tests.lab.field import RECIPES, make, programs
from tests.lab.fix_table import Step, Trial

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]
FILES = "cat /etc/systemd/system/*.d/zz-triagebook-* /etc/sysctl.d/99-zz-triagebook-* 2>/dev/null; true"


@pytest.fixture(scope="module")
def fixing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixing]:
    """One guest for all, prepared, and a server's parts."""
    try:
        guest = lab.up("debian-12", "limits")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    try:
        folder: Path = tmp_path_factory.mktemp("limits")
        with prepared(guest, folder) as made:
            yield made
    finally:
        lab.down(guest.name)


def carried_out(fixing: Fixing, remediation: str, ending: str = "validated") -> str:
    """Propose a fix, have the other person approve it, apply it; give its id."""
    done, seconds = fixing.applied(fixing.proposed(remediation))
    fixing.row(Trial("limits", "", ()), Step(remediation), done, seconds)
    assert done.state == ending, done.outcome
    return done.id


def taken_back(fixing: Fixing, fix: str) -> None:
    """Revert a fix; that is approved and applied like it."""
    back, seconds = fixing.applied(fixing.service.revert(ASKS, fix, "trial"))
    fixing.row(Trial("limits", "", ()), Step(f"revert {fix}"), back, seconds)
    assert (back.state, fixing.service.show(ASKS, fix).state) == ("validated", "reverted"), back.outcome


def test_locked_memory_of_a_service_is_raised_for_now_and_for_its_next_start_and_put_back(fixing: Fixing) -> None:
    guest = fixing.machine
    make(guest, RECIPES["memlock-of-a-service"], programs())
    pid = guest.agent.check("systemctl", "show", "-p", "MainPID", "--value", "locks").strip()

    def limit() -> str:
        text = guest.agent.ask("read", f"/proc/{pid}/limits").text
        return next(line for line in text.splitlines() if line.startswith("Max locked memory"))

    before = limit()
    unit = carried_out(fixing, "raise_unit_memlock", ending="unresolved")  # it holds from the next start of the unit
    assert "LimitMEMLOCK=67108864:67108864" in guest.agent.check("sh", "-c", FILES)
    live = carried_out(fixing, "raise_memlock")
    assert limit().split()[3:5] == ["67108864", "67108864"]
    guest.agent.check("kill", "-USR1", pid)  # an undo below what is locked is refused
    guest.agent.check("sh", "-c", f"for n in 1 2 3 4 5; do sleep 1; done; grep VmLck /proc/{pid}/status")
    taken_back(fixing, live)
    taken_back(fixing, unit)
    assert (limit(), guest.agent.check("sh", "-c", FILES)) == (before, "")


def test_events_of_asynchronous_io_are_raised_and_put_back(fixing: Fixing) -> None:
    guest = fixing.machine
    make(guest, RECIPES["aio-max-nr"], programs())
    fix = carried_out(fixing, "raise_aio_max")
    assert guest.agent.do("read", "/proc/sys/fs/aio-max-nr").strip() == "1048576"
    guest.agent.check("systemctl", "stop", "aio")
    taken_back(fixing, fix)
    assert guest.agent.do("read", "/proc/sys/fs/aio-max-nr").strip() == "1024"
