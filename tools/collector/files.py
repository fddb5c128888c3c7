"""Reads facts from files one by one (SFTP), when no program can be run on the host.

It makes a sample of the same records. What needs the walk over the processes is missing, and the kinds say so; of the
control groups only those of the session itself are known.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes.records import END, Record, Sample

Read = Callable[[Sequence[str]], Mapping[str, bytes | str]]

_SINGLE = {
    "host": {
        "hostname": "/proc/sys/kernel/hostname",
        "kernel": "/proc/sys/kernel/osrelease",
        "boot_id": "/proc/sys/kernel/random/boot_id",
        "machine_id": "/etc/machine-id",
        "uptime": "/proc/uptime",
        "init": "/proc/1/comm",
    },
    "kernel_limits": {"threads_max": "/proc/sys/kernel/threads-max", "pid_max": "/proc/sys/kernel/pid_max"},
    "meminfo": {
        key: f"/proc/sys/vm/{key}"
        for key in (
            "overcommit_memory",
            "overcommit_ratio",
            "overcommit_kbytes",
            "admin_reserve_kbytes",
            "user_reserve_kbytes",
        )
    },
    "address_spaces": {"max_map_count": "/proc/sys/vm/max_map_count"},
}
_PICKED = {
    "host": {"btime": ("/proc/stat", r"^btime (\d+)")},
    "kernel_limits": {"forks": ("/proc/stat", r"^processes (\d+)")},
    "meminfo": {
        **{
            key: ("/proc/meminfo", rf"^{key}: +(\d+)")
            for key in (
                "MemTotal",
                "MemAvailable",
                "SwapTotal",
                "SwapFree",
                "CommitLimit",
                "Committed_AS",
                "Hugetlb",
                "KernelStack",
                "PageTables",
            )
        },
        **{key: ("/proc/vmstat", rf"^{key} (\d+)") for key in ("oom_kill", "pswpin", "pswpout")},
        "some": ("/proc/pressure/memory", r"^some avg10=([0-9.]+)"),
        "full": ("/proc/pressure/memory", r"^full avg10=([0-9.]+)"),
    },
}
_FIRST = {"host": "is", "kernel_limits": "are", "meminfo": "is", "address_spaces": "all"}
_LOADAVG, _CGROUP = "/proc/loadavg", "/proc/self/cgroup"


def read_sample(read: Read, kinds: Sequence[str], n: int) -> Sample:
    """Sample `n` of what files alone can say, in two rounds of reads: fixed paths, then the session's own cgroups."""
    wanted = [kind for kind in kinds if kind in _FIRST]
    paths = [path for kind in wanted for path in _SINGLE[kind].values()]
    paths += [path for kind in wanted for path, _ in _PICKED.get(kind, {}).values()]
    found = _texts(read(tuple(dict.fromkeys((*paths, _LOADAVG, _CGROUP)))))
    records = [Record(kind, (_FIRST[kind], *_pairs(kind, found))) for kind in wanted]
    total = re.search(r" \d+/(\d+) ", found.get(_LOADAVG, ""))
    records.append(Record("walk", (f"total={total[1]}",) if total else ("total?",)))
    if "pids_cgroups" in kinds and _CGROUP in found:
        records += _pids(read, found[_CGROUP])
    return Sample(n, (*records, Record(END, ("printed=0", "suppressed=0", "truncated="))), is_complete=True)


def _pairs(kind: str, found: Mapping[str, str]) -> list[str]:
    values = {key: found.get(path, "").partition("\n")[0] for key, path in _SINGLE[kind].items()}
    for key, (path, pattern) in _PICKED.get(kind, {}).items():
        match = re.search(pattern, found.get(path, ""), re.MULTILINE)
        values[key] = match[1] if match else ""
    return [f"{key}={safe_text(value)}" if value else f"{key}?" for key, value in values.items()]


def _pids(read: Read, own: str) -> list[Record]:
    """The limits on the session's own path. The counters' meaning is decided as the collector does."""
    v1 = re.search(r"^\d+:(?:[^:\n]*,)?pids(?:,[^:\n]*)?:(/[^\n]*)$", own, re.MULTILINE)
    v2 = re.search(r"^0::(/[^\n]*)$", own, re.MULTILINE)
    match, mount = (v1, "/sys/fs/cgroup/pids") if v1 else (v2, "/sys/fs/cgroup")
    if match is None:
        return []
    elements = [element for element in match[1].split("/") if element]
    paths = ["/" + "/".join(elements[: length + 1]) for length in range(len(elements))]
    names = ("pids.max", "pids.current", "pids.events", "pids.events.local", "pids.peak")
    found = _texts(read(tuple(f"{mount}{path}/{name}" for path in paths for name in names)))
    is_local = not v1 and any(f"{mount}{path}/pids.events.local" in found for path in paths)
    records, finite = [], 0
    for path in paths:
        limit = found.get(f"{mount}{path}/pids.max", "").strip()
        if not limit.isdecimal():
            continue
        finite += 1
        events = found.get(f"{mount}{path}/pids.events{'.local' if is_local else ''}", "")
        refused = re.match(r"max (\d+)", events)
        current, peak = (found.get(f"{mount}{path}/{name}", "").strip() or "?" for name in ("pids.current", "pids.peak"))
        fields = ("at", path, limit, current, refused[1] if refused else "?", "?", peak)
        records.append(Record("pids_cgroups", tuple(safe_text(field) for field in fields)))
    summary = (
        "all",
        f"mode={'v1' if v1 else 'v2'}",
        f"meaning={'local' if is_local else 'forking'}",
        f"mount={mount}",
        "root=/",
        f"cgroups={len(paths)}",
        f"finite={finite}",
        f"near={finite}",
        "reason=only this session's own cgroups were read (SFTP)",
    )
    return [Record("pids_cgroups", summary), *records]


def _texts(answers: Mapping[str, bytes | str]) -> dict[str, str]:
    return {path: value.decode("utf-8", errors="replace") for path, value in answers.items() if isinstance(value, bytes)}
