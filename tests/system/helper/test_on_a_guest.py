"""The helper, its actions and the preparation on a real systemd guest of the laboratory."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions.orders import OrderKey, undo_of
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.check import check, prove_diagnoser, prove_fixer
from triagebook.tools.host_setup.keys import add_signer, revoke_signer
from triagebook.tools.host_setup.layout import Signer
from triagebook.tools.host_setup.uninstall import uninstall

from tests.system.helper.guest import NAME, Guest

pytestmark = [pytest.mark.lab, pytest.mark.long]


def test_installing_and_uninstalling_leaves_the_host_as_it_was(bare: Guest) -> None:
    before = bare.snapshot()
    assert bare.prepare().missing == ()
    findings = check(bare.root, now=lambda: datetime.now(UTC))
    proofs = prove_diagnoser(bare.account(layout.DIAGNOSER, "diag"))
    assert bare.installed is not None
    proofs += prove_fixer(bare.account(layout.FIXER, "fix"), bare.installed.target)
    assert [finding for finding in (*findings, *proofs) if not finding.is_met] == []
    uninstall(bare.root)
    after = [line for line in bare.snapshot().splitlines() if not is_a_backup_of_shadow(line)]
    assert after == [line for line in before.splitlines() if not is_a_backup_of_shadow(line)]


def is_a_backup_of_shadow(line: str) -> bool:
    """useradd and userdel keep the former version beside the file, and count subordinate ids."""
    return any(name in line for name in ("/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-"))


def test_a_task_limit_live_and_persistent_and_back(guest: Guest) -> None:
    before, main_pid = guest.snapshot(), guest.shell(f"systemctl show -p MainPID -p NRestarts {NAME}")
    live = guest.apply("unit_tasks_max", {"unit": NAME, "limit": 200}, "live")
    kept = guest.apply("unit_tasks_max", {"unit": NAME, "limit": 200}, "persist")
    assert guest.shell(f"cat /sys/fs/cgroup/system.slice/{NAME}/pids.max").strip() == "200"
    assert guest.undo(live)["after"] == "200"
    assert guest.undo(kept)["after"] == "20"
    assert guest.shell(f"systemctl show -p MainPID -p NRestarts {NAME}") == main_pid
    assert guest.snapshot() == before


def test_a_users_processes_live_and_persistent_and_back(guest: Guest) -> None:
    before, uid = guest.snapshot(), guest.shell("id -u appuser").strip()
    limits = "for pid in $(pgrep -U appuser); do grep processes /proc/$pid/limits; done"
    was = guest.shell(limits)
    live = guest.apply("user_nproc", {"user": "appuser", "uid": uid, "limit": 200}, "live")
    assert {line.split()[2] for line in guest.shell(limits).splitlines()} == {"200"}
    kept = guest.apply("user_nproc", {"user": "appuser", "uid": uid, "limit": 200}, "persist")
    assert "nproc" in guest.shell("cat /etc/security/limits.d/zz-triagebook-appuser.conf")
    assert guest.undo(kept)["result"] == "undone"
    assert guest.undo(live)["result"] == "undone"
    assert guest.shell(limits) == was
    assert guest.snapshot() == before


def test_kernel_values_live_and_persistent_and_back(guest: Guest) -> None:
    guest.shell("sysctl -qw kernel.pid_max=40000")
    before = guest.snapshot()
    for key, value in (("vm.max_map_count", 262144), ("kernel.pid_max", 4194304), ("kernel.threads-max", 6000)):
        live = guest.apply("sysctl", {"key": key, "value": value}, "live")
        kept = guest.apply("sysctl", {"key": key, "value": value}, "persist")
        assert guest.undo(kept)["result"] == "undone"
        assert guest.undo(live)["result"] == "undone"
        assert guest.snapshot() == before


def test_strict_overcommit_wider_and_back_and_never_back_below_use(guest: Guest) -> None:
    committed = int(guest.shell("awk '/^Committed_AS/ { print $2 }' /proc/meminfo"))
    guest.shell(f"sysctl -qw vm.overcommit_kbytes={committed + 270000} && sysctl -qw vm.overcommit_memory=2")
    try:
        before = guest.snapshot()
        wider = guest.apply("sysctl", {"key": "vm.overcommit_ratio", "value": 100}, "live")
        assert guest.undo(wider)["result"] == "undone"
        assert guest.snapshot() == before
        relaxed = guest.apply("sysctl", {"key": "vm.overcommit_memory", "value": 0}, "live")
        guest.shell("dd if=/dev/zero of=/dev/null bs=200M count=1000000 >/dev/null 2>&1 & echo $! >/run/hog; sleep 1")
        refused = guest.undo(relaxed)
        assert (refused["result"], refused["reason"]) == ("refused", "undo_unsafe")
        assert guest.shell("echo reachable").strip() == "reachable"
        guest.shell("kill $(cat /run/hog); rm /run/hog; sleep 1")
        assert guest.undo(relaxed)["result"] == "undone"
        assert guest.snapshot() == before
    finally:
        guest.shell("sysctl -qw vm.overcommit_memory=0; sysctl -qw vm.overcommit_ratio=50")


def test_threads_max_never_back_below_use(guest: Guest) -> None:
    tasks = int(guest.shell("cut -d' ' -f4 /proc/loadavg").split("/")[1])
    guest.shell(f"cat /proc/sys/kernel/threads-max >/run/was; sysctl -qw kernel.threads-max={tasks + 250}")
    try:
        raised = guest.apply("sysctl", {"key": "kernel.threads-max", "value": 6000}, "live")
        refused = guest.undo(raised)
        assert (refused["result"], refused["reason"]) == ("refused", "undo_unsafe")
        assert guest.shell("echo reachable").strip() == "reachable"
    finally:
        guest.shell("cat /run/was >/proc/sys/kernel/threads-max; rm /run/was")


def test_limits_of_one_process_and_back(guest: Guest) -> None:
    pid = guest.shell(f"systemctl show -p MainPID --value {NAME}").strip()
    guest.shell(f"prlimit --pid {pid} --as=300000000:400000000")
    before = guest.shell(f"cat /proc/{pid}/limits")
    applied = guest.apply("process_limit", {"pid": pid, "resource": "as", "limit": 500000000}, "live")
    assert "500000000" in guest.shell(f"cat /proc/{pid}/limits")
    assert guest.undo(applied)["result"] == "undone"
    assert guest.shell(f"cat /proc/{pid}/limits") == before


def test_a_service_limit_holds_from_the_next_start_and_back(guest: Guest) -> None:
    before = guest.snapshot()
    applied = guest.apply("unit_limit", {"unit": NAME, "resource": "nproc", "limit": 300}, "persist")
    guest.apply("unit_restart", {"unit": NAME}, "live")
    pid = guest.shell(f"systemctl show -p MainPID --value {NAME}").strip()
    assert " 300 " in guest.shell(f"grep processes /proc/{pid}/limits")
    assert guest.undo(applied)["result"] == "undone"
    assert guest.snapshot() == before


def test_a_swap_file_live_and_persistent_and_back(guest: Guest) -> None:
    before = guest.snapshot()
    live = guest.apply("swap_file", {"path": "/triagebook.swap", "size_mib": 64}, "live")
    kept = guest.apply("swap_file", {"path": "/triagebook.swap", "size_mib": 64}, "persist")
    assert guest.undo(live)["reason"] == "undo_order"
    assert guest.undo(kept)["result"] == "undone"
    assert guest.undo(live)["result"] == "undone"
    assert guest.snapshot() == before


def test_swap_on_tmpfs_is_refused(guest: Guest) -> None:
    from triagebook.tools.actions.orders import fields_of

    answer = guest.send(fields_of("swap_file", ("live", "/run/triagebook.swap", "64"))).answer
    assert (answer["reason"], answer["detail"]) == ("filesystem", "tmpfs")


def test_a_process_is_asked_before_it_is_killed(guest: Guest) -> None:
    pid = guest.shell("setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null & echo $!").strip()
    assert guest.send(guest.plan("process_signal", {"pid": pid, "signal": "KILL"}, "live")).answer["reason"] == "term_first"
    asked = guest.apply("process_signal", {"pid": pid, "signal": "TERM"}, "live")
    assert asked["after"] == "alive"
    killed = guest.apply("process_signal", {"pid": pid, "signal": "KILL"}, "live")
    assert killed["after"] == "gone"
    assert guest.undo(killed)["reason"] == "no_undo"


def test_an_order_is_never_carried_out_twice(guest: Guest) -> None:
    order = guest.plan("sysctl", {"key": "vm.max_map_count", "value": 262144}, "live")
    assert guest.send(order, "a" * 32).answer["result"] == "applied"
    assert guest.send(order, "a" * 32).answer["reason"] == "replayed"
    assert guest.status("a" * 32)["journal"] == "applied"
    assert guest.send(undo_of("a" * 32)).answer["result"] == "undone"


def test_two_keys_sign_while_one_replaces_the_other(guest: Guest) -> None:
    old, new = guest.key, OrderKey(Ed25519PrivateKey.generate())
    signers, revoked = (guest.shell(f"cat {path}") for path in (layout.SIGNERS, layout.REVOKED))
    change = guest.plan("sysctl", {"key": "vm.max_map_count", "value": 262144}, "live")
    try:
        add_signer(guest.root, Signer(new.public(), datetime.now(UTC) + timedelta(days=1)))
        for key in (old, new):
            guest.key = key
            answer = guest.send(change).answer
            assert (answer["result"], guest.undo(answer)["result"]) == ("applied", "undone")
        revoke_signer(guest.root, old.public())
        guest.key = old
        assert guest.send(change).answer["reason"] == "signature_invalid"
        with pytest.raises(UsageError, match="the only key"):
            revoke_signer(guest.root, new.public())
        with pytest.raises(UsageError, match="revoked"):
            add_signer(guest.root, Signer(old.public(), datetime.now(UTC) + timedelta(days=1)))
    finally:
        guest.key = old
        guest.root.put(layout.SIGNERS, signers, "644")
        guest.root.put(layout.REVOKED, revoked, "644")


def test_killed_at_ten_points_the_host_is_whole_and_the_journal_honest(guest: Guest) -> None:
    guest.shell(f"systemctl start {NAME}")
    change = guest.plan("unit_tasks_max", {"unit": NAME, "limit": 200}, "persist")
    before, states = guest.snapshot(), []
    for point in range(10):
        order_id = f"{point:032x}"
        guest.root.run("dd", "of=/run/order", "status=none", stdin=guest.sealed(change, order_id))
        points = f"sleep 0.{point}; sleep 0.{point}"
        guest.shell(f"/opt/triagebook/helper </run/order >/run/answer & pid=$!; {points}; kill -9 $pid; wait $pid; true")
        guest.shell("until flock -n /run/triagebook/lock true; do sleep 0.1; done")  # its children hold the lock
        state = guest.status(order_id)["journal"]
        states.append(state)
        left = guest.shell("cat /etc/systemd/system/*.d/zz-triagebook-*.conf 2>/dev/null; true")
        assert left in ("", "[Service]\nTasksMax=200\n")
        again = guest.send_bytes(guest.sealed(change, order_id)).answer
        assert again["reason"] == ("ok" if state == "none" else "replayed")
        undone = guest.send(undo_of(order_id)).answer
        assert undone["result"] == ("refused" if state == "claimed" else "undone"), (state, undone)
        assert guest.snapshot() == before, (point, state)
    guest.shell("rm /run/order /run/answer")
    assert len(set(states)) > 1, states
