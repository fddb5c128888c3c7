"""Fixes of open files, of the network stack and of a unit's memory on a guest: approved, applied, validated, permanent, reverted.

`TRIAGEBOOK_LAB=all python -m pytest tests/lab/test_file_and_network_fixes.py -m long -s` prints each fix: release, result, seconds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.lab import kernel_modules
from tests.lab.approval_server import ASKS, Fixing, prepared
from tests.lab.change_table import CHANGES, HERE, Change
from tests.lab.field import RECIPES, as_root, make, programs
from tests.lab.fix_table import Step, Trial

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]
FILES = (
    "cat /etc/systemd/system/*.d/zz-triagebook-* /run/systemd/system.control/*.d/* "
    "/run/systemd/transient/*.d/50-MemoryMax.conf /etc/sysctl.d/99-zz-triagebook-* 2>/dev/null; "
    "ls -d /etc/systemd/system/*.d /run/systemd/system.control 2>/dev/null; true"
)


UNITS = ("websrv", "clientd", "watchd", "fdsrv", "udpd", "aio", "opt", "batchd")


@pytest.fixture(scope="module")
def packed() -> bytes:
    """The programs that are refused, compiled once."""
    return programs()


@pytest.fixture(autouse=True)
def mended(fixing: Fixing) -> Iterator[None]:
    """End what a test has started, also where it failed: the names of its units are needed again, and the values they had."""
    agent = fixing.machine.agent
    values = {change.file: agent.ask("read", change.file) for change in CHANGES if change.file.startswith("/proc/sys/")}
    yield
    for file, value in values.items():
        if not value.errno:
            agent.do("write", file, value.text.strip())
    agent.check("sh", "-c", "rm -f /etc/sysctl.d/99-zz-triagebook-* /etc/modules-load.d/conntrack.conf")
    agent.run("systemctl", "kill", "-s", "KILL", *UNITS)
    agent.run("systemctl", "stop", *UNITS)
    agent.run("systemctl", "reset-failed", *UNITS)


@pytest.fixture(scope="module")
def fixing(tmp_path_factory: pytest.TempPathFactory, packed: bytes) -> Iterator[Fixing]:
    """One guest for all, prepared, with the programs that are refused, and a server's parts."""
    try:
        guest = lab.up("debian-12", "files-and-network")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    try:
        folder: Path = tmp_path_factory.mktemp("files")
        modules = kernel_modules.archive_of(guest.release, kernel_modules.CONNTRACK)
        for archive in (modules, packed):
            as_root(
                guest, "mkdir -p /opt/acme/bin && tar -xzf - -C /opt/acme/bin && chmod 755 /opt/acme/bin /opt/acme/bin/*", archive
            )
        with prepared(guest, folder) as made:
            yield made
    finally:
        lab.down(guest.name)


def carried_out(fixing: Fixing, runbook: str, remediation: str, ending: str = "validated", **parameters: int | str) -> str:
    """Propose a fix, have the other person approve it, apply it; give its id."""
    done, seconds = fixing.applied(fixing.proposed(remediation, runbook=runbook, **parameters))
    fixing.row(Trial(runbook, "", ()), Step(remediation), done, seconds)
    assert done.state == ending, done.outcome
    return done.id


def reverted(fixing: Fixing, fix: str) -> tuple[str, str, str]:
    """Revert a fix, which is approved and applied like it; give both states and the outcome."""
    back, seconds = fixing.applied(fixing.undone(fix))
    fixing.row(Trial("revert", "", ()), Step(f"revert {fix}"), back, seconds)
    return back.state, fixing.service.show(ASKS, fix).state, back.outcome


def held(guest: lab.Machine) -> str:
    """Start a service that wants twelve descriptors and may have ten; give its PID. Who diagnoses is its owner, and may count."""
    guest.agent.check(
        "systemd-run", "-q", "--unit=fdsrv", "-p", "User=diag", "-p", "LimitNOFILE=10:1024", "/opt/acme/bin/fds", "null", "9"
    )
    pid = main_pid(guest)
    guest.agent.check("sh", "-c", f"n=0; until [ -e /proc/{pid}/fd/9 ]; do n=$((n+1)); [ $n -lt 60 ] || exit 1; sleep 1; done")
    return pid


def main_pid(guest: lab.Machine) -> str:
    """The first process of the holder's service."""
    return guest.agent.check("systemctl", "show", "-p", "MainPID", "--value", "fdsrv").strip()


