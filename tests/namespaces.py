"""Closed networks on this machine: namespaces that reach one address outside of themselves, and not each other."""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hang import GUARD_S

_NUMBER = 10 + os.getpid() % 200  # so that two runs of the tests have different addresses
HUB = f"10.213.{_NUMBER}.1"  # the one address that all of them reach
CLONE_NEWNET = 0x40000000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def why_not() -> str:
    """Why there can be none here; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces are made by root only"
    name = f"triagebook-{os.getpid()}-probe"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return "no network namespaces here"
    ip("netns", "del", name)
    return ""


@dataclass(frozen=True)
class Namespace:
    """One closed network. `address` is its only one, apart from a loopback of its own."""

    name: str
    address: str

    def argv(self, *command: str) -> list[str]:
        """The command, to be run in it."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]  # `ip netns exec` would mount another /sys

    def call(self, work: Callable[[], Any]) -> Any:
        """Run that in it, and return what it returns; its sockets stay there."""
        results: list[Any] = []

        def run() -> None:
            with Path(f"/run/netns/{self.name}").open() as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            results.append(work())

        thread = threading.Thread(target=run)  # a thread of its own: the others stay where they are
        thread.start()
        thread.join()
        return results[0]

    def reaches(self, address: str, port: int, within_s: float = GUARD_S) -> bool:
        """Whether a TCP connection from it can be made. Where nobody answers, it is known after that time only."""

        def connect() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((address, port), within_s):
                return True
            return False

        return bool(self.call(connect))


@contextlib.contextmanager
def closed_networks(*names: str) -> Iterator[list[Namespace]]:
    """Make them, with HUB as an address of this machine."""
    made: list[Namespace] = []
    ip("addr", "add", f"{HUB}/32", "dev", "lo")
    try:
        for number, name in enumerate(names, 1):
            space = Namespace(f"triagebook-{os.getpid()}-{name}", f"10.213.{_NUMBER}.{8 * number + 2}")
            gateway, link = f"10.213.{_NUMBER}.{8 * number + 1}", f"tb{os.getpid()}{number}"[-15:]
            ip("netns", "add", space.name)
            made.append(space)
            ip("link", "add", link, "type", "veth", "peer", "name", "outside", "netns", space.name)
            ip("addr", "add", f"{gateway}/30", "dev", link)
            ip("link", "set", link, "up")
            for words in (
                ("addr", "add", f"{space.address}/30", "dev", "outside"),
                ("link", "set", "outside", "up"),
                ("link", "set", "lo", "up"),
                ("route", "add", "default", "via", gateway),
            ):
                ip("-n", space.name, *words)
        yield made
    finally:
        for space in made:
            ip("netns", "del", space.name)
        ip("addr", "del", f"{HUB}/32", "dev", "lo")
