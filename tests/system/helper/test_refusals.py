"""What is sent straight to the helper and must be refused, each with its own reason and with nothing changed."""

import fcntl
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.actions.orders import OrderKey, fields_of, undo_of

from tests.hang import GUARD_S
from tests.system.helper.scratch_host import BOOT, MACHINE, ScratchHost, parsed, programs

RAISE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))


def refused(host: ScratchHost, data: bytes, *arguments: str) -> str:
    """The reason of a refusal, after which every file of the host is as it was."""
    before = host.snapshot()
    answer = host.send(data, *arguments)
    assert host.snapshot() == before
    assert answer["result"] == "refused"
    return answer["reason"]


def sealed(host: ScratchHost, order: bytes) -> bytes:
    """Any bytes, signed with the good key."""
    return host.key.seal(order)


def test_a_good_order_is_applied(host: ScratchHost) -> None:
    answer = host.apply(RAISE)
    assert (answer["result"], answer["before"], answer["after"]) == ("applied", "65530", "262144")
    assert host.sysctl("vm/max_map_count") == "262144"


def test_an_argument_is_refused(host: ScratchHost) -> None:
    assert refused(host, sealed(host, host.order(RAISE)), "--force") == "arguments"


def test_an_order_without_a_signature_is_refused(host: ScratchHost) -> None:
    assert refused(host, host.order(RAISE)) == "signature_missing"


def test_a_signature_by_another_key_is_refused(host: ScratchHost) -> None:
    other = OrderKey(Ed25519PrivateKey.generate())
    assert refused(host, other.seal(host.order(RAISE))) == "signature_invalid"


def test_a_signature_of_another_order_is_refused(host: ScratchHost) -> None:
    signature = host.key.sign(host.order(RAISE))
    assert refused(host, host.order(RAISE) + signature) == "signature_invalid"


