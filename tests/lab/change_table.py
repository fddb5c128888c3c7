"""The table of kernel values and unit limits that are raised: the fault of each, its remediation, and what shows it. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.lab.field_recipes import Recipe
from tests.lab.file_recipes import FDS
from tests.lab.network_recipes import unit

ACMED = "/opt/acme/bin/acmed"
BATCHD = "/sys/fs/cgroup/system.slice/batchd.service"


@dataclass(frozen=True)
class Change:
    """A value that is raised: the fault that makes it too low, the remediation, and the file that shows the value.

    `relief` ends the load, so that the value may be put back. `ending` is how the live change must end; one that holds from the
    next start of a program ends `unresolved`, and `restart` starts that program anew: then nothing is refused now.
    `is_by_text`: a plain user who names no error's text is told nothing of it; where figures show no use either, nobody can tell
    whether it is gone, and the fix ends `unresolved`.
    `use` is tried as root after the change until it exits with 0: what was refused before is there.
    """

    recipe: str
    runbook: str
    remediation: str
    file: str
    relief: str
    who: str = "diag"
    parameters: Mapping[str, int] = field(default_factory=dict)
    ending: str = "validated"
    cause: str = ""
    restart: str = ""
    use: str = ""
    is_by_text: bool = False


# dash reads byte by byte, and a file below /proc/sys gives only its first one then: `cat` and `cut` take it whole.
CLIENTS = "systemctl stop clientd websrv"
CHANGES = (
    Change("all-inotify-instances", "emfile", "raise_inotify_instances", "/proc/sys/fs/inotify/max_user_instances",
           "systemctl stop watchd", who="root"),
    Change("all-inotify-instances", "emfile", "raise_inotify_instances", "/proc/sys/fs/inotify/max_user_instances",
           "systemctl stop watchd", ending="unresolved", is_by_text=True),
    Change("optmem", "enomem", "raise_optmem", "/proc/sys/net/core/optmem_max", "systemctl stop opt", is_by_text=True),
    Change("inotify-watches", "emfile", "raise_inotify_watches", "/proc/sys/fs/inotify/max_user_watches",
           "systemctl stop watchd", who="root"),
    Change("file-max-near", "emfile", "raise_file_max", "/proc/sys/fs/file-max", "systemctl stop fdsrv"),
    Change("aio-max-nr", "emfile", "raise_aio_max", "/proc/sys/fs/aio-max-nr", "systemctl stop aio"),
    Change("tcp-mem", "tcp-memory", "raise_tcp_mem", "/proc/sys/net/ipv4/tcp_mem", CLIENTS),
    Change("orphans", "tcp-memory", "raise_tcp_max_orphans", "/proc/sys/net/ipv4/tcp_max_orphans", CLIENTS,
           who="root", is_by_text=True),
    Change("ephemeral-ports", "tcp-memory", "widen_port_range", "/proc/sys/net/ipv4/ip_local_port_range", CLIENTS,
           use="awk '/^TCP:/ { exit !($3 >= 120) }' /proc/net/sockstat"),  # both ends of 60 connections
    Change("short-backlog", "tcp-memory", "raise_somaxconn", "/proc/sys/net/core/somaxconn", CLIENTS,
           ending="unresolved", cause="listen_queue", restart="websrv"),
    Change("conntrack-near", "tcp-memory", "raise_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_max", CLIENTS),
    Change("udp-mem-low", "tcp-memory", "raise_udp_mem", "/proc/sys/net/ipv4/udp_mem", "systemctl stop udpd",
           parameters={"pages": 2048}),
    Change("memory-of-a-unit", "oom", "raise_memory_max", f"{BATCHD}/memory.max", "touch /run/enough; pkill -KILL acmed; sleep 2",
           use=f"awk '{{ exit !($1 > 62000000) }}' {BATCHD}/memory.current"),
)  # fmt: skip
HERE = {
    "file-max-near": Recipe(
        title="fs.file-max is nearly full",
        commands=f"systemd-run -q -p LimitNOFILE=20000 -p User=acme --unit=fdsrv {FDS} null 5000; sleep 3; "
        "used=$(cut -f1 /proc/sys/fs/file-nr); echo $((used * 108 / 100)) > /proc/sys/fs/file-max",
        symptom="",
        runbook="emfile",
    ),
    "short-backlog": Recipe(
        title="a listener that asks for a backlog of 100 gets 4, as net.core.somaxconn says",
        commands=(
            f"echo 4 > /proc/sys/net/core/somaxconn; {unit('websrv', 'noaccept 9006 100')}; "
            f"{unit('clientd', 'dial 9006 30')}; sleep 8"
        ),
        symptom="",
        runbook="tcp-memory",
    ),
    "conntrack-near": Recipe(
        title="300 tracked connections, and a table that has room for few more",
        commands=(
            "for name in libcrc32c nf_defrag_ipv6 nf_defrag_ipv4; do busybox insmod /opt/acme/bin/$name.ko; done; "
            "busybox insmod /opt/acme/bin/nf_conntrack.ko enable_hooks=1; cd /proc/sys/net/netfilter; "
            "echo nf_conntrack > /etc/modules-load.d/conntrack.conf; "
            "echo 5 > nf_conntrack_tcp_timeout_time_wait; echo 5 > nf_conntrack_tcp_timeout_close; "
            f"{unit('websrv', 'deaf 9001 0')}; {unit('clientd', 'dial 9001 300')}; sleep 6; "
            "count=$(cat nf_conntrack_count); echo $((count * 106 / 100)) > nf_conntrack_max"
        ),
        symptom="",
        runbook="tcp-memory",
        proof="awk '{ exit !($1 >= 300) }' /proc/sys/net/netfilter/nf_conntrack_count",
    ),
    "udp-mem-low": Recipe(
        title="udp_mem of 300 400 512 pages, receivers that never read; up to 256 count as in use though they are free",
        commands=f"echo '300 400 512' > /proc/sys/net/ipv4/udp_mem; {unit('udpd', 'udp 0 0')}; sleep 4",
        symptom="",
        runbook="tcp-memory",
        proof="awk '/^Udp:/ { value = $NF } END { exit !(value > 0) }' /proc/net/snmp",
    ),
    "memory-of-a-unit": Recipe(
        title="a service whose child needs 64 MiB has MemoryMax=48M; its child is killed and started again",
        commands=(
            "rm -f /run/enough; systemd-run -q --unit=batchd -p MemoryMax=48M -p OOMPolicy=continue "
            f"sh -c 'until [ -e /run/enough ]; do {ACMED} touch 64; sleep 2; done; exec sleep 900'"
        ),
        symptom="",
        runbook="oom",
        proof=f"grep -q '^oom_kill [1-9]' {BATCHD}/memory.events",
    ),
}
