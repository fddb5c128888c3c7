"""A made-up host as a tree of files, the collector's program run over it by a real awk, and a transport of pipes."""

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.probes import catalog
from triagebook.runbooks.probes.records import Sample, parse_samples
from triagebook.tools.collector import collect, program
from triagebook.tools.transport.base import Exit, Login, LoginFailed
from triagebook.tools.transport.base import Route as WayTaken

from tests.hang import GUARD_S

AWKS = ("mawk -W interactive", "gawk", "busybox awk", "original-awk")
KINDS = tuple(kind for kind in catalog.kinds() if catalog.is_collected(kind))

STATUS = """Name:\t{comm}
Umask:\t0022
State:\t{state}
Tgid:\t{pid}
Ngid:\t0
Pid:\t{pid}
PPid:\t{parent}
TracerPid:\t0
Uid:\t{uid}\t{effective}\t{uid}\t{uid}
Gid:\t{uid}\t{uid}\t{uid}\t{uid}
FDSize:\t64
Groups:\t{uid}
NStgid:\t{nspid}
NSpid:\t{nspid}
NSpgid:\t{pid}
NSsid:\t{pid}
Kthread:\t{kthread}
{memory}Threads:\t{threads}
SigQ:\t0/31000
SigPnd:\t0000000000000000
ShdPnd:\t0000000000000000
SigBlk:\t0000000000000000
SigIgn:\t0000000000001000
SigCgt:\t0000000180014003
CapInh:\t0000000000000000
CapPrm:\t{caps}
CapEff:\t{caps}
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000000
NoNewPrivs:\t0
Seccomp:\t0
Seccomp_filters:\t0
Speculation_Store_Bypass:\tthread vulnerable
SpeculationIndirectBranch:\tconditional enabled
Cpus_allowed:\tffff
Cpus_allowed_list:\t0-15
Mems_allowed:\t00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000001
Mems_allowed_list:\t0
voluntary_ctxt_switches:\t150
nonvoluntary_ctxt_switches:\t545
"""
MEMORY = """VmPeak:\t{size:8d} kB
VmSize:\t{size:8d} kB
VmLck:\t       0 kB
VmPin:\t       0 kB
VmHWM:\t{rss:8d} kB
VmRSS:\t{rss:8d} kB
RssAnon:\t     108 kB
RssFile:\t    1764 kB
RssShmem:\t       0 kB
VmData:\t{data:8d} kB
VmStk:\t     132 kB
VmExe:\t      20 kB
VmLib:\t    1528 kB
VmPTE:\t      44 kB
VmSwap:\t       0 kB
HugetlbPages:\t       0 kB
CoreDumping:\t0
THP_enabled:\t1
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             {data[0]:<20} {data[1]:<20} bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             {nproc[0]:<20} {nproc[1]:<20} processes 
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
Max address space         {space[0]:<20} {space[1]:<20} bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       31000                31000                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
"""  # noqa: W291 - the kernel pads its columns
STAT = (
    "{pid} ({comm}) {state} {parent} {pid} {pid} 0 -1 4194560 120 0 0 0 {ran} 0 0 0 20 0 {threads} 0 {started} {size} {rss} "
    "18446744073709551615 0 0 0 0 0 0 0 4096 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
MEMINFO = """MemTotal:        1000000 kB
MemFree:          100000 kB
MemAvailable:     800000 kB
SwapTotal:        200000 kB
SwapFree:         150000 kB
KernelStack:        3000 kB
PageTables:         4000 kB
CommitLimit:      700000 kB
Committed_AS:     300000 kB
Hugetlb:               0 kB
"""
MOUNTS = {
    "v2": "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate{options}\n",
    "v1": (
        "31 30 0:27 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd\n"
        "32 30 0:28 / /sys/fs/cgroup/pids rw shared:11 - cgroup cgroup rw,pids\n"
        "33 30 0:29 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory\n"
    ),
}
MOUNTS["hybrid"] = MOUNTS["v1"] + "34 30 0:30 / /sys/fs/cgroup/unified rw shared:13 - cgroup2 cgroup2 rw,nsdelegate\n"


def _write_whole(path: str, content: bytes) -> None:
    """As Path.write_bytes, at a third of the time: a crowded host has 80,000 files."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(descriptor, content)
    os.close(descriptor)


@dataclass
class HostTree:
    """Files as a host's kernel shows them, below `root`. mode: v1 | v2 | hybrid."""

    root: Path
    mode: str = "v2"
    options: str = ""
    threads: dict[int, int] = field(default_factory=dict)
    tasks: int = 0  # threads of all processes
    newest_pid: int = 100
    uids: dict[int, str] = field(default_factory=lambda: {0: "root"})
    clock: int = 0
    ran: dict[int, int] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)
    places: dict[int, str | None] = field(default_factory=dict)  # the cgroup of each process

    def __post_init__(self) -> None:
        self.write("proc/sys/kernel/random/uuid", "0123abcd-4567-89ab-cdef-0123456789ab\n")
        self.write("proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n")
        self.write("etc/machine-id", "0" * 32 + "\n")
        self.write("proc/sys/kernel/hostname", "made-up\n")
        self.write("proc/sys/kernel/osrelease", "6.1.0-42-amd64\n")
        self.write("proc/sys/kernel/threads-max", "7580\n")
        self.write("proc/sys/kernel/pid_max", "32768\n")
        self.write("proc/sys/vm/max_map_count", "65530\n")
        for name, value in (
            ("overcommit_memory", 0),
            ("overcommit_ratio", 50),
            ("overcommit_kbytes", 0),
            ("admin_reserve_kbytes", 8192),
            ("user_reserve_kbytes", 30000),
        ):
            self.write(f"proc/sys/vm/{name}", f"{value}\n")
        self.write("proc/uptime", "1234.50 2000.00\n")
        self.write("proc/stat", "cpu  1 2 3\nintr 5 0 0\nctxt 1\nbtime 1700000000\nprocesses 4321\nprocs_running 1\n")
        self.write("proc/meminfo", MEMINFO)
        self.write("proc/vmstat", "pswpin 5\npswpout 6\nallocstall_normal 7\nallocstall_movable 8\noom_kill 2\n")
        self.write("proc/pressure/memory", "some avg10=1.25 avg60=0.00 total=0\nfull avg10=0.50 avg60=0.00 total=0\n")
        self.write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + MOUNTS[self.mode].format(options=self.options))
        self.write("proc/self/cgroup", self.cgroup_lines("/user.slice/user-1000.slice/session-1.scope"))
        self.write("proc/self/status", STATUS.splitlines()[0].format(comm="awk") + "\nUmask:\t0022\n")
        self.write("proc/self/stat", "100 (mawk) R 1 100 100 0\n")
        self.write("proc/self/schedstat", "5000000 1000 7\n")
        self.write("proc/self/uid_map", "         0          0 4294967295\n")
        self.write("proc/self/smaps", "55d0-55d1 r--p 00000000 08:01 1 /usr/bin/mawk\nSize: 4 kB\nKernelPageSize:        4 kB\n")
        self.process(1, "systemd", cgroup="/init.scope")
        if self.mode == "v2":
            self.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n")

    def set_status(self, pid: int, key: str, value: str) -> None:
        """Another value behind a key of a process's status."""
        lines = (self.root / f"proc/{pid}/status").read_text().split("\n")
        self.write(f"proc/{pid}/status", "\n".join(f"{key}:\t{value}" if line.startswith(f"{key}:") else line for line in lines))

    def write(self, path: str, text: str) -> None:
        """One file below the root."""
        target, content = f"{self.root}/{path}", text.encode("utf-8", errors="surrogateescape")
        try:
            _write_whole(target, content)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _write_whole(target, content)

    def cgroup_lines(self, path: str) -> str:
        """The content of /proc/PID/cgroup."""
        v1 = f"3:pids:{path}\n2:memory:{path}\n1:name=systemd:{path}\n"
        return {"v2": f"0::{path}\n", "v1": v1, "hybrid": v1 + f"0::{path}\n"}[self.mode]

    def process(
        self,
        pid: int,
        comm: str = "worker",
        *,
        uid: int = 0,
        threads: int = 1,
        cgroup: str = "/",
        nproc: tuple[object, object] = (3790, 3790),
        space: tuple[object, object] = ("unlimited", "unlimited"),
        data: tuple[object, object] = ("unlimited", "unlimited"),
        size_kb: int = 3060,
        rss_kb: int = 1800,
        data_kb: int = 360,
        caps: str | None = None,
        state: str = "S (sleeping)",
        parent: int = 1,
        nspid: str = "",
        is_kernel: bool = False,
        maps: int | None = None,
        has_run: bool = True,
    ) -> None:
        """A process with its files; `maps` lines of maps (None: not readable). One that was there has run since, or not."""
        parent = 2 if is_kernel else parent
        self.clock += 1
        self.started.setdefault(pid, self.clock)
        if has_run:
            self.ran[pid] = self.clock
        memory = "" if is_kernel or state.startswith("Z") else MEMORY.format(size=size_kb, rss=rss_kb, data=data_kb)
        capable = caps if caps is not None else "000001ffffffffff" if uid == 0 else "0000000000000000"
        self.write(
            f"proc/{pid}/status",
            STATUS.format(
                comm=comm.replace("\\", "\\\\").replace("\n", "\\n"),
                state=state,
                pid=pid,
                parent=parent,
                uid=uid,
                effective=uid,
                nspid=nspid or pid,
                kthread=int(is_kernel),
                memory=memory,
                threads=threads,
                caps=capable,
            ),
        )
        stat = {"pid": pid, "comm": comm, "state": state[0], "parent": parent, "threads": threads}
        pages = (size_kb // 4, rss_kb // 4) if memory else (0, 0)
        times = {"ran": self.ran[pid], "started": self.started[pid]}
        self.write(f"proc/{pid}/stat", STAT.format(**stat, **times, size=pages[0] * 4096, rss=pages[1]))
        self.write(f"proc/{pid}/statm", f"{pages[0]} {pages[1]} 400 5 0 90 0\n")
        self.write(f"proc/{pid}/schedstat", f"{self.ran[pid] * 1_000_003} 4000 {self.ran[pid]}\n")
        self.write(f"proc/{pid}/cgroup", self.cgroup_lines(cgroup))
        self.place(pid, cgroup)
        self.write(f"proc/{pid}/limits", LIMITS.format(nproc=nproc, space=space, data=data))
        if maps is not None:
            self.write(f"proc/{pid}/maps", "7f00-7f01 r--p 00000000 00:00 0 \n" * maps)
        self.tasks += threads - self.threads.get(pid, 0)
        self.threads[pid] = threads
        self.newest_pid = max(self.newest_pid, pid)
        self.loadavg(self.tasks)

    def place(self, pid: int, cgroup: str | None) -> None:
        """Move a process from the list of its cgroup to another's; None: it ends."""
        before = self.places.get(pid)
        if before == cgroup:
            return
        for file in self.lists(before):
            file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if line != f"{pid}\n"))
        for file in self.lists(cgroup):
            self.append(file, f"{pid}\n")
        self.places[pid] = cgroup

    def append(self, file: Path, line: str) -> None:
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
        with file.open("a") as out:
            out.write(line)

    def lists(self, cgroup: str | None) -> tuple[Path, ...]:
        """The files that list the threads of a cgroup."""
        mounted = self.root / "sys/fs/cgroup"
        if cgroup is None or ".." in cgroup:
            return ()  # nowhere, or outside of what is mounted
        if self.mode == "v2":
            return (mounted / cgroup[1:] / "cgroup.threads",)
        return tuple(mounted / controller / cgroup[1:] / "tasks" for controller in ("pids", "memory"))

    def loadavg(self, tasks: int) -> None:
        """What the kernel says of all tasks."""
        self.write("proc/loadavg", f"0.10 0.20 0.30 1/{tasks} {self.newest_pid}\n")

    def remove(self, pid: int) -> None:
        """The process ends."""
        for file in (self.root / f"proc/{pid}").iterdir():
            file.unlink()
        (self.root / f"proc/{pid}").rmdir()
        self.place(pid, None)
        self.tasks -= self.threads[pid]
        del self.ran[pid], self.started[pid], self.threads[pid]
        self.loadavg(self.tasks)

    def pids(
        self, path: str, current: object, maximum: object = "max", refused: int | None = 0, *, local: int | None = None
    ) -> None:
        """A cgroup's task limit. `refused` is pids.events, `local` pids.events.local (None: no such file)."""
        base = f"sys/fs/cgroup{'' if self.mode == 'v2' else '/pids'}{path}"
        self.write(f"{base}/pids.current", f"{current}\n")
        self.write(f"{base}/pids.max", f"{maximum}\n")
        if refused is not None:
            self.write(f"{base}/pids.events", f"max {refused}\n")
        if local is not None:
            self.write(f"{base}/pids.events.local", f"max {local}\n")

    def memory(self, path: str, current: int, maximum: object, *, hits: int = 0, kills: int = 0, high: object = "max") -> None:
        """A cgroup's memory limit, bytes."""
        if self.mode == "v2":
            base = f"sys/fs/cgroup{path}"
            self.write(f"{base}/memory.max", f"{maximum}\n")
            self.write(f"{base}/memory.current", f"{current}\n")
            self.write(f"{base}/memory.high", f"{high}\n")
            self.write(f"{base}/memory.events", f"low 0\nhigh 0\nmax {hits}\noom 0\noom_kill {kills}\n")
        else:
            base = f"sys/fs/cgroup/memory{path}"
            self.write(f"{base}/memory.limit_in_bytes", f"{maximum}\n")
            self.write(f"{base}/memory.usage_in_bytes", f"{current}\n")
            self.write(f"{base}/memory.failcnt", f"{hits}\n")
            self.write(f"{base}/memory.oom_control", f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")

    def name(self, uid: int, login: str) -> None:
        """A line of /etc/passwd."""
        self.uids[uid] = login
        self.write("etc/passwd", "".join(f"{login}:x:{uid}:{uid}::/:/bin/sh\n" for uid, login in self.uids.items()))


@dataclass(frozen=True)
class Run:
    """What one run of the program gave and cost."""

    answer: bytes
    stderr: bytes
    status: int
    cpu_ms: float

    @property
    def samples(self) -> tuple[Sample, ...]:
        return parse_samples(self.answer.decode("utf-8", errors="replace"))


class Paced:
    """The program running over a tree, a sample at a time; that of a watch, which can do all, unless it says otherwise."""

    def __init__(
        self, root: str, awk: str, kinds: Sequence[str], bounds: program.HostBounds | None = None, *, is_watch: bool = True
    ) -> None:
        argv = program.command(program.build(tuple(kinds), root, bounds, is_watch=is_watch), program.launcher(root=root, awk=awk))
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.kinds = tuple(kinds)
        self.answer = b""

    def read_sample(self, n: int, within_s: float = GUARD_S) -> None:
        deadline = time.monotonic() + within_s
        assert self.process.stdout is not None
        while f"\t{n}\tend\t".encode() not in self.answer or not self.answer.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"sample {n} did not come: {self.answer[-300:]!r}"
            chunk = os.read(self.process.stdout.fileno(), 65536)
            assert chunk, self.process.stderr and self.process.stderr.read()
            self.answer += chunk

    def ask(self, line: str = "sample\n") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def brief(self, *samples: int) -> None:
        """Ask for brief samples, which come under these numbers."""
        for n in samples:
            self.ask("sample brief\n")
            self.read_sample(n)

    def facts(self) -> dict[str, Any]:
        """Of all samples so far."""
        return collect.parse(self.kinds, parse_samples(self.answer.decode()))

    def end(self) -> Run:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        self.answer += self.process.stdout.read()
        stderr = self.process.stderr.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return Run(self.answer, stderr, self.process.returncode, (usage.ru_utime + usage.ru_stime) * 1000)


def run(root: Path | str, awk: str = AWKS[0], kinds: Sequence[str] = KINDS, bounds: program.HostBounds | None = None) -> Run:
    """One sample of the tree, by the program that a diagnosis sends."""
    return Paced(str(root), awk, kinds, bounds, is_watch=False).end()


def cpu_ms(argv: Sequence[str]) -> float:
    """CPU time of a command from start to end."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return (usage.ru_utime + usage.ru_stime) * 1000


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., HostTree]:
    """Makes a tree."""
    return lambda mode="v2", **settings: HostTree(tmp_path / "host", mode, **settings)


@pytest.fixture(params=AWKS, ids=["mawk", "gawk", "busybox", "original"])
def awk(request: pytest.FixtureRequest) -> str:
    """Each awk in turn."""
    return str(request.param)


@dataclass
class PipeProcess:
    """A process of this machine, as a transport gives it."""

    session: "PipeSession"
    popen: subprocess.Popen[bytes]
    rest: bytes = b""  # what was not read before the end

    def read(self, timeout_s: float) -> bytes:
        if self.popen.returncode is not None:
            taken, self.rest = self.rest, b""
            return taken
        assert self.popen.stdout is not None
        ready, _, _ = select.select([self.popen.stdout], [], [], timeout_s)
        if not ready:
            raise TimeoutError
        return os.read(self.popen.stdout.fileno(), 32768)

    def write(self, data: bytes) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def finish(self, timeout_s: float) -> Exit:
        try:
            self.rest, stderr = self.popen.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.rest, stderr = self.popen.communicate()
        return Exit(self.popen.returncode, stderr[:4096])


@dataclass
class PipeSession:
    """A session of which every process is a pair of pipes. `argv` replaces what is asked for; `files` is its SFTP."""

    argv: Sequence[Sequence[str]] = ()
    files: Mapping[str, bytes] | None = None
    refuses: bool = False
    started: list[tuple[str, ...]] = field(default_factory=list)
    login: Login = field(default_factory=lambda: Login("session", "ok"))
    path: WayTaken = field(default_factory=lambda: WayTaken("pipes"))
    is_closed: bool = False

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> PipeProcess:
        if self.refuses and self.started:
            raise LoginFailed(Login("exec", "refused", "exec request failed on channel 0"))
        n = len(self.started)
        self.started.append(tuple(argv))
        chosen = self.argv[min(n, len(self.argv) - 1)] if self.argv else argv
        popen = subprocess.Popen(list(chosen), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return PipeProcess(self, popen)

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        if self.files is None:
            raise LoginFailed(Login("exec", "refused", "no sftp"))
        return {path: self.files.get(path, "no such file") for path in paths}

    def close(self) -> None:
        self.is_closed = True


@dataclass
class PipeTransport:
    """Reaches this machine only."""

    made: PipeSession = field(default_factory=PipeSession)

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> PipeProcess:
        return self.made.start(argv, cap_bytes=cap_bytes)


@dataclass(frozen=True)
class Tools:
    """What the tests of this folder use; importlib mode lets them import nothing from here."""

    kinds: tuple[str, ...] = KINDS
    awks: tuple[str, ...] = AWKS
    run: Callable[..., Run] = run
    paced: type[Paced] = Paced
    cpu_ms: Callable[[Sequence[str]], float] = cpu_ms
    transport: type[PipeTransport] = PipeTransport
    session: type[PipeSession] = PipeSession


@pytest.fixture(scope="session")
def tools() -> Tools:
    """See Tools."""
    return Tools()