def test_a_signature_for_another_purpose_is_refused(host: ScratchHost, tmp_path: Path) -> None:
    key = tmp_path / "key"
    programs(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)))
    host.trust(" ".join(key.with_suffix(".pub").read_text().split()[:2]))
    order = host.order(RAISE)
    argv = ("ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "file")
    signature = subprocess.run(argv, input=order, capture_output=True, check=True).stdout
    assert refused(host, order + signature) == "signature_invalid"


def test_a_revoked_key_is_refused(host: ScratchHost) -> None:
    host.write("etc/triagebook/revoked", host.key.public() + "\n")
    assert refused(host, sealed(host, host.order(RAISE))) == "signature_invalid"


def test_a_revocation_file_that_cannot_be_read_is_refused(host: ScratchHost) -> None:
    host.path("etc/triagebook/revoked").unlink()
    assert refused(host, sealed(host, host.order(RAISE))) == "revoked_unsafe"


@pytest.mark.parametrize(
    "line",
    [
        "triagebook {key}",
        'triagebook valid-before="20990101000000Z" {key}',
        'triagebook namespaces="triagebook-order-v1" {key}',
        'triagebook namespaces="*",valid-before="20990101000000Z" {key}',
        'triagebook namespaces="file,triagebook-order-v1",valid-before="20990101000000Z" {key}',
        '* namespaces="triagebook-order-v1",valid-before="20990101000000Z" {key}',
        'triagebook cert-authority,namespaces="triagebook-order-v1",valid-before="20990101000000Z" {key}',
        'triagebook namespaces="triagebook-order-v1",valid-before="2099" {key}',
        'triagebook namespaces="triagebook-order-v1",valid-before="20990101Z" {key}',
        'triagebook namespaces="triagebook-order-v1",valid-before="2x990101000000Z" {key}',
        'triagebook namespaces="triagebook-order-v1",valid-before="20990101000000Z" {key} "a"',
    ],
)
def test_a_key_that_is_not_bound_to_orders_and_a_time_is_refused(host: ScratchHost, line: str) -> None:
    host.write("etc/triagebook/signers", line.format(key=host.key.public()) + "\n")
    assert refused(host, sealed(host, host.order(RAISE))) == "signers_malformed"


def test_a_key_past_its_time_is_refused(host: ScratchHost) -> None:
    host.trust(host.key.public(), until="20200101000000Z")
    assert refused(host, sealed(host, host.order(RAISE))) == "no_signer_in_force"


def test_of_two_overlapping_keys_both_are_accepted(host: ScratchHost) -> None:
    host.trust(OrderKey(Ed25519PrivateKey.generate()).public(), host.key.public())
    assert host.apply(RAISE)["result"] == "applied"


@pytest.mark.parametrize("name", ["etc/triagebook/signers", "etc/triagebook/revoked", "etc/triagebook", "etc"])
@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_trust_files_that_others_may_write_are_refused(host: ScratchHost, name: str, mode: int) -> None:
    path = host.path(name)
    path.chmod(mode | (0o111 if path.is_dir() else 0))
    assert refused(host, sealed(host, host.order(RAISE))) in ("signers_unsafe", "revoked_unsafe")


def test_trust_files_of_another_owner_are_refused(host: ScratchHost) -> None:
    os.chown(host.path("etc/triagebook/signers"), 65534, 0)
    assert refused(host, sealed(host, host.order(RAISE))) == "signers_unsafe"


def test_a_trust_file_that_is_a_link_is_refused(host: ScratchHost) -> None:
    real = host.path("etc/triagebook/signers")
    real.rename(host.path("etc/elsewhere"))
    real.symlink_to(host.path("etc/elsewhere"))
    assert refused(host, sealed(host, host.order(RAISE))) == "signers_unsafe"


def test_an_expired_order_is_refused(host: ScratchHost) -> None:
    now = int(time.time())
    assert refused(host, sealed(host, host.order(RAISE, issued=now - 200, expires=now - 100))) == "expired"


def test_an_order_from_the_future_is_refused(host: ScratchHost) -> None:
    now = int(time.time())
    assert refused(host, sealed(host, host.order(RAISE, issued=now + 100, expires=now + 200))) == "not_yet_valid"


def test_an_order_with_a_long_life_is_refused(host: ScratchHost) -> None:
    now = int(time.time())
    order = host.order(RAISE, issued=now, expires=now + 100).replace(b"expires=%d" % (now + 100), b"expires=%d" % (now + 200))
    assert refused(host, sealed(host, order)) == "life_too_long"


def test_a_replayed_order_is_refused_even_after_it_was_undone(host: ScratchHost) -> None:
    order = sealed(host, host.order(RAISE, id="d" * 32))
    assert host.send(order)["result"] == "applied"
    assert refused(host, order) == "replayed"
    assert host.apply(undo_of("d" * 32))["result"] == "undone"
    assert refused(host, order) == "replayed"


def test_a_refused_order_is_used_up(host: ScratchHost) -> None:
    order = sealed(host, host.order(fields_of("sysctl", ("live", "vm.max_map_count", "65530", "100"))))
    assert refused(host, order) == "out_of_bounds"
    assert refused(host, order) == "replayed"


def test_an_order_for_another_target_is_refused(host: ScratchHost) -> None:
    assert refused(host, sealed(host, host.order(RAISE, target="0" * 32))) == "other_target"


def test_a_copied_disk_on_another_machine_is_refused(host: ScratchHost) -> None:
    host.write("etc/machine-id", "cd" * 16 + "\n")
    assert refused(host, sealed(host, host.order(RAISE))) == "target_moved"


def test_a_copied_disk_with_the_same_machine_id_is_refused(host: ScratchHost) -> None:
    target = host.path("etc/triagebook/target")
    target.write_text(target.read_text().replace("product=none", "product=1234-of-the-first-machine"))
    host.write("product_uuid", "5678-of-the-copy\n")
    assert refused(host, sealed(host, host.order(RAISE))) == "target_moved"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "target=abc\n",
        "target={t}\n",
        "target={t}X\nmachine={m}\nproduct=none\n",
        "target={t}\nmachine=\nproduct=none\n",
    ],
)
def test_a_target_file_that_is_not_whole_is_refused(host: ScratchHost, text: str) -> None:
    host.write("etc/triagebook/target", text.format(t=host.target, m=MACHINE))
    assert refused(host, sealed(host, host.order(RAISE))) in ("target_malformed", "target_moved")


def test_a_target_file_that_others_may_write_is_refused(host: ScratchHost) -> None:
    host.path("etc/triagebook/target").chmod(0o666)
    assert refused(host, sealed(host, host.order(RAISE))) == "target_unsafe"


def test_a_folder_of_settings_that_others_may_write_is_refused(host: ScratchHost) -> None:
    host.write("proc/sys/vm/max_map_count", "262144\n")
    host.path("etc/sysctl.d").chmod(0o777)
    change = fields_of("sysctl", ("persist", "vm.max_map_count", "262144", "262144"))
    assert refused(host, sealed(host, host.order(change))) == "file_unsafe"


