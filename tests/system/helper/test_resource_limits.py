"""Limits of locked memory, data and signals: of a running process, of a service, of a user's logins; raised and put back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.actions import process
from triagebook.tools.actions.orders import fields_of, undo_of

from tests.system.helper import fake_systemctl
from tests.system.helper.scratch_host import ScratchHost

UNIT = fake_systemctl.UNIT
LOCKED_KIB = 256
LOCKS = f"""
import ctypes, mmap, time
held = mmap.mmap(-1, {LOCKED_KIB} * 1024)
at = ctypes.addressof(ctypes.c_char.from_buffer(held))
assert ctypes.CDLL(None).mlock(ctypes.c_void_p(at), ctypes.c_size_t({LOCKED_KIB} * 1024)) == 0
print(flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def locker() -> Iterator[int]:
    """A process with 256 KiB locked, and finite limits whose hard ones leave room."""
    limits = ("--memlock=524288:8388608", "--data=400000000:800000000", "--sigpending=40:400")
    with subprocess.Popen(("prlimit", *limits, sys.executable, "-c", LOCKS), stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started.pid
        started.kill()


def order(host: ScratchHost, pid: int, resource: str, value: int) -> dict[str, str]:
    """Order a limit of a process of this machine, as it is now."""
    printed = subprocess.run(process.capture_one(str(pid)).argv, capture_output=True, text=True, check=True).stdout
    (found,) = process.parse(printed)
    about = (str(found.pid), str(found.start), str(found.uid), resource, found.limits[resource], str(value))
    return send(host, fields_of("process_limit", ("live", *about)))


def send(host: ScratchHost, change: object) -> dict[str, str]:
    """With this machine's boot id."""
    return host.apply(change, boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resource", "before", "value", "low"),
    [
        ("memlock", "524288:8388608", 1048576, "262144"),
        ("data", "400000000:800000000", 500000000, "1000000"),
        ("sigpending", "40:400", 80, "0"),
    ],
)
def test_a_limit_of_a_process_is_raised_and_not_put_back_below_its_use(
    host: ScratchHost, locker: int, resource: str, before: str, value: int, low: str
) -> None:
    host.install(PROC="/proc")
    answer = order(host, locker, resource, value)
    assert (answer["result"], answer["before"], answer["after"]) == ("applied", before, f"{value}:{before.partition(':')[2]}")
    assert send(host, undo_of(answer["id"]))["after"] == before
    subprocess.run(("prlimit", f"--pid={locker}", f"--{resource}={low}:"), check=True)
    raised = order(host, locker, resource, value)
    refused = send(host, undo_of(raised["id"]))
    subprocess.run(("prlimit", f"--pid={locker}", f"--{resource}={before.partition(':')[0]}:"), check=True)
    assert (raised["result"], refused["reason"], refused["detail"].split()[:2]) == ("applied", "undo_unsafe", ["in", "use"])


def test_no_process_may_lock_more_than_half_of_memory(host: ScratchHost, locker: int) -> None:
    host.install(PROC="/proc")
    kib = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    assert order(host, locker, "memlock", kib * 512 + 1)["detail"] == "memory"


@pytest.mark.parametrize(
    ("resource", "setting", "before", "value", "line"),
    [
        ("memlock", "LimitMEMLOCK", "8388608:8388608", "16777216", "16777216:16777216"),
        ("data", "LimitDATA", "67108864:infinity", "134217728", "134217728:infinity"),
    ],
)
def test_a_limit_of_a_service_is_raised_by_a_drop_in(
    host: ScratchHost, resource: str, setting: str, before: str, value: str, line: str
) -> None:
    fake_systemctl.install(host)
    if before != "8388608:8388608":
        host.write(f"etc/units/{UNIT}.d/10-own.conf", f"[Service]\n{setting}={before}\n")
    untouched = host.snapshot()
    change = fields_of("unit_limit", ("persist", UNIT, resource, before.replace("infinity", "unlimited"), value))
    answer = host.apply(change)
    file = host.path(f"etc/units/{UNIT}.d/zz-triagebook-{setting}.conf")
    assert (answer["result"], file.read_text()) == ("applied", f"[Service]\n{setting}={line}\n")
    assert host.apply(undo_of(answer["id"]))["result"] == "undone"
    assert host.snapshot() == untouched


def named(host: ScratchHost) -> None:
    """A user `shop` there, whose number is 1001."""
    host.write("bin/id", '#!/bin/sh\n[ "$*" != "-u shop" ] || { echo 1001; exit; }\nexec /usr/bin/id "$@"\n', 0o755)


def memlock(before: str, value: str, uid: str = "1001") -> object:
    """An order for the logins of `shop`."""
    return fields_of("user_memlock", ("persist", "shop", uid, before, value))


@pytest.mark.parametrize(
    ("before", "value", "text"),
    [
        ("8388608:8388608", "16777216", "shop soft memlock 16384\nshop hard memlock 16384\n"),
        ("65536:unlimited", "100001", "shop soft memlock 98\n"),
        ("65536:33554432", "131072", "shop soft memlock 128\nshop hard memlock 32768\n"),
    ],
)
def test_what_logins_of_a_user_may_lock_is_raised_in_kib_and_put_back(
    host: ScratchHost, before: str, value: str, text: str
) -> None:
    named(host)
    untouched = host.snapshot()
    answer = host.apply(memlock(before, value))  # type: ignore[arg-type]
    file = host.path("etc/limits.d/zz-triagebook-shop-memlock.conf")
    assert (answer["result"], answer["after"], file.read_text()) == ("applied", value, text)
    assert host.apply(undo_of(answer["id"]))["result"] == "undone"
    assert host.snapshot() == untouched


def test_what_would_not_help_logins_is_refused(host: ScratchHost) -> None:
    named(host)
    for before, value, uid, reason, detail in (
        ("8388608:8388608", "8388608", "1001", "out_of_bounds", "not_higher"),
        ("8388608:8388608", "512000001", "1001", "out_of_bounds", "memory"),  # 1,000,000 kB are there
        ("8388608:8388608", "16777216", "1002", "other_user", ""),
        ("8388608:8388608", "16777216", "0", "exempt", ""),
    ):
        answer = host.apply(memlock(before, value, uid))  # type: ignore[arg-type]
        assert (answer["reason"], answer["detail"]) == (reason, detail)
    host.write("etc/limits.d/zzz.conf", "shop - memlock 64\n")
    assert host.apply(memlock("8388608:8388608", "16777216"))["reason"] == "overridden"  # type: ignore[arg-type]
    host.write("etc/pam.d/sshd", "session required pam_unix.so\n")
    assert host.apply(memlock("8388608:8388608", "16777216"))["reason"] == "no_pam_limits"  # type: ignore[arg-type]
