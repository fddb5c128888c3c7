"""Uses up what the network stack has: net.py MODE PORT N.

deaf (accepts, never reads), noaccept (a backlog of 4), fill and orphan (sends until nothing more is taken; orphan closes then),
dial (keeps N connections, tries again), short (N connections, closed at once), udp (receivers that never read).
"""

import socket
import sys
import threading
import time

mode, port, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
kept: list[socket.socket] = []


def listen(backlog: int = 500) -> socket.socket:
    """Listen on the port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(backlog)
    return made


def dial(timeout_s: float = 3) -> socket.socket:
    """Connect to the port."""
    made = socket.socket()
    made.settimeout(timeout_s)
    made.connect(("127.0.0.1", port))
    return made


def keep_one() -> None:
    """Connect, and go on trying."""
    while True:
        try:
            kept.append(dial())
        except OSError as error:
            print("connect errno", error.errno, error, "after", len(kept), flush=True)
            time.sleep(1)
        else:
            return


def fill_one() -> None:
    """Connect, and send until nothing more is taken."""
    try:
        made = dial()
        kept.append(made)
        made.setblocking(False)
        for _ in range(256):
            made.send(b"x" * 16384)
    except OSError as error:
        print("send errno", error.errno, flush=True)


if mode == "deaf":
    server = listen()
    while True:
        kept.append(server.accept()[0])
elif mode == "noaccept":
    kept.append(listen(4))
elif mode in {"fill", "orphan"}:
    for _ in range(wanted):
        fill_one()
    print("filled", len(kept), flush=True)
    if mode == "orphan":
        for made in kept:
            made.close()
elif mode == "dial":
    for _ in range(wanted):
        threading.Thread(target=keep_one, daemon=True).start()
elif mode == "short":
    for _ in range(wanted):
        dial().close()
elif mode == "udp":
    for _ in range(20):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(("127.0.0.1", 0))
        kept.append(receiver)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        for receiver in kept:
            for _ in range(100):
                sender.sendto(b"z" * 1000, receiver.getsockname())
        time.sleep(1)
time.sleep(900)
