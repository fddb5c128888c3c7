"""Memory and tables of the network stack, by each awk: limits beside use, counters between samples, sockets in the second."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable

KINDS = ("host", "sockets")
SOCKSTAT = """sockets: used 34
TCP: inuse {inuse} orphan 3 tw 6 alloc 40 mem {mem}
UDP: inuse 2 mem 256
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
"""
NETSTAT = """TcpExt: RcvPruned ListenOverflows TCPAbortOnMemory TCPMemoryPressures TCPTimeWaitOverflow TCPReqQFullDrop TCPRcvQDrop
TcpExt: 1 {overflows} 4 2 190 0 {dropped}
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
"""
SNMP = """Tcp: RtoAlgorithm RtoMin RtoMax
Tcp: 1 200 120000
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 989 0 1552 1008 28 0 0 0 1524
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 7
"""
PROTOCOLS = """protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em
TCPv6     2432      0     115   no     192   yes  kernel      y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y
TCP       2304     15     115   yes    192   yes  kernel      y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y
"""
CONNTRACK = """entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error
00000014  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000001f 00000001 00000000
00000014  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000000A 00000000
"""
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(n: int, local: str, remote: str, state: str, queues: str = "00000000:00000000", uid: int = 1001) -> str:
    """A line of /proc/net/tcp."""
    return f"{n:4d}: {local} {remote} {state} {queues} 00:00000000 00000000 {uid:5d}        0 77 1 0000 100 0 0 10 0\n"


def stack(host: Any, *, mem: int = 1816, overflows: int = 35, dropped: int = 5, inuse: int = 30) -> None:
    """A network stack with something in each of its files."""
    host.write("proc/net/sockstat", SOCKSTAT.format(mem=mem, inuse=inuse))
    host.write("proc/net/sockstat6", "TCP6: inuse 4\nUDP6: inuse 0\n")
    host.write("proc/net/netstat", NETSTAT.format(overflows=overflows, dropped=dropped))
    host.write("proc/net/snmp", SNMP)
    host.write("proc/net/protocols", PROTOCOLS)
    for path, text in (
        ("ipv4/tcp_mem", "300\t400\t500"),
        ("ipv4/udp_mem", "16\t24\t32"),
        ("ipv4/ip_local_port_range", "50000\t50050"),
        ("ipv4/ip_local_reserved_ports", "50010-50012,9000"),
        ("ipv4/tcp_max_orphans", "2048"),
        ("ipv4/tcp_max_tw_buckets", "2048"),
        ("core/somaxconn", "4096"),
    ):
        host.write(f"proc/sys/net/{path}", f"{text}\n")
    host.write("sys/devices/system/cpu/possible", "0-1\n")
    host.name(1001, "acme")


def read(host: Any, tools: Any, awk: str, change: Callable[[], None] | None = None) -> Any:
    """What the kind says after one sample, or after a second that follows a change."""
    paced = tools.paced(str(host.root), awk, KINDS)
    paced.read_sample(1)
    if change is not None:
        change()
        paced.ask()
        paced.read_sample(2)
    assert paced.end().status == 0
    return paced.facts()["sockets"]


def test_use_stands_beside_its_limit(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host)
    found = read(host, tools, awk)
    assert (found.memory_pages, found.memory_low, found.memory_pressure, found.memory_max) == (1816, 300, 400, 500)
    assert (found.memory_reserve, found.is_under_pressure, found.pressures, found.aborts) == (512, True, 2, 4)
    assert (found.orphans, found.orphans_max, found.time_wait, found.time_wait_overflows) == (3, 2048, 6, 190)
    assert (found.udp_memory_errors, found.udp_memory_pages, found.udp_memory_max) == (1524, 256, 32)
    assert (found.ports_low, found.ports_high, found.ports_usable, found.port_sockets) == (50000, 50050, 48, 40)
    assert (found.overflows, found.syn_drops, found.somaxconn) == (35, 0, 4096)
    assert isinstance(found.memory_least, Unreadable)
    assert isinstance(found.overflows_delta, Unreadable)


def test_a_limit_of_the_host_is_unknown_in_a_network_namespace(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host)
    for name in ("tcp_mem", "udp_mem", "tcp_max_orphans"):
        (host.root / f"proc/sys/net/ipv4/{name}").unlink()
    found = read(host, tools, awk)
    assert {found.memory_max, found.memory_pressure, found.orphans_max, found.udp_memory_max} == {
        Unreadable("not shown in a network namespace: it is a limit of the host")
    }
    assert found.memory_pages == 1816


def test_no_files_of_the_network_are_not_zero(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    found = read(tree("v2"), tools, awk)
    for name in ("memory_pages", "memory_max", "orphans", "overflows", "has_conntrack", "ports_usable", "port_sockets", "listed"):
        assert isinstance(getattr(found, name), Unreadable), name
    assert found.destinations.partial


def test_tracked_connections_are_known_to_be_none_without_the_module(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host)
    assert read(host, tools, awk).has_conntrack is False
    host.write("proc/sys/net/netfilter/nf_conntrack_count", "20\n")
    host.write("proc/sys/net/netfilter/nf_conntrack_max", "20\n")
    host.write("proc/net/stat/nf_conntrack", CONNTRACK)
    found = read(host, tools, awk)
    assert (found.has_conntrack, found.conntrack_count, found.conntrack_max, found.conntrack_drops) == (True, 20, 20, 31 + 1 + 10)


def test_counters_are_compared_between_samples(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host)
    found = read(host, tools, awk, lambda: stack(host, mem=1700, overflows=49, dropped=12))
    assert (found.memory_pages, found.memory_least) == (1700, 1700)
    assert (found.overflows, found.overflows_delta, found.drops_delta, found.aborts_delta) == (49, 14, 7, 0)
    assert found.udp_memory_errors_delta == 0


def test_sockets_are_listed_in_the_second_sample_only(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host)
    to_shop, to_other = "0100007F:232C", "0200007F:0050"
    rows = [row(0, "00000000:232E", "00000000:0000", "0A", "00000000:00000005")]
    rows += [row(n, f"0100007F:{50000 + n:04X}", to_shop, "01" if n % 2 else "06", uid=1001 if n % 2 else 0) for n in range(1, 21)]
    rows += [row(30, "0100007F:C351", to_other, "01"), row(31, "0100007F:01BB", to_other, "01")]
    rows += [row(32 + n, "0100007F:1F90", f"0300007F:{n:04X}", "08", "00000000:00000100") for n in range(3)]
    host.write("proc/net/tcp", HEAD + "".join(rows))
    mapped = "0000000000000000FFFF00000100007F"
    host.write("proc/net/tcp6", HEAD + row(0, f"{mapped}:C370", f"{mapped}:232C", "01"))
    first = read(host, tools, awk)
    assert isinstance(first.listed, Unreadable)
    assert "not listed" in first.destinations.partial
    found = read(host, tools, awk, lambda: None)
    assert [(item.address, item.user, item.connections) for item in found.destinations.items] == [
        ("127.0.0.1:9004", "acme", 21),
        ("127.0.0.2:80", "acme", 1),
    ]
    assert (found.destinations.partial, found.listed) == ("", 27)
    assert (found.listener, found.listener_queue, found.listener_user) == ("port 9006", 5, "acme")
    assert (found.close_wait, found.close_wait_user, found.held_bytes, found.held_user) == (3, "acme", 768, "acme")


def test_few_sockets_clear_the_ports_without_a_list(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    stack(host, inuse=5)
    found = read(host, tools, awk).destinations
    assert (found.items, found.partial, found.counted) == ((), "", 1)


@pytest.mark.parametrize(("buckets", "inuse", "alloc"), [("4194304", 30, 40), ("2048", 30, 9000)])
def test_too_large_a_table_is_not_listed(
    tree: Callable[..., Any], tools: Any, awk: str, buckets: str, inuse: int, alloc: int
) -> None:
    host = tree("v2")
    stack(host, inuse=inuse)
    host.write("proc/sys/net/ipv4/tcp_max_tw_buckets", f"{buckets}\n")
    host.write("proc/net/sockstat", SOCKSTAT.format(mem=1, inuse=inuse).replace("alloc 40", f"alloc {alloc}"))
    host.write("proc/net/tcp", HEAD)
    found = read(host, tools, awk, lambda: None)
    assert isinstance(found.listed, Unreadable)
    assert "too costly" in found.listed.reason
    assert "too costly" in found.destinations.partial
