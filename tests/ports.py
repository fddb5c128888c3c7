"""Ports for servers that must be told theirs: each process of tests has its own, and the kernel gives none of them to anybody else.

A port that the kernel chose may be chosen again, for another process, until it is bound: then two servers were to listen there.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

FIRST, BLOCK = 10_000, 100
CHOSEN_BY_KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no other process of tests is given while this one runs."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def _ports() -> Iterator[int]:
    """The ports of the blocks that this process holds, by a name for each that only one process can have, until it ends."""
    end = min(int(CHOSEN_BY_KERNEL.read_text().split()[0]), 32_768)
    blocks = range(FIRST, end - BLOCK, BLOCK)
    mine = os.getpid() % len(blocks)
    held: list[socket.socket] = []
    for first in (*blocks[mine:], *blocks[:mine]):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0triagebook-tests-ports-{first}")
        except OSError:
            name.close()
            continue
        held.append(name)
        yield from range(first, first + BLOCK)


_PORTS = _ports()
