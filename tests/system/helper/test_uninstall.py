"""What `host uninstall` finds of fixes that still hold: in the journal that the real helper wrote."""

import subprocess
from collections.abc import Sequence

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions.orders import fields_of, undo_of
from triagebook.tools.host_setup import uninstall as subject
from triagebook.tools.host_setup.remote import Ran, Remote
from triagebook.tools.host_setup.uninstall import changes_in_place, uninstall

from tests.system.helper.scratch_host import ScratchHost

LIVE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
KEPT = fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144"))


class HereRemote(Remote):
    """Runs the programs on this machine, as the test's own account."""

    def __init__(self) -> None:
        self.ran: list[Sequence[str]] = []

    def ask(self, *argv: str, stdin: bytes = b"") -> Ran:
        self.ran.append(argv)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=False, check=False)
        return Ran(argv, done.returncode, done.stdout.decode(), done.stderr.decode())


def standing(host: ScratchHost) -> list[str]:
    journal, boot_id = str(host.path("state/journal")), str(host.path("proc/sys/kernel/random/boot_id"))
    return [change.says() for change in changes_in_place(HereRemote(), journal, boot_id)]


def test_live_and_lasting_changes_are_named_until_they_are_undone_or_the_boot_ended(host: ScratchHost) -> None:
    assert standing(host) == []
    live, kept = host.apply(LIVE), host.apply(KEPT)
    assert (live["result"], kept["result"]) == ("applied", "applied")
    says = sorted(standing(host))
    assert [line.partition("; order")[0] for line in says] == [
        "sysctl step=live key=vm.max_map_count before=65530 value=262144 (live, until the next boot or restart",
        "sysctl step=persist key=vm.max_map_count before=262144 value=262144 (also after the next boot",
    ]
    host.write("proc/sys/kernel/random/boot_id", "99999999-2222-3333-4444-555555555555\n")
    assert len(standing(host)) == 1
    assert "also after the next boot" in standing(host)[0]


def test_an_undone_change_is_not_named(host: ScratchHost) -> None:
    live = host.apply(LIVE)
    assert len(standing(host)) == 1
    assert host.apply(undo_of(live["id"]))["result"] == "undone"
    assert standing(host) == []


def test_a_change_that_was_cut_half_way_is_named_with_its_state(host: ScratchHost) -> None:
    live = host.apply(LIVE)
    host.write(f"state/journal/{live['id']}/state", "half\n")
    assert "left half" in standing(host)[0]


def test_uninstalling_beside_a_live_change_touches_nothing_and_names_it(host: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.apply(LIVE)
    found = changes_in_place(HereRemote(), str(host.path("state/journal")), str(host.path("proc/sys/kernel/random/boot_id")))
    monkeypatch.setattr(subject, "changes_in_place", lambda _remote: found)
    remote = HereRemote()
    with pytest.raises(UsageError, match=r"1 change is still in place.*\n  sysctl step=live key=vm.max_map_count"):
        uninstall(remote)
    assert remote.ran == []
