"""A hostile SSH server spoils its own messages, before and after the keys: the client ends in time, with a failed login of ours.

A server that does not own the key it is known by never hears of an account or of an order.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

import paramiko  # type: ignore[import-untyped]
import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import Timeouts

from tests.attacks.budget import Attack, mutated
from tests.contract.transport import servers
from tests.hang import GUARD_S, no_hang
from tests.sshd import Ground, make_key

SHORT = Timeouts(connect_s=2, banner_s=1, kex_s=1, auth_s=1, exec_s=1, total_s=3)
NEW_KEYS = 21
FIRST_OF_LOGIN = 50  # RFC 4250, 4.1.2: numbers from here on are of the login and of what follows


@dataclass
class Spoiler:
    """What one connection does with the messages of a server of paramiko."""

    random: Random
    at: int  # which of its messages is the first to be spoiled
    sent: int = 0
    heard: list[int] = field(default_factory=list)
    spoiled: int = 0

    def spoil(self, transport: Any) -> None:
        """Stand between a server and its packets."""
        packetizer = transport.packetizer
        send, read = packetizer.send_message, packetizer.read_message

        def send_message(data: Any) -> None:
            self.sent += 1
            if self.sent == self.at or (self.sent > self.at and self.random.random() < 0.2):
                self.spoiled += 1
                kind = self.random.randrange(5)
                content = data.asbytes()
                if kind == 0:
                    return  # swallowed
                if kind == 1:
                    send(data)  # said twice
                elif kind == 2:
                    content = bytes([self.random.randrange(256)]) + content[1:]
                else:
                    content = mutated(self.random, content)
                data = paramiko.Message(content or b"\x02")
            send(data)

        def read_message() -> tuple[int, Any]:
            kind, message = read()
            self.heard.append(kind)
            return kind, message

        packetizer.send_message, packetizer.read_message = send_message, read_message


@contextmanager
def hostile(host_key: Path, made: list[Spoiler]) -> Iterator[int]:
    """A port where each connection meets the newest spoiler of the list."""

    def handle(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(paramiko.Ed25519Key(filename=str(host_key)))
        made[-1].spoil(transport)
        with suppress(Exception):  # whatever becomes of the hostile side
            transport.start_server(server=servers._ParamikoServer())
            transport.join(5)
        transport.close()

    with servers.listening(handle) as port:
        yield port


@pytest.mark.parametrize("order", ["one flight", "stock"])
@pytest.mark.parametrize("whose", ["own key", "false host"])
def test_a_spoiled_message_is_a_failed_login(
    attack: Attack, place: Ground, tmp_path: Path, order: str, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paramiko.transport.Transport._log", lambda *_: None)
    monkeypatch.setattr("threading.excepthook", lambda _arguments: None)  # threads of the hostile side
    shown = place.host_key() if whose == "own key" else make_key(tmp_path / "false")
    made: list[Spoiler] = []
    with hostile(shown, made) as port:
        config = servers.write_config(place, port, tmp_path)
        for number in attack.rounds(6):
            with attack.round(number) as random:
                made.append(Spoiler(random, random.randint(1, 14)))
                with no_hang(6):
                    ended = _ask(SshTransport(config_file=config, timeouts=SHORT, allows_one_flight=order == "one flight"))
                assert ended in {"answered", "failed logins"}
                attack.figure(ended)
                attack.figure("spoiled messages", made[-1].spoiled)
                if whose == "false host":
                    assert max(made[-1].heard, default=0) < FIRST_OF_LOGIN, made[-1].heard


@dataclass
class Recital:
    """A server that says over what a real one once said, spoiled, to whoever comes; and what it heard of each."""

    says: bytes = b""
    heard: "SimpleQueue[bytes]" = field(default_factory=SimpleQueue)

    def handle(self, connection: socket.socket) -> None:
        """Say it, and listen until the client is gone."""
        data = b""
        with suppress(OSError):
            connection.sendall(self.says)
            connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while piece := connection.recv(65536):
                data += piece
        self.heard.put(data)


def _record(place: Ground, folder: Path, order: str) -> bytes:
    """What a real sshd says to this client, from its first byte to its last."""
    said: list[bytes] = []
    with place.sshd() as real:

        def relay(connection: socket.socket) -> None:
            with socket.create_connection((servers.LOOPBACK, real.port)) as onward:
                asking = threading.Thread(target=_pass_on, args=(connection, onward, []), daemon=True)
                asking.start()
                _pass_on(onward, connection, said)
                asking.join(5)

        with servers.listening(relay) as port:
            transport = SshTransport(
                config_file=servers.write_config(place, port, folder), timeouts=SHORT, allows_one_flight=order == "one flight"
            )
            assert _ask(transport) == "answered"
    return b"".join(said)


def _pass_on(source: socket.socket, target: socket.socket, kept: list[bytes]) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            kept.append(piece)
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def _numbers(heard: bytes) -> list[int]:
    """The numbers of the messages that a client sent before there were keys (RFC 4253, 6): all that it may have sent."""
    _version, _, packets = heard.partition(b"\r\n")
    found = []
    while len(packets) > 5:
        length = int.from_bytes(packets[:4], "big")
        assert length < 35_000, "it is no packet in the clear"
        found.append(packets[5])
        packets = packets[4 + length :]
    return found


@pytest.mark.parametrize("order", ["one flight", "stock"])
def test_words_said_over_by_another_are_a_failed_login(attack: Attack, place: Ground, tmp_path: Path, order: str) -> None:
    """No key that was seen helps who does not have it; nothing but the beginning of a key exchange was said to him."""
    recital, spoken = Recital(), _record(place, tmp_path, order)
    with servers.listening(recital.handle) as port:
        transport = SshTransport(
            config_file=servers.write_config(place, port, tmp_path), timeouts=SHORT, allows_one_flight=order == "one flight"
        )
        for number in attack.rounds(20):
            with attack.round(number) as random:
                recital.says = spoken if number == 0 else mutated(random, spoken[: random.randint(1, len(spoken))])
                with no_hang(6):
                    assert _ask(transport) == "failed logins"
                numbers = _numbers(recital.heard.get(timeout=GUARD_S))
                assert max(numbers, default=0) < FIRST_OF_LOGIN, numbers
                assert NEW_KEYS not in numbers
                attack.figure("failed logins")


def _ask(transport: SshTransport) -> str:
    try:
        process = transport.launch("box", ["printf", "%s", "fine"])
        try:
            with suppress(TimeoutError):
                process.read(1)
            process.finish(1)
        finally:
            process.session.close()
    except TriagebookError as error:
        return "failed logins" if str(error).isprintable() else f"unsafe: {error}"
    return "answered"
