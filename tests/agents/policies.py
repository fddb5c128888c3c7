"""The arms: what each way of asking runs on a host, fixed beforehand. Pure data; a further arm is a further row of ARMS.

A group is a list of calls that is recorded once on a guest, in the fault; an arm reads one or more groups. So the arms that begin
alike have read the same bytes. `{unit}`, `{cgroup}`, `{user}` and `{pid}` stand for what only somebody who knows the culprit can
say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# The guide's commands that need no prior knowledge, in its order. `smem` is not installed on the guests, as on most hosts.
GUIDE_BLIND = (
    "free -h",
    "grep -E 'MemAvailable|SwapFree|Committed_AS|CommitLimit' /proc/meminfo",
    "ps -eLf | wc -l",
    "grep -E 'Committed_AS|CommitLimit' /proc/meminfo",
    "cat /proc/sys/vm/overcommit_memory",
    "cat /proc/sys/vm/overcommit_ratio",
    "cat /proc/sys/kernel/pid_max",
    "cat /proc/sys/kernel/threads-max",
    "ulimit -u",
    "ulimit -v",
    "cat /proc/sys/vm/max_map_count",
    "vmstat 1 5",
    'smem -tk -c "pid user command rss pss"',
)
# Those that need the unit, its cgroup, the user and the process: an oracle's, and so an upper bound for a good agent.
GUIDE_TOLD = (
    "systemctl show -p TasksMax -p TasksCurrent {unit}",
    "cat /sys/fs/cgroup{cgroup}/pids.current",
    "cat /sys/fs/cgroup{cgroup}/pids.max",
    "cat /sys/fs/cgroup{cgroup}/pids.events",
    "cat /proc/{pid}/limits",
    "ps -u {user} -L --no-headers | wc -l",
)
# What an expert of cgroups runs over all of them: every one that has a limit, with what it uses.
SWEEP = (
    "find /sys/fs/cgroup -name pids.max | while read -r f; do d=${f%/*}; read -r max < $f; "
    '[ "$max" = max ] || echo "$d pids.current $(cat $d/pids.current) pids.max $max pids.events $(cat $d/pids.events)"; done',
    "find /sys/fs/cgroup -name memory.max | while read -r f; do d=${f%/*}; read -r max < $f; "
    '[ "$max" = max ] || echo "$d memory.current $(cat $d/memory.current) memory.max $max $(xargs < $d/memory.events)"; done',
)
# Every read-only tool of linux-mcp-server that needs no prior knowledge, and the guide's files by `read_file`. Left out: PCP, of
# which the guests have no archive, and `read_log_file`, which reads what its administrator lists.
LINUX_MCP_SERVER: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("get_system_information", {}),
    ("get_cpu_information", {}),
    ("get_memory_information", {}),
    ("get_disk_usage", {}),
    ("get_hardware_information", {}),
    ("list_processes", {}),
    ("list_services", {}),
    ("get_journal_logs", {}),
    ("get_network_interfaces", {}),
    ("get_network_connections", {}),
    ("get_listening_ports", {}),
    ("list_block_devices", {}),
    ("list_directories", {"path": "/sys/fs/cgroup"}),
    ("read_file", {"path": "/proc/meminfo"}),
    ("read_file", {"path": "/proc/sys/vm/overcommit_memory"}),
    ("read_file", {"path": "/proc/sys/vm/overcommit_ratio"}),
    ("read_file", {"path": "/proc/sys/kernel/pid_max"}),
    ("read_file", {"path": "/proc/sys/kernel/threads-max"}),
    ("read_file", {"path": "/proc/sys/vm/max_map_count"}),
)
DIAGNOSE: tuple[tuple[str, Mapping[str, str]], ...] = (("diagnose", {"symptom": "{symptom}"}),)

SHELL: Mapping[str, tuple[str, ...]] = {"blind": GUIDE_BLIND, "told": GUIDE_TOLD, "sweep": SWEEP}
SERVERS: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {"linux-mcp-server": LINUX_MCP_SERVER, "diagnose": DIAGNOSE}


@dataclass(frozen=True)
class Arm:
    """One way of asking: its name, the groups that its text is made of, and whether it says a verdict of its own."""

    name: str
    groups: tuple[str, ...]
    about: str
    claims: Literal["nothing", "a verdict"] = "nothing"


ARMS = (
    Arm("guide, blind", ("blind",), "the guide's commands that need no prior knowledge"),
    Arm("guide, told", ("blind", "told"), "the same, by an oracle that knows the unit, its cgroup, the user and the process"),
    Arm("sweep", ("blind", "sweep"), "the blind ones, and a cgroup expert's two loops over all cgroups with a limit"),
    Arm("linux-mcp-server", ("linux-mcp-server",), "linux-mcp-server 1.7.0, every read-only tool that needs no prior knowledge"),
    Arm("diagnose", ("diagnose",), "triagebook's tool `diagnose`, given the host and the error text", "a verdict"),
)
