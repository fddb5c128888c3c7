"""Reads memory and tables of the network stack beside their limits, in the reader's own network namespace.

Source: proc_net(5) (sockstat, netstat, snmp, protocols, tcp), kernel documentation networking/ip-sysctl and nf_conntrack-sysctl.
tcp_mem and udp_mem are pages; the memory of TCP is counted for the whole host, most counters for the namespace. Linux 6.0 and
newer hold back up to 256 pages for each CPU.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_PRINTED,
    NOT_READABLE,
    because,
    complete,
    counts,
    cut,
    integer,
    latest,
    minus,
    names_of,
    pairs_of,
    records_of,
    rise,
)
from triagebook.runbooks.probes.records import Sample
from triagebook.runbooks.probes.socket_addresses import address_of, cpus_of, ports_in

_KIND = "sockets"
_RESERVE_PAGES = 256
_TAB = "\\x09"  # as the collector prints one
_NOT_LISTED = Unreadable("not listed: the sockets are listed in a second sample only")
_COSTLY = Unreadable("not listed: too costly (too many sockets, or too large a table of them)")
_OF_HOST = Unreadable("not shown in a network namespace: it is a limit of the host")


@dataclass(frozen=True)
class PortDestination:
    """Describes how many local ports of those the kernel gives out are taken towards one address and port."""

    IDENTITY: ClassVar[str] = "address"

    address: str
    user: str
    connections: int = fact("ports", "rows of /proc/net/tcp and tcp6 towards {address}")


@dataclass(frozen=True)
class Sockets:
    """Describes the network stack. `listed` is the number of rows of the second sample; what rests on rows is unknown without it.

    `memory_least` is the least of both samples. `drops_delta` is of packets that were dropped for want of memory. Of listeners
    and holders the largest is told: `listener` is "" where no connection waits to be accepted.
    """

    destinations: Collection[PortDestination]
    memory_pages: int | Unreadable = fact("pages", "/proc/net/sockstat TCP mem")
    memory_least: int | Unreadable = fact("pages", "/proc/net/sockstat TCP mem, of two samples")
    memory_low: int | Unreadable = fact("pages", "/proc/sys/net/ipv4/tcp_mem (1st figure)")
    memory_pressure: int | Unreadable = fact("pages", "/proc/sys/net/ipv4/tcp_mem (2nd figure)")
    memory_max: int | Unreadable = fact("pages", "/proc/sys/net/ipv4/tcp_mem (3rd figure)")
    memory_reserve: int | Unreadable = fact("pages", "/sys/devices/system/cpu/possible, 256 pages each")
    is_under_pressure: bool | Unreadable = fact("", "/proc/net/protocols TCP press")
    pressures: int | Unreadable = fact("times", "/proc/net/netstat TCPMemoryPressures")
    pressure_ms: int | Unreadable = fact("ms", "/proc/net/netstat TCPMemoryPressuresChrono")
    drops_delta: int | Unreadable = fact("packets", "/proc/net/netstat RcvPruned, TCPRcvQDrop, TCPAbortOnMemory")
    aborts: int | Unreadable = fact("connections", "/proc/net/netstat TCPAbortOnMemory")
    aborts_delta: int | Unreadable = fact("connections", "/proc/net/netstat TCPAbortOnMemory")
    orphans: int | Unreadable = fact("sockets", "/proc/net/sockstat TCP orphan")
    orphans_max: int | Unreadable = fact("sockets", "/proc/sys/net/ipv4/tcp_max_orphans")
    time_wait: int | Unreadable = fact("sockets", "/proc/net/sockstat TCP tw")
    time_wait_overflows: int | Unreadable = fact("sockets", "/proc/net/netstat TCPTimeWaitOverflow")
    udp_memory_errors: int | Unreadable = fact("packets", "/proc/net/snmp Udp MemErrors")
    udp_memory_errors_delta: int | Unreadable = fact("packets", "/proc/net/snmp Udp MemErrors")
    udp_memory_max: int | Unreadable = fact("pages", "/proc/sys/net/ipv4/udp_mem (3rd figure)")
    udp_memory_pages: int | Unreadable = fact("pages", "/proc/net/sockstat UDP mem")
    port_sockets: int | Unreadable = fact("sockets", "/proc/net/sockstat and sockstat6, TCP inuse and tw")
    ports_low: int | Unreadable = fact("", "/proc/sys/net/ipv4/ip_local_port_range (1st figure)")
    ports_high: int | Unreadable = fact("", "/proc/sys/net/ipv4/ip_local_port_range (2nd figure)")
    ports_usable: int | Unreadable = fact("ports", "/proc/sys/net/ipv4/ip_local_port_range less ip_local_reserved_ports")
    somaxconn: int | Unreadable = fact("connections", "/proc/sys/net/core/somaxconn")
    overflows: int | Unreadable = fact("times", "/proc/net/netstat ListenOverflows")
    overflows_delta: int | Unreadable = fact("times", "/proc/net/netstat ListenOverflows")
    syn_drops: int | Unreadable = fact("packets", "/proc/net/netstat TCPReqQFullDrop")
    syn_drops_delta: int | Unreadable = fact("packets", "/proc/net/netstat TCPReqQFullDrop")
    has_conntrack: bool | Unreadable = fact("", "/proc/sys/net/netfilter/nf_conntrack_count")
    conntrack_count: int | Unreadable = fact("entries", "/proc/sys/net/netfilter/nf_conntrack_count")
    conntrack_max: int | Unreadable = fact("entries", "/proc/sys/net/netfilter/nf_conntrack_max")
    conntrack_drops: int | Unreadable = fact("packets", "/proc/net/stat/nf_conntrack drop, early_drop")
    conntrack_drops_delta: int | Unreadable = fact("packets", "/proc/net/stat/nf_conntrack drop, early_drop")
    listed: int | Unreadable = fact("sockets", "rows of /proc/net/tcp and tcp6")
    listener_queue: int | Unreadable = fact("connections", "/proc/net/tcp and tcp6, LISTEN rx_queue")
    listener: str | Unreadable = fact("", "/proc/net/tcp and tcp6, LISTEN", default="")
    listener_user: str | Unreadable = fact("", "/proc/net/tcp and tcp6, LISTEN uid", default="")
    close_wait: int | Unreadable = fact("sockets", "/proc/net/tcp and tcp6, CLOSE_WAIT", default=_NOT_LISTED)
    close_wait_user: str | Unreadable = fact("", "/proc/net/tcp and tcp6, CLOSE_WAIT uid", default="")
    held_bytes: int | Unreadable = fact("bytes", "/proc/net/tcp and tcp6, queues", default=_NOT_LISTED)
    held_user: str | Unreadable = fact("", "/proc/net/tcp and tcp6, queues by uid", default="")


FACTS = Sockets


def parse(samples: Sequence[Sample]) -> Sockets:
    """Return what the last complete sample says; rises are between the first and the last complete one."""
    whole, sample = complete(samples), latest(samples)
    pairs, names = pairs_of(sample, _KIND, "are"), names_of(sample)
    ports = _figures(pairs.get("ip_local_port_range"), 2)
    in_use, waiting = integer(pairs.get("inuse")), integer(pairs.get("tw"))
    usable, taken = ports_in(ports, pairs.get("ip_local_reserved_ports")), _sum(in_use, integer(pairs.get("inuse6")), waiting)
    rows = pairs_of(sample, _KIND, "listed")
    listed = integer(rows.get("rows")) if rows else _why_not_listed(sample)
    return Sockets(
        destinations=_destinations(sample, names, listed, usable, taken),
        time_wait=waiting,
        port_sockets=taken,
        ports_low=ports[0],
        ports_high=ports[1],
        ports_usable=usable,
        listed=listed,
        **_memory(whole, pairs),
        **_counters(whole),
        **_conntrack(whole, pairs),
        **_rows(sample, rows, listed, names),
    )


def _memory(whole: Sequence[Sample], pairs: Mapping[str, str | Unreadable]) -> dict[str, Any]:
    """Return pages and orphans beside their limits, which are the host's: in another namespace they are not shown."""
    somaxconn, orphans_max = integer(pairs.get("core/somaxconn")), integer(pairs.get("tcp_max_orphans"))
    memory, udp = _figures(pairs.get("tcp_mem"), 3), _figures(pairs.get("udp_mem"), 3)
    is_elsewhere = isinstance(somaxconn, int)  # such files are there; those of the host alone may not be
    limits = [_OF_HOST if is_elsewhere and isinstance(figure, Unreadable) else figure for figure in (*memory, udp[2], orphans_max)]
    pages = [integer(pairs_of(one, _KIND, "are").get("mem")) for one in whole]
    cpus = cpus_of(pairs.get("cpus"))
    return {
        "memory_pages": pages[-1] if pages else NOT_PRINTED,
        "memory_least": _least(pages) if len(pages) > 1 else NEEDS_SECOND,
        "memory_low": limits[0],
        "memory_pressure": limits[1],
        "memory_max": limits[2],
        "memory_reserve": cpus if isinstance(cpus, Unreadable) else cpus * _RESERVE_PAGES,
        "is_under_pressure": _flag(pairs.get("press")),
        "orphans": integer(pairs.get("orphan")),
        "orphans_max": limits[4],
        "udp_memory_max": limits[3],
        "udp_memory_pages": integer(pairs.get("udp")),
        "somaxconn": somaxconn,
    }


