"""Joins a port of the machine of a page, whose network is closed, to a server of the tests: `python relay.py PORT SOCKET`.

The machine's end listens on the port and goes on through a Unix socket; the tests' end listens on that socket.
"""

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator


def copy(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def join(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            near, far = listener.accept()[0], connect()
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=copy, args=(one, other), daemon=True).start()


def by_unix(path: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.connect(path)
    return found


@contextlib.contextmanager
def opened(path: str, port: int) -> Iterator[None]:
    """The tests' end: the socket leads to that port of loopback."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        threading.Thread(target=join, args=(listener, lambda: socket.create_connection(("127.0.0.1", port))), daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    join(socket.create_server(("127.0.0.1", int(sys.argv[1]))), lambda: by_unix(sys.argv[2]))
