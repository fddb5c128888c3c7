"""A slow link: a network namespace joined to ours by two TUN devices and a delay line. Real TCP at both ends.

    with link(rtt_ms=100) as slow:
        subprocess.run([*slow.enter, "ssh", ...])   # sees us at slow.server_address

Only IP packets are held, half the round-trip time each way. Needs root and /dev/net/tun. The namespace and both devices
belong to one process of ours and go with it.
"""

import argparse
import fcntl
import heapq
import itertools
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import network

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
MAX_PACKET = 2048
_SUBNETS = itertools.count(os.getpid())


@dataclass(frozen=True)
class Link:
    """`enter` is the beginning of an argv that runs inside the client's namespace."""

    enter: tuple[str, ...]
    server_address: str


def why_not() -> str:
    """One line on what is missing for a slow link; empty where it can be made."""
    if os.getuid() != 0:
        return "round trips of 20 and 100 ms need root (a network namespace)"
    if not Path("/dev/net/tun").exists():
        return "round trips of 20 and 100 ms need /dev/net/tun"
    return ""


@contextmanager
def link(rtt_ms: float) -> Iterator[Link]:
    """The link, for as long as the block lasts."""
    subnet = f"10.231.{next(_SUBNETS) % 250}"
    argv = [sys.executable, "-m", "tests.bench.link", "--rtt-ms", str(rtt_ms), "--subnet", subnet]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the slow link could not be made")
        yield Link(("nsenter", "--net", f"--target={process.pid}"), f"{subnet}.2")
    finally:
        assert process.stdin
        process.stdin.close()  # it ends by itself
        process.wait(5)


def _tun(name: str, address: str, peer: str) -> int:
    """A TUN device in the namespace we are in; its descriptor stays ours when we leave it."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (f"addr add {address} peer {peer} dev {name}", f"link set {name} up mtu 1500"):
        subprocess.run(["ip", *command.split()], check=True)
    return device


def _carry(ends: tuple[int, int], half_s: float) -> None:
    """Hold every packet for half a round trip, until our standard input ends."""
    held: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        wait_s = max(0.0, held[0][0] - time.perf_counter()) if held else None
        readable, _, _ = select.select([*ends, 0], [], [], wait_s)
        if 0 in readable:
            return
        for end in readable:
            other = ends[1] if end == ends[0] else ends[0]
            try:
                while True:
                    packet = os.read(end, MAX_PACKET)
                    number += 1
                    heapq.heappush(held, (time.perf_counter() + half_s, number, other, packet))
            except BlockingIOError:
                pass
        while held and held[0][0] <= time.perf_counter():
            _, _, end, packet = heapq.heappop(held)
            try:
                os.write(end, packet)
            except OSError:
                continue  # as a network does: lost


def main() -> None:
    """The process that holds the link."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rtt-ms", type=float, required=True)
    parser.add_argument("--subnet", required=True)
    options = parser.parse_args()
    client, server = f"{options.subnet}.1", f"{options.subnet}.2"
    ours = _tun(f"tb{os.getpid() % 100000}", server, client)
    if why := network.enter_own():
        sys.exit(why)
    theirs = _tun("tb0", client, server)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    _carry((ours, theirs), options.rtt_ms / 2000)


if __name__ == "__main__":
    main()