def _counters(whole: Sequence[Sample]) -> dict[str, Any]:
    """Return the counters of the namespace, and how far they rose."""
    return {
        "pressures": _now(whole, "TCPMemoryPressures"),
        "pressure_ms": _now(whole, "TCPMemoryPressuresChrono"),
        "drops_delta": _sum(*(_rise(whole, key) for key in ("RcvPruned", "TCPRcvQDrop", "TCPAbortOnMemory"))),
        "aborts": _now(whole, "TCPAbortOnMemory"),
        "aborts_delta": _rise(whole, "TCPAbortOnMemory"),
        "time_wait_overflows": _now(whole, "TCPTimeWaitOverflow"),
        "udp_memory_errors": _now(whole, "MemErrors"),
        "udp_memory_errors_delta": _rise(whole, "MemErrors"),
        "overflows": _now(whole, "ListenOverflows"),
        "overflows_delta": _rise(whole, "ListenOverflows"),
        "syn_drops": _now(whole, "TCPReqQFullDrop"),
        "syn_drops_delta": _rise(whole, "TCPReqQFullDrop"),
    }


def _conntrack(whole: Sequence[Sample], pairs: Mapping[str, str | Unreadable]) -> dict[str, Any]:
    """Return the table of tracked connections, where there is one."""
    has_table = _has_conntrack(pairs, integer(pairs.get("core/somaxconn")))
    why = None if has_table is True else _why_untracked(has_table)
    return {
        "has_conntrack": has_table,
        "conntrack_count": why or integer(pairs.get("netfilter/nf_conntrack_count")),
        "conntrack_max": why or integer(pairs.get("netfilter/nf_conntrack_max")),
        "conntrack_drops": why or _now(whole, "drops"),
        "conntrack_drops_delta": why or _rise(whole, "drops"),
    }


