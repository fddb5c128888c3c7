"""A network of the run's own: the kernel's TCP counters are per network namespace, and ours may have refused somebody once.

A host whose counters say so is looked at twice, two seconds apart: that is measured by itself, not mixed into everything else.
"""

import ctypes
import os
import socket
import subprocess

CLONE_NEWNET = 0x40000000


def enter_own() -> str:
    """Take this process and what it will start into a new network namespace. Returns why not, else an empty text."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return ""


def refuse_a_connection() -> None:
    """Have the kernel count a connection that a full listener refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        for client in clients:
            client.close()
