"""Real limits on this machine, made in control groups and by prlimit, found by the product with no name given."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.command import ONE, Triagebook
from tests.hang import GUARD_S

pytestmark = pytest.mark.alone  # the whole machine has the fault
PIDS_ROOT = next(
    (root for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if (root / "cgroup.procs").is_file()), None
)

RETRY = """
import os, signal, sys, time
with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except BlockingIOError as error:
        print(error.errno, flush=True)
        time.sleep(0.2)
"""


@contextmanager
def limited_cgroup(name: str, limit: int) -> Iterator[Path]:
    """A plain cgroup with a task limit; everything in it is ended afterwards."""
    if os.geteuid() != 0 or PIDS_ROOT is None:
        pytest.skip("making control groups needs root and a writable pids controller")
    group = PIDS_ROOT / name
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(limit))
    except OSError as error:
        pytest.skip(f"this machine lets nobody make control groups: {error}")
    try:
        yield group
    finally:
        empty(group)
        group.rmdir()


def empty(group: Path) -> None:
    """End everything in the cgroup and wait until its zombies are reaped: they count too."""
    deadline = time.monotonic() + GUARD_S
    while time.monotonic() < deadline:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if (group / "pids.current").read_text().strip() == "0":
            return
        time.sleep(0.05)
    raise AssertionError(f"{group} does not get empty")


@contextmanager
def forker_in(group: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the cgroup that forks until it is refused, and goes on trying."""
    process = subprocess.Popen([sys.executable, "-c", RETRY, str(group)], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def refused(process: subprocess.Popen[str]) -> int:
    """Wait for the first refusal; its errno."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdigit():
            return int(line)
    raise AssertionError("never refused")


def test_a_full_control_group_is_named_with_who_fills_it_and_what_refuses_now(triagebook: Triagebook) -> None:
    with limited_cgroup("triagebook-full", 8) as group, forker_in(group) as process:
        assert refused(process) == 11
        run = triagebook("diagnose", *ONE, "--symptom", "fork: retry: Resource temporarily unavailable", "--sample", "0.6")
    (diagnosis,) = run.json()
    verdict = diagnosis["verdict"]
    assert run.status == 1
    assert (verdict["cause"], verdict["active"], verdict["strength"]) == ("pids_cgroup", "now", "certain")
    assert (verdict["culprit"]["id"], verdict["limit"]["value"], verdict["usage"]["value"]) == ("/triagebook-full", 8, 8)
    assert verdict["explains_symptom"] == "yes"
    assert sum(consumer["count"] for consumer in verdict["consumers"]) == 8
    assert len(diagnosis["samples"]) == 2
    cited = [fact for fact in diagnosis["facts"] if fact["id"].startswith("pids[")]
    refusals = {fact["id"].rsplit(".", 1)[1]: [reading["value"] for reading in fact["readings"]] for fact in cited}
    assert refusals["refused_delta"] == [refusals["refused"][1] - refusals["refused"][0]]
    assert diagnosis["headline"].startswith("A limit, not a shortage")


def test_a_full_ancestor_is_blamed_and_not_the_group_that_was_refused(triagebook: Triagebook) -> None:
    with (
        limited_cgroup("triagebook-above", 6) as above,
        limited_cgroup("triagebook-above/inner", 100) as inner,
        forker_in(inner) as process,
    ):
        refused(process)
        (diagnosis,) = triagebook("diagnose", *ONE, "--sample", "0.6").json()
        assert (above / "pids.current").read_text().strip() == "6"
    assert diagnosis["verdict"]["culprit"]["id"] == "/triagebook-above"
    assert [verdict["culprit"]["id"] for verdict in diagnosis["also"] if verdict["active"] in {"now", "at_limit"}] == []


def test_names_a_host_makes_reach_the_reader_as_inert_text(triagebook: Triagebook) -> None:
    name = "evil\x1b[31m<!channel>\u202e"
    with limited_cgroup(f"tb-{name}", 4) as group, forker_in(group) as process:
        refused(process)
        run = triagebook("diagnose", "--sample", "0.6")
        (diagnosis,) = triagebook("diagnose", *ONE, "--sample", "0.6").json()
    assert "\x1b" not in run.out
    assert "\u202e" not in run.out
    assert "\\x1b[31m<!channel>" in run.out
    assert "\x1b" not in diagnosis["verdict"]["culprit"]["id"]


def test_a_group_with_room_that_was_refused_earlier_is_past_not_now(triagebook: Triagebook) -> None:
    with limited_cgroup("triagebook-past", 5) as group:
        with forker_in(group) as process:
            refused(process)
        empty(group)
        with subprocess.Popen(["sh", "-c", f"echo $$ >{group}/cgroup.procs; exec sleep 60"]) as one:
            time.sleep(0.3)
            run = triagebook("diagnose", *ONE, "--sample", "0.3")
            one.kill()
    (diagnosis,) = run.json()
    assert (diagnosis["verdict"]["cause"], diagnosis["verdict"]["active"]) == ("pids_cgroup", "past")
    assert run.status == 6


def test_a_user_at_nproc_is_named_with_the_process_that_has_the_limit(triagebook: Triagebook) -> None:
    if os.geteuid() != 0:
        pytest.skip("running as another user needs root")
    uid = 64321
    sleeper = "import os,time\nfor _ in range(9):\n    os.fork() or time.sleep(60)\ntime.sleep(60)"
    command = ["prlimit", "--nproc=10:10", "setpriv", f"--reuid={uid}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    process = subprocess.Popen([*command, sys.executable, "-c", sleeper], start_new_session=True)
    try:
        deadline = time.monotonic() + GUARD_S
        while time.monotonic() < deadline:
            owned = subprocess.run(["pgrep", "-cu", str(uid)], capture_output=True, text=True, check=False).stdout.strip()
            if owned == "10":
                break
            time.sleep(0.05)
        (diagnosis,) = triagebook("diagnose", *ONE, "--user", str(uid), "--sample", "0.3").json()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    verdict = diagnosis["verdict"]
    assert (verdict["cause"], verdict["active"], verdict["culprit"]["user"]) == ("user_nproc", "at_limit", str(uid))
    assert (verdict["limit"]["value"], verdict["usage"]["value"]) == (10, 10)


def test_a_process_at_its_address_space_limit_is_named(triagebook: Triagebook) -> None:
    filler = """
import mmap, time
kept = []
try:
    while True:
        kept.append(mmap.mmap(-1, 1 << 20))
except OSError as error:
    print(error.errno, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        ["prlimit", f"--as={300 << 20}:{300 << 20}", sys.executable, "-c", filler], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "12"
        (diagnosis,) = triagebook("diagnose", *ONE, "--symptom", "mmap: Cannot allocate memory", "--sample", "0.3").json()
    finally:
        process.kill()
        process.wait()
    verdict = diagnosis["verdict"]
    assert (verdict["cause"], verdict["active"], verdict["culprit"]["pid"]) == ("address_space", "at_limit", process.pid)
    assert verdict["explains_symptom"] == "yes"


def test_a_process_at_max_map_count_is_counted_where_its_maps_may_be_read(triagebook: Triagebook) -> None:
    if os.geteuid() != 0:
        pytest.skip("reading another process's maps needs root")
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    if limit > 300000:
        pytest.skip(f"vm.max_map_count is {limit} here: too many to fill")
    filler = """
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
n = 0
while True:
    got = libc.mmap(None, 4096, 1 if n % 2 else 3, 0x22, -1, 0)
    n += 1
    if got == ctypes.c_void_p(-1).value:
        print(ctypes.get_errno(), flush=True)
        break
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", filler], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "12"
        (diagnosis,) = triagebook("diagnose", *ONE, "--sample", "0.3").json()
    finally:
        process.kill()
        process.wait()
    verdict = diagnosis["verdict"]
    assert (verdict["cause"], verdict["active"], verdict["culprit"]["pid"]) == ("max_map_count", "at_limit", process.pid)


def test_a_recorded_host_is_a_case_that_passes_and_names_nobody(triagebook: Triagebook, tmp_path: Path) -> None:
    book = tmp_path / "books" / "recorded" / "1.0.0"
    source = Path(__file__).parents[3] / "runbooks" / "enomem" / "1.0.0" / "runbook.yaml"
    (book / "cases").mkdir(parents=True)
    (book / "runbook.yaml").write_text(source.read_text().replace("id: enomem", "id: recorded"))
    config = triagebook.home / ".config" / "triagebook"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(f"runbook_paths: [{tmp_path}/books]\n")
    try:
        with limited_cgroup("triagebook-recorded", 5) as group, forker_in(group) as process:
            refused(process)
            case = book / "cases" / "here.yaml"
            run = triagebook("runbook", "record", "localhost", str(case), "--runbook", "recorded", "--about", "a full group")
        assert run.status == 0, run.err
        assert triagebook("runbook", "test", "recorded").out.endswith("\n1 passed, 0 failed\n")
        text = case.read_text()
        assert 'culprit: "/triagebook-recorded"' in text
        assert 'hostname: "host01"' in text
        assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() not in text
    finally:
        (config / "config.yaml").unlink()
        config.rmdir()
