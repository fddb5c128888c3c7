"""Names each limit of a process that may be raised here, as /proc/PID/limits, systemd and prlimit(1) call it.

Sources: proc_pid_limits(5), systemd.exec(5), prlimit(1), limits.conf(5). The helper knows the same (`helper/reading.sh`).
"""

from triagebook.runbooks.engine.dataclass import dataclass


@dataclass(frozen=True)
class ResourceLimit:
    """Describes one limit. `is_later`: a collector that was installed before it came does not print it."""

    title: str  # in /proc/PID/limits
    setting: str  # of a unit
    unit: str
    is_later: bool = True


RESOURCES = {
    "nproc": ResourceLimit("Max processes", "LimitNPROC", "processes", is_later=False),
    "as": ResourceLimit("Max address space", "LimitAS", "bytes", is_later=False),
    "nofile": ResourceLimit("Max open files", "LimitNOFILE", "files"),
    "memlock": ResourceLimit("Max locked memory", "LimitMEMLOCK", "bytes"),
    "data": ResourceLimit("Max data size", "LimitDATA", "bytes"),
    "sigpending": ResourceLimit("Max pending signals", "LimitSIGPENDING", "signals"),
}