def _rows(
    sample: Sample | None, rows: Mapping[str, str | Unreadable], listed: int | Unreadable, names: Mapping[int, str]
) -> dict[str, Any]:
    """Return what the list of the sockets tells: the fullest queue, sockets that were not closed, who holds data."""
    queue = next(_listeners(sample, names), None)
    is_read = bool(pairs_of(sample, _KIND, "are"))
    hidden = listed if isinstance(listed, Unreadable) else None
    return {
        "listener_queue": hidden or (queue[1] if queue else 0),
        "listener": f"port {queue[0]}" if queue else "" if is_read else NOT_PRINTED,
        "listener_user": queue[2] if queue else "" if is_read else NOT_PRINTED,
        "close_wait": hidden or integer(rows.get("close_wait")),
        "close_wait_user": _user(rows.get("close_wait_uid"), names) if is_read else NOT_PRINTED,
        "held_bytes": hidden or integer(rows.get("held")),
        "held_user": _user(rows.get("held_uid"), names) if is_read else NOT_PRINTED,
    }


def _figures(value: str | Unreadable | None, size: int) -> list[int | Unreadable]:
    words = value.replace(_TAB, " ").split() if isinstance(value, str) else []
    if len(words) != size:
        return [value if isinstance(value, Unreadable) else NOT_READABLE] * size
    return [integer(word) for word in words]


