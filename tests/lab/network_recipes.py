"""Faults of the network stack, made in a guest and asked four ways. Data only."""

from tests.lab.field_recipes import Recipe

RUNBOOK = "tcp-memory"
NET = "/opt/acme/bin/net"


def unit(name: str, mode: str) -> str:
    return f"systemd-run -q -p User=acme -p LimitNOFILE=20000 -p StandardOutput=append:/run/{name}.log --unit={name} {NET} {mode}; sleep 2"


def _counter(name: str) -> str:
    """A proof that a counter of TcpExt is above zero."""
    return (
        f"awk '/^TcpExt:/ {{ if (!heads) heads = split($0, name); else for (i in name) if (name[i] == \"{name}\") exit !($i > 0) }}' "
        "/proc/net/netstat"
    )


RECIPES = {
    "tcp-mem": Recipe(
        title="tcp_mem of 300 400 500 pages, 80 connections that nobody reads",
        commands=f"echo '300 400 500' > /proc/sys/net/ipv4/tcp_mem; {unit('websrv', 'deaf 9001 0')}; {unit('clientd', 'fill 9001 80')}; sleep 6",
        symptom="TCP: out of memory -- consider tuning tcp_mem",
        cause="tcp_mem",
        proof="awk '/^TCP:/ { exit !($11 >= 400) }' /proc/net/sockstat",
        runbook=RUNBOOK,
    ),
    "orphans": Recipe(
        title="50 connections closed with unsent data, tcp_max_orphans 20",
        commands=f"echo 20 > /proc/sys/net/ipv4/tcp_max_orphans; {unit('websrv', 'deaf 9002 0')}; {unit('clientd', 'orphan 9002 50')}; sleep 10",
        symptom="TCP: too many orphaned sockets",
        cause="tcp_max_orphans tcp_max_orphans_log",
        proof="dmesg | grep -m1 'too many orphaned sockets'",
        runbook=RUNBOOK,
    ),
    "time-wait-buckets": Recipe(
        title="healthy: more TIME_WAIT sockets than may",
        commands=(
            f"echo 10 > /proc/sys/net/ipv4/tcp_max_tw_buckets; {unit('websrv', 'deaf 9003 0')}; {unit('clientd', 'short 9003 200')}; "
            "sleep 5; systemctl stop websrv; sleep 2"
        ),
        symptom="",
        proof=_counter("TCPTimeWaitOverflow"),
        runbook=RUNBOOK,
    ),
    "ephemeral-ports": Recipe(
        title="51 local ports, all to one destination",
        commands=(
            f"echo '50000 50050' > /proc/sys/net/ipv4/ip_local_port_range; {unit('websrv', 'deaf 9004 0')}; {unit('clientd', 'dial 9004 60')}; sleep 4"
        ),
        symptom="connect() to 127.0.0.1:9004 failed (99: Cannot assign requested address)",
        cause="ephemeral_ports",
        proof="grep -m1 'errno 99' /run/clientd.log",
        runbook=RUNBOOK,
    ),
    "listen-overflow": Recipe(
        title="a listener with a backlog of 4 whose program does not accept",
        commands=f"{unit('websrv', 'noaccept 9006 0')}; {unit('clientd', 'dial 9006 30')}; sleep 8",
        symptom="TCP: request_sock_TCP: Possible SYN flooding on port 9006. Sending cookies.",
        cause="listen_queue",
        proof=_counter("ListenOverflows"),
        runbook=RUNBOOK,
    ),
    "udp-mem": Recipe(
        title="udp_mem of 16 24 32 pages, receivers that never read",
        commands=f"echo '16 24 32' > /proc/sys/net/ipv4/udp_mem; {unit('udpd', 'udp 0 0')}; sleep 4",
        symptom="UDP: packet receive errors, receive buffer errors",
        cause="udp_mem",
        proof="awk '/^Udp:/ { value = $NF } END { exit !(value > 0) }' /proc/net/snmp",
        runbook=RUNBOOK,
    ),
    "receiver-too-slow": Recipe(
        title="healthy: a reader that does not read, far below the limit",
        commands=f"{unit('websrv', 'deaf 9008 0')}; {unit('clientd', 'fill 9008 5')}; sleep 4",
        symptom="upstream timed out (110: Connection timed out)",
        proof="grep -m1 filled /run/clientd.log",
        runbook=RUNBOOK,
    ),
    "ports-and-listener": Recipe(
        title="two at once: no local port to one destination, and a listener that does not accept",
        commands=(
            f"echo '50000 50050' > /proc/sys/net/ipv4/ip_local_port_range; {unit('websrv', 'deaf 9004 0')}; {unit('clientd', 'dial 9004 60')}; "
            f"{unit('blocked', 'noaccept 9006 0')}; {unit('feedd', 'dial 9006 30')}; sleep 8"
        ),
        symptom="connect() to 127.0.0.1:9004 failed (99: Cannot assign requested address)",
        cause="ephemeral_ports listen_queue",
        proof="grep -m1 'errno 99' /run/clientd.log",
        runbook=RUNBOOK,
    ),
}