def test_an_order_from_before_a_reboot_is_refused(host: ScratchHost) -> None:
    order = sealed(host, host.order(RAISE))
    host.write("proc/sys/kernel/random/boot_id", BOOT.replace("1", "9") + "\n")
    assert refused(host, order) == "other_boot"


def test_a_second_order_at_the_same_time_is_refused(host: ScratchHost) -> None:
    host.path("run").mkdir(mode=0o700)
    order = sealed(host, host.order(RAISE))
    with host.path("run/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refused(host, order) == "busy"
        assert host.status()["running"] == "yes"
    assert host.status()["running"] == "no"
    assert host.send(order)["result"] == "applied"  # it was not used up


def test_an_unwritable_journal_is_refused(host: ScratchHost) -> None:
    journal = host.path("state/journal")
    journal.mkdir(parents=True, mode=0o700)
    host.path("state").chmod(0o700)
    programs(("mount", "--bind", str(journal), str(journal)), ("mount", "-o", "remount,bind,ro", str(journal)))
    try:
        assert refused(host, sealed(host, host.order(RAISE))) == "journal_unwritable"
    finally:
        programs(("umount", str(journal)))


@pytest.mark.parametrize("free_kib", range(0, 28, 4))
def test_a_full_disk_is_refused_at_any_step_of_the_journal(host: ScratchHost, free_kib: int) -> None:
    state = host.path("state")
    state.mkdir(mode=0o700)
    programs(("mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(state)))
    try:
        (state / "journal").mkdir(mode=0o700)
        (state / "filler").write_bytes(b"x" * (64 - free_kib) * 1024 if free_kib else b"")
        if not free_kib:
            fill(state / "filler")
        before = host.snapshot()
        order = sealed(host, host.order(RAISE))
        answer = host.send(order)
        if answer["result"] == "refused":
            assert answer["reason"] == "journal_unwritable"
            assert host.snapshot() == before
            assert host.send(order)["result"] == "refused"
        else:  # enough room for what undo needs: then it is applied, and can be undone
            assert answer["result"] == "applied"
            assert free_kib >= 12
            (state / "filler").unlink()
            assert host.apply(undo_of(answer["id"]))["result"] == "undone"
            assert host.snapshot() == before
    finally:
        programs(("umount", str(state)))


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_an_order_whose_end_never_comes_is_given_up(host: ScratchHost) -> None:
    host.install(INPUT_WAIT_S="1")
    argv = (*host.shell, str(host.helper))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sealed(host, host.order(RAISE)))
        process.stdin.flush()
        answer = parsed(process.stdout.read())
    assert (answer["reason"], host.sysctl("vm/max_map_count")) == ("input_slow", "65530")


def test_a_full_run_folder_is_refused(host: ScratchHost) -> None:
    run = host.path("run")
    run.mkdir(mode=0o700)
    programs(("mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "none", str(run)))
    try:
        fill(run / "filler")
        assert refused(host, sealed(host, host.order(RAISE))) == "spool_unwritable"
    finally:
        programs(("umount", str(run)))


def test_a_run_folder_that_others_may_write_is_refused(host: ScratchHost) -> None:
    host.path("run").mkdir()
    host.path("run").chmod(0o777)
    assert refused(host, sealed(host, host.order(RAISE))) == "run_unsafe"


def test_a_journal_folder_that_others_may_write_is_refused(host: ScratchHost) -> None:
    host.path("state/journal").mkdir(parents=True)
    host.path("state/journal").chmod(0o777)
    assert refused(host, sealed(host, host.order(RAISE))) == "journal_unsafe"


def test_a_host_that_cannot_fork_is_refused(host: ScratchHost, pids_cgroup: "PidsCgroup") -> None:
    order = sealed(host, host.order(RAISE))
    before = host.snapshot()
    answer = pids_cgroup.send(host, order, room=4)
    assert (answer["result"], answer["reason"]) == ("refused", "fork")
    assert host.snapshot() == before
    assert host.send(order)["result"] == "applied"  # it was not used up


class PidsCgroup:
    """A pids cgroup of this machine with room for a few tasks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, host: ScratchHost, data: bytes, *, room: int) -> dict[str, str]:
        """The helper's answer when it runs in this cgroup."""
        (self.path / "pids.max").write_text(f"{room}\n")
        argv = ("sh", "-c", f"echo $$ >{self.path}/cgroup.procs && exec " + " ".join((*host.shell, str(host.helper))))
        done = subprocess.run(argv, input=data, capture_output=True, timeout=GUARD_S, check=False, env={"PATH": os.environ["PATH"]})
        return parsed(done.stdout)


@pytest.fixture
def pids_cgroup() -> Iterator[PidsCgroup]:
    """A cgroup of our own, removed at the end."""
    root = Path("/sys/fs/cgroup/pids")
    path = (root if root.is_dir() else root.parent) / f"triagebook-test-{secrets.token_hex(4)}"
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"no pids cgroup to be had here: {error}")
    if not (path / "pids.max").exists():
        path.rmdir()
        pytest.skip("the pids controller is not enabled here")
    yield PidsCgroup(path)
    path.rmdir()


def test_every_byte_that_is_no_order_byte_is_refused(host: ScratchHost) -> None:
    order = host.order(RAISE)
    for byte in b" \"'`$;&|<>()*?[]{}#~!%^\t\r\x00\x7f\x80\xff":
        assert refused(host, sealed(host, order.replace(b"65530", b"655%c30" % byte))) == "characters", byte


def altered(order: bytes) -> dict[str, tuple[bytes, str]]:
    """Orders that differ from a good one in a line, and the reason each is refused with."""
    lines = order.splitlines(keepends=True)
    swapped = [*lines[:-2], lines[-1], lines[-2]]
    return {
        "reordered": (b"".join(swapped), "order_fields"),
        "reordered envelope": (b"".join([lines[1], lines[0], *lines[2:]]), "order_fields"),
        "doubled": (b"".join([*lines, lines[-1]]), "order_fields"),
        "doubled in place": (b"".join([*lines[:-1], lines[-2], lines[-1]]), "order_fields"),
        "missing": (b"".join([*lines[:-2], lines[-1]]), "order_fields"),
        "missing last": (b"".join(lines[:-1]), "order_fields"),
        "missing id": (b"".join([lines[0], *lines[2:]]), "order_fields"),
        "extra": (order + b"more=1\n", "order_fields"),
        "extra empty line": (order + b"\n", "order_fields"),
        "empty line inside": (order.replace(b"\nkey=", b"\n\nkey="), "order_fields"),
        "newline in a value": (order.replace(b"value=262144", b"value=262\n144"), "order_fields"),
        "empty value": (order.replace(b"value=262144", b"value="), "order_fields"),
        "no final newline": (order[:-1], "no_final_newline"),
        "dots": (order.replace(b"vm.max_map_count", b"vm..max_map_count"), "order_value"),
        "climbing": (order.replace(b"vm.max_map_count", b"../../etc/passwd"), "order_value"),
        "leading dash": (order.replace(b"value=262144", b"value=-1"), "order_value"),
        "leading zero": (order.replace(b"value=262144", b"value=0262144"), "order_value"),
        "hexadecimal": (order.replace(b"value=262144", b"value=0x40000"), "order_value"),
        "overflow": (order.replace(b"value=262144", b"value=99999999999999999999"), "order_value"),
        "word": (order.replace(b"value=262144", b"value=PATH"), "order_value"),
        "two equal signs": (order.replace(b"value=262144", b"value==262144"), "order_value"),
        "other key": (order.replace(b"vm.max_map_count", b"kernel.core_pattern"), "order_value"),
        "other action": (order.replace(b"action=sysctl", b"action=shell"), "order_value"),
        "function name as action": (order.replace(b"action=sysctl", b"action=main"), "order_value"),
        "other format": (order.replace(b"order-v1", b"order-v2"), "order_value"),
        "9 KiB": (order + b"more=" + b"1" * 9216 + b"\n", "too_long"),
        "9 KiB of a value": (order.replace(b"262144", b"2" * 9216), "too_long"),
        "id in capitals": (order.replace(b"\nid=", b"\nid=A"), "order_value"),
        "short id": (lines[0] + b"id=abc\n" + b"".join(lines[2:]), "order_value"),
        "id that climbs": (lines[0] + b"id=" + b"a/" * 16 + b"\n" + b"".join(lines[2:]), "order_value"),
        "short plan": (b"".join([*lines[:2], b"plan=abc\n", *lines[3:]]), "order_value"),
        "short boot": (b"".join([*lines[:4], b"boot=abc\n", *lines[5:]]), "order_value"),
        "boot that is no id": (b"".join([*lines[:4], b"boot=" + b"x" * 36 + b"\n", *lines[5:]]), "order_value"),
        "time that is no number": (b"".join([*lines[:5], b"issued=now\n", *lines[6:]]), "order_value"),
        "nothing": (b"", "signature"),
    }


@pytest.mark.parametrize("name", altered(b"a=b\n" * 9))
def test_an_order_with_a_line_altered_is_refused(host: ScratchHost, name: str) -> None:
    order, reason = altered(host.order(RAISE))[name]
    if name == "nothing":
        assert refused(host, b"") == "empty"
        assert refused(host, host.key.sign(b"")) == "empty"
    elif name == "no final newline":
        assert refused(host, order) == reason
        # with its signature behind it the marker is no line of its own: no signature is found
        assert refused(host, sealed(host, order)) == "characters"
    else:
        assert refused(host, sealed(host, order)) == reason


def test_bytes_after_the_signature_are_refused(host: ScratchHost) -> None:
    good = sealed(host, host.order(RAISE))
    assert refused(host, good + b"value=1\n") == "signature_malformed"
    assert refused(host, good + good) == "signature_malformed"


def test_a_connection_cut_in_the_middle_of_the_order_is_refused(host: ScratchHost) -> None:
    good = sealed(host, host.order(RAISE))
    for cut in (1, 10, 100, len(good) - 60, len(good) - 1):
        assert refused(host, good[:cut]) in (
            "no_final_newline",
            "signature_missing",
            "signature_malformed",
            "characters",
        )


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (("sysctl", "live", "vm.max_map_count", "65530", "65530"), "no_change", ""),
        (("sysctl", "live", "vm.max_map_count", "65530", "65529"), "out_of_bounds", "not_higher"),
        (("sysctl", "live", "vm.max_map_count", "65530", "2147483648"), "out_of_bounds", ""),
        (("sysctl", "live", "vm.max_map_count", "1000", "262144"), "changed", "65530"),
        (("sysctl", "live", "kernel.pid_max", "32768", "4194305"), "out_of_bounds", ""),
        (("sysctl", "live", "kernel.threads-max", "7580", "7579"), "out_of_bounds", "not_higher"),
        (("sysctl", "live", "kernel.threads-max", "7580", "15626"), "out_of_bounds", "memory"),
        (("sysctl", "live", "vm.overcommit_memory", "2", "1"), "out_of_bounds", ""),
        (("sysctl", "live", "vm.overcommit_ratio", "50", "101"), "out_of_bounds", ""),
        (("sysctl", "live", "vm.overcommit_ratio", "50", "49"), "out_of_bounds", "not_higher"),
        (("sysctl", "live", "vm.overcommit_kbytes", "0", "500000"), "out_of_bounds", "not_higher"),
        (("sysctl", "live", "vm.overcommit_kbytes", "0", "1000001"), "out_of_bounds", "memory"),
        (("sysctl", "persist", "vm.max_map_count", "65530", "262144"), "not_live", ""),
    ],
)
def test_a_value_out_of_bounds_is_refused(host: ScratchHost, change: tuple[str, ...], reason: str, detail: str) -> None:
    before = host.snapshot()
    answer = host.apply(fields_of(change[0], change[1:]))
    assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", reason, detail)
    assert host.snapshot() == before


@pytest.mark.parametrize("pair", ["30", "30:60:90", ":60", "30:", "x:60", "30:060", "max:max"])
def test_a_limit_that_is_no_pair_is_refused(host: ScratchHost, pair: str) -> None:
    change = fields_of("process_limit", ("live", "99", "1", "0", "nproc", pair, "200"))
    assert refused(host, sealed(host, host.order(change))) == "order_value"


@pytest.mark.parametrize(
    "unit", ["-x.service", "a..b.service", "@x.service", ".x.service", "x", "x" * 256 + ".service", "a\\b.service"]
)
def test_a_unit_name_that_systemd_would_take_otherwise_is_refused(host: ScratchHost, unit: str) -> None:
    order = host.order(fields_of("unit_tasks_max", ("live", "UNIT", "20", "200"))).replace(b"UNIT", unit.encode())
    assert refused(host, sealed(host, order)) == "order_value"


@pytest.mark.parametrize(
    "path",
    [
        "triagebook.swap",
        "/etc/passwd",
        "/a//triagebook.swap",
        "/.a/triagebook.swap",
        "/x-triagebook.swap",
        "/-a/triagebook.swap",
    ],
)
def test_a_swap_path_that_is_not_ours_is_refused(host: ScratchHost, path: str) -> None:
    order = host.order(fields_of("swap_file", ("live", path, "64")))
    assert refused(host, sealed(host, order)) == "order_value"


@pytest.mark.parametrize("user", ["Shop", "1shop", "x" * 33, "a/b", "a@b"])
def test_a_user_name_that_is_none_is_refused(host: ScratchHost, user: str) -> None:
    order = host.order(fields_of("user_nproc", ("persist", user, "1001", "none", "30:60", "200")))
    assert refused(host, sealed(host, order)) == "order_value"


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("process_limit", ("persist", "99", "1", "0", "nproc", "30:60", "200")),
        ("process_signal", ("persist", "99", "1", "0", "TERM")),
        ("unit_restart", ("persist", "shop.service", "0" * 32)),
        ("unit_limit", ("live", "shop.service", "nproc", "30:60", "200")),
        ("user_nproc", ("persist", "shop", "1001", "99:1:30:60", "30:60", "200")),
        ("user_nproc", ("live", "shop", "1001", "none", "none", "200")),
        ("user_nproc", ("live", "shop", "1001", "99:1:30:60", "30:60", "200")),
        ("user_nproc", ("persist", "shop", "1001", "none", "none", "200")),
    ],
)
def test_a_step_that_an_action_does_not_have_is_refused(host: ScratchHost, action: str, values: tuple[str, ...]) -> None:
    assert refused(host, sealed(host, host.order(fields_of(action, values)))) == "order_value"