def _sum(*values: int | Unreadable) -> int | Unreadable:
    return minus(0, minus(0, *values))


def _least(values: Sequence[int | Unreadable]) -> int | Unreadable:
    known = [value for value in values if isinstance(value, int)]
    return min(known) if len(known) == len(values) else NOT_READABLE


def _now(samples: Sequence[Sample], key: str) -> int | Unreadable:
    return integer(pairs_of(samples[-1], _KIND, "counted").get(key)) if samples else NOT_PRINTED


def _rise(samples: Sequence[Sample], key: str) -> int | Unreadable:
    return rise(_now(samples[:1], key), _now(samples, key)) if len(samples) > 1 else NEEDS_SECOND


def _flag(value: str | Unreadable | None) -> bool | Unreadable:
    return value == "yes" if value in {"yes", "no"} else value if isinstance(value, Unreadable) else NOT_READABLE


def _has_conntrack(pairs: Mapping[str, str | Unreadable], somaxconn: int | Unreadable) -> bool | Unreadable:
    """Say whether the module is loaded: its files are for everybody, so none beside others of that folder means no module."""
    if isinstance(integer(pairs.get("netfilter/nf_conntrack_count")), int):
        return True
    return False if isinstance(somaxconn, int) else NOT_READABLE


def _why_untracked(has_table: bool | Unreadable) -> Unreadable:
    return has_table if isinstance(has_table, Unreadable) else Unreadable("connections are not tracked here")


def _why_not_listed(sample: Sample | None) -> Unreadable:
    if sample is not None and any(fields[:1] == ("costly",) for fields in sample.of(_KIND)):
        return _COSTLY
    return NOT_READABLE if sample is not None and any(fields[:1] == ("unread",) for fields in sample.of(_KIND)) else _NOT_LISTED


def _destinations(
    sample: Sample | None, names: Mapping[int, str], listed: int | Unreadable, usable: int | Unreadable, taken: int | Unreadable
) -> Collection[PortDestination]:
    """Return the destinations with most ports. With fewer sockets than half of the ports there is none near, listed or not."""
    found = []
    for fields in records_of(sample, _KIND, "dest"):
        number = counts(fields, 1)
        if number is not None:
            found.append(PortDestination(address_of(fields[0]), _user(fields[2], names), number[0]))
    reason = cut(sample, _KIND)
    if isinstance(listed, Unreadable):
        known = [usable, taken]
        far = isinstance(usable, int) and isinstance(taken, int) and taken * 2 < usable
        unknown = next((value.reason for value in known if isinstance(value, Unreadable)), listed.reason)
        return Collection((), because(reason, "" if far else unknown), 1 if far else 0)
    return Collection(tuple(found), reason)


def _listeners(sample: Sample | None, names: Mapping[int, str]) -> Iterator[tuple[str, int, str]]:
    rows = []
    for fields in records_of(sample, _KIND, "listen"):
        number = counts(fields, 1)
        if number is not None:
            rows.append((address_of(fields[0]).rpartition(":")[2], number[0], _user(fields[2], names)))
    return iter(rows)


def _user(value: str | Unreadable | None, names: Mapping[int, str]) -> str:
    uid = integer(value)
    return names.get(uid, str(uid)) if isinstance(uid, int) else ""
