"""A hostile SSH server spoils its own messages, before and after the keys: the client ends in time, with a failed login of ours.

A server that does not own the key it is known by never hears of an account or of an order.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import paramiko  # type: ignore[import-untyped]
import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import Timeouts

from tests.attacks.budget import Attack, mutated
from tests.contract.transport import servers
from tests.hang import no_hang
from tests.sshd import Ground, make_key

SHORT = Timeouts(connect_s=2, banner_s=1, kex_s=1, auth_s=1, exec_s=1, total_s=3)
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
