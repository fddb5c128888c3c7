"""Floods of the HTTP listener and of the socket, while honest requests are answered. Counted in answers, not in seconds."""

import http.client
import os
import resource
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from triagebook.tools import unix_socket
from triagebook.tools.server import listener as listeners
from triagebook.tools.server import web
from triagebook.tools.server.client import ask
from triagebook.tools.server.listener import Listener
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.web import listen

from tests.asgi import answer_lifespan
from tests.hang import no_hang

FLOOD = 600
HONEST = 25
GUARD_S = 60.0  # against a hang


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, as soon as all of it is there."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with listen("127.0.0.1:0", echo, "test", most=8) as found:
            yield found
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def honest(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
    try:
        connection.request("POST", "/", b"approve")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def flood(
    port: int, source: str, first: bytes, drop: bytes, every_s: float = 0.01, *, comes_back: bool = False
) -> Iterator[threading.Event]:
    """Hold `FLOOD` connections; each has sent `first`, and sends `drop` again and again. One that is closed may come back."""
    stop, begun = threading.Event(), threading.Event()

    def dial(stack: ExitStack) -> socket.socket:
        made = stack.enter_context(socket.create_connection(("127.0.0.1", port), GUARD_S, (source, 0)))
        made.sendall(first)
        made.setblocking(False)
        return made

    def hold() -> None:
        with ExitStack() as stack:
            held = [dial(stack) for _ in range(FLOOD)]
            begun.set()
            while not stop.wait(every_s) and (drop or comes_back):
                for number, connection in enumerate(held):
                    if _is_open(connection, drop) or not comes_back:
                        continue
                    connection.close()
                    with suppress(OSError):
                        held[number] = dial(stack)
            stop.wait()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert begun.wait(GUARD_S)
    try:
        yield begun
    finally:
        stop.set()
        thread.join(GUARD_S)


def _is_open(connection: socket.socket, drop: bytes) -> bool:
    """Send the drop, and say whether the other side still has the connection."""
    try:
        if drop:
            connection.send(drop)
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.9"])
@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),
        (b"", b"P"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"y"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n", b"z"),
    ],
    ids=["idle", "method", "header", "body"],
)
def test_requests_are_answered_beside_six_hundred_connections_without_one(
    port: int, source: str, first: bytes, drop: bytes
) -> None:
    with flood(port, source, first, drop):
        assert [honest(port) for _ in range(HONEST)] == [(200, b"approve")] * HONEST


def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), GUARD_S) as silent:
        assert silent.recv(100) == b""


def test_a_connection_that_begins_no_handshake_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the handshake is over a connection is counted by nobody; asyncio would keep it for a minute."""
    monkeypatch.setattr(web, "HANDSHAKE_S", 0.2)
    argv = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost")
    made = (*argv, "-keyout", tmp_path / "key", "-out", tmp_path / "certificate")
    subprocess.run(made, check=True, capture_output=True)
    files = {"tls_certificate": str(tmp_path / "certificate"), "tls_key": str(tmp_path / "key")}
    with listen("127.0.0.1:0", echo, "test", **files) as tls_port:
        for first in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
            with no_hang(2), socket.create_connection(("127.0.0.1", tls_port), GUARD_S) as silent:
                silent.sendall(first)
                assert silent.recv(100)[:1] in {b"", b"\x15"}  # nothing, or an alert of TLS
    monkeypatch.undo()
    with listen("127.0.0.1:0", echo, "test", **files) as tls_port:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
        connection = http.client.HTTPSConnection("localhost", tls_port, timeout=GUARD_S, context=context)
        connection.request("POST", "/", b"x")
        assert connection.getresponse().read() == b"x"
        connection.close()


def test_a_kept_connection_serves_several_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
    for _ in range(3):
        connection.request("POST", "/", b"x")
        assert connection.getresponse().read() == b"x"
    connection.close()


def _answer(uid: int, members: Members) -> Iterator[Mapping[str, object]]:
    yield {"ok": True, "answer": uid}


@contextmanager
def listening(**values: Any) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="triagebook-flood-"))
    folder.chmod(0o755)
    made = Listener(folder / "s", 0o666, _answer, **values)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield folder / "s"
    finally:
        made.stop()
        thread.join(GUARD_S)
        made.close(0)
        shutil.rmtree(folder)


@contextmanager
def held_by(path: Path, uids: list[int], each: int) -> Iterator[None]:
    """Processes of these users that each hold so many connections."""
    children = []
    ready, tell = os.pipe()
    for uid in uids:
        child = os.fork()
        if not child:
            try:
                os.setgid(uid)
                os.setuid(uid)
                kept = [unix_socket.connect(path, 5) for _ in range(each)]
                os.write(tell, b"." if kept else b"!")
                threading.Event().wait(GUARD_S)
            finally:
                os._exit(0)
        children.append(child)
    try:
        for _ in uids:
            assert os.read(ready, 1) == b"."
        yield
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
def test_many_user_ids_of_nobody_leave_room_for_a_person() -> None:
    strangers = [3_000_000 + number for number in range(9)]  # as many subordinate ids as one account likes
    with listening(is_person=lambda uid: uid == 0) as path, held_by(path, strangers, 8):
        asked = [ask(path, {"do": "x"}, pause=lambda _s: pytest.fail("a person was told to come back")) for _ in range(20)]
        assert asked == [0] * 20


def test_a_full_backlog_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody accepts at first: a connect that fails at once would say that no server runs."""
    monkeypatch.setattr(listeners, "BACKLOG", 1)
    folder = Path(tempfile.mkdtemp(prefix="triagebook-flood-"))
    made = Listener(folder / "s", 0o600, _answer, is_person=lambda _uid: True)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(unix_socket.connect(folder / "s", 5))
        told: list[Any] = []
        asking = threading.Thread(target=lambda: told.append(ask(folder / "s", {"do": "x"})), daemon=True)
        asking.start()
        serving = threading.Thread(target=made.run, daemon=True)
        asking.join(0.3)
        assert told == []
        serving.start()
        asking.join(GUARD_S)
        assert told == [os.geteuid()]
        made.stop()
        serving.join(GUARD_S)
    made.close(0)
    shutil.rmtree(folder)