def limit_of(guest: lab.Machine, pid: str) -> list[str]:
    """The soft and the hard limit of open files of a process."""
    text = guest.agent.ask("read", f"/proc/{pid}/limits").text
    return next(line for line in text.splitlines() if line.startswith("Max open files")).split()[3:5]


def offered_limit(guest: lab.Machine, pid: str) -> str:
    """What the runbook offers: four times the limit of ten, or twice the table, whose size depends on what systemd had open."""
    text = guest.agent.ask("read", f"/proc/{pid}/status").text
    slots = next(line for line in text.splitlines() if line.startswith("FDSize:")).split()[1]
    return str(max(40, 2 * int(slots)))


def test_open_files_of_a_process_and_of_its_unit_are_raised_and_put_back_when_it_has_closed_some(fixing: Fixing) -> None:
    guest = fixing.machine
    fixing.diagnose_as("diag")
    files = guest.agent.check("sh", "-c", FILES)
    pid = held(guest)
    before, wanted = limit_of(guest, pid), offered_limit(guest, pid)
    unit = carried_out(fixing, "emfile", "raise_unit_nofile", ending="unresolved")  # it holds from the next start of the unit
    assert f"LimitNOFILE={wanted}:1024" in guest.agent.check("sh", "-c", FILES)
    live = carried_out(fixing, "emfile", "raise_process_nofile")
    assert limit_of(guest, pid) == [wanted, "1024"]
    state, of_fix, outcome = reverted(fixing, live)
    assert (state, of_fix, "undo_unsafe" in outcome) == ("failed", "validated", True), outcome
    guest.agent.check("kill", "-USR1", pid)
    assert reverted(fixing, live)[:2] == ("validated", "reverted")
    assert reverted(fixing, unit)[:2] == ("validated", "reverted")
    assert (limit_of(guest, pid), guest.agent.check("sh", "-c", FILES)) == (before, files)


def test_a_service_gets_its_new_limit_of_open_files_by_a_restart_that_is_approved_on_its_own(fixing: Fixing) -> None:
    guest = fixing.machine
    fixing.diagnose_as("diag")
    old = held(guest)
    wanted = offered_limit(guest, old)
    unit = carried_out(fixing, "emfile", "raise_unit_nofile", ending="unresolved")
    carried_out(fixing, "emfile", "restart_unit")
    new = main_pid(guest)
    assert (new != old, limit_of(guest, new)) == (True, [wanted, "1024"])
    assert reverted(fixing, unit)[:2] == ("validated", "reverted")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.recipe)
def test_a_value_is_raised_for_now_and_for_good_and_put_back(fixing: Fixing, packed: bytes, change: Change) -> None:
    guest = fixing.machine
    fixing.diagnose_as(change.who)
    files = guest.agent.check("sh", "-c", FILES)
    recipe = (HERE | RECIPES)[change.recipe]
    symptom = recipe.symptom if change.is_by_text else ""
    make(guest, recipe, packed)
    before = guest.agent.do("read", change.file)
    live = carried_out(fixing, change.runbook, change.remediation, change.ending, symptom=symptom, **change.parameters)
    raised = guest.agent.do("read", change.file)
    assert [int(word) for word in raised.split()] != [int(word) for word in before.split()]
    if change.use:
        shown = as_root(guest, f"n=0; until {change.use}; do n=$((n+1)); [ $n -lt 20 ] || exit 9; sleep 2; done")
        assert shown.returncode == 0, change.use
    if change.restart:
        guest.agent.check("systemctl", "restart", change.restart)
        found = fixing.trust.diagnoser.diagnose(fixing.host, change.runbook, {})
        active = [item.active for item in (found.verdict, *found.also) if item and item.cause == change.cause]
        assert "now" not in active, found.headline  # what waits at a listener that accepts nothing goes on to wait
    kept, seconds = fixing.applied(fixing.made_permanent(live))
    fixing.row(Trial("permanent", "", ()), Step(change.remediation, is_persist=True), kept, seconds)
    assert kept.state in {change.ending, "validated"}, kept.outcome
    assert " ".join(raised.split()) in guest.agent.check("sh", "-c", FILES)
    guest.agent.check("sh", "-c", change.relief)
    assert reverted(fixing, kept.id)[:2] == ("validated", "reverted")
    assert reverted(fixing, live)[:2] == ("validated", "reverted")
    assert (guest.agent.do("read", change.file), guest.agent.check("sh", "-c", FILES)) == (before, files)