def test_threads_max_below_present_use_is_refused(host: ScratchHost) -> None:
    host.tasks(9000)
    assert host.apply(fields_of("sysctl", ("live", "kernel.threads-max", "7580", "8000")))["detail"] == "below_use"


def test_overcommit_is_touched_only_where_it_is_strict(host: ScratchHost) -> None:
    host.write("proc/sys/vm/overcommit_memory", "0\n")
    answer = host.apply(fields_of("sysctl", ("live", "vm.overcommit_ratio", "50", "80")))
    assert (answer["reason"], answer["detail"]) == ("no_effect", "not_strict")


def test_an_undo_of_an_unknown_order_is_refused(host: ScratchHost) -> None:
    assert host.apply(undo_of("e" * 32))["reason"] == "unknown_id"


def test_an_undo_needs_its_own_signature(host: ScratchHost) -> None:
    applied = host.apply(RAISE)
    assert refused(host, host.order(undo_of(applied["id"]))) == "signature_missing"


def test_status_needs_no_signature_and_says_who_the_host_is(host: ScratchHost) -> None:
    before = host.snapshot()
    answer = host.status()
    assert (answer["result"], answer["target"], answer["boot"], answer["journal"]) == (
        "status",
        host.target,
        BOOT,
        "none",
    )
    assert host.snapshot() == before
    assert not host.path("state").exists()


def test_a_status_request_is_parsed_as_strictly_as_an_order(host: ScratchHost) -> None:
    for data, reason in (
        (b"format=triagebook-order-v1\naction=status\nid=../../etc\n", "order_value"),
        (b"format=triagebook-order-v1\naction=status\nid=none\nmore=1\n", "order_fields"),
        (b"format=triagebook-order-v2\naction=status\nid=none\n", "order_value"),
    ):
        assert refused(host, data) == reason


def test_nothing_of_the_environment_reaches_the_helper(host: ScratchHost) -> None:
    argv = (shutil.which(host.shell[0]) or "", *host.shell[1:], str(host.helper))
    evil = {
        "PATH": "/nonexistent",
        "ENV": "/nonexistent",
        "IFS": "=",
        "BASH_ENV": "/nonexistent",
        "CDPATH": "/",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(argv, input=sealed(host, host.order(RAISE)), capture_output=True, env=evil, timeout=GUARD_S, check=False)
    assert b"result=applied" in done.stdout


def test_no_folder_of_a_run_is_left(host: ScratchHost) -> None:
    host.apply(RAISE)
    host.send(b"nonsense\n")
    assert sorted(path.name for path in host.path("run").iterdir()) == ["lock"]
