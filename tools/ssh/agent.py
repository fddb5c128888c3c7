"""A client of the SSH agent (draft-miller-ssh-agent): list keys, and have one sign. With deadlines: agents hang too."""

import os
import socket
import stat
import time
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.ssh.wire import Malformed, Reader, string, uint32
from triagebook.tools.transport import waiting

REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE = 11, 12, 13, 14
FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
MAX_ANSWER_BYTES = 256 * 1024


class AgentError(Exception):
    """The agent is absent, refuses, hangs, or talks nonsense."""


@dataclass(frozen=True)
class AgentKey:
    """A key (or certificate) that the agent holds. `comment` is untrusted text."""

    blob: bytes
    comment: str


class Agent:
    """The agent behind one socket; a connection for each question, as a fleet asks from many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys(self, until: float) -> tuple[AgentKey, ...]:
        """What it holds. Raises AgentError."""
        kind, reader = self._ask(bytes((REQUEST_IDENTITIES,)), until)
        if kind != IDENTITIES_ANSWER:
            raise AgentError(f"the agent at {self.path} does not list its keys")
        try:
            return tuple(AgentKey(reader.string(), reader.text()) for _ in range(reader.uint32()))
        except Malformed as error:
            raise AgentError(f"the agent at {self.path} answers nonsense: {error}") from error

    def sign(self, blob: bytes, signed: bytes, algorithm: str, until: float) -> bytes:
        """An SSH signature blob. `algorithm` matters for RSA keys. Raises AgentError."""
        flags = next((flag for name, flag in FLAGS.items() if algorithm.startswith(name)), 0)
        kind, reader = self._ask(bytes((SIGN_REQUEST,)) + string(blob) + string(signed) + uint32(flags), until)
        if kind != SIGN_RESPONSE:
            raise AgentError(f"the agent at {self.path} refuses to sign")
        try:
            return reader.string()
        except Malformed as error:
            raise AgentError(f"the agent at {self.path} answers nonsense: {error}") from error

    def _ask(self, request: bytes, until: float) -> tuple[int, Reader]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.settimeout(max(0.001, min(until - time.monotonic(), 600)))
                channel.connect(str(self.path))
                channel.sendall(string(request))
                length = int.from_bytes(_exactly(channel, 4, until), "big")
                if not 0 < length <= MAX_ANSWER_BYTES:
                    raise AgentError(f"the agent at {self.path} answers nonsense")
                answer = _exactly(channel, length, until)
        except TimeoutError:
            raise AgentError(f"the agent at {self.path} does not answer in time") from None
        except OSError as error:
            raise AgentError(f"the agent at {self.path} cannot be reached: {error.strerror or error}") from error
        return answer[0], Reader(answer[1:])


def _exactly(channel: socket.socket, count: int, until: float) -> bytes:
    data = b""
    while len(data) < count:
        if not waiting.ready({channel.fileno(): waiting.READABLE}, until - time.monotonic()):
            raise TimeoutError
        piece = channel.recv(count - len(data))
        if not piece:
            raise AgentError("the agent closed the connection")
        data += piece
    return data


def find(path: str | None) -> Agent | None:
    """The agent at `path` (IdentityAgent), else at SSH_AUTH_SOCK; None where there is no socket."""
    where = os.environ.get("SSH_AUTH_SOCK", "") if path is None else path
    try:
        return Agent(Path(where)) if where and stat.S_ISSOCK(Path(where).stat().st_mode) else None
    except OSError:
        return None
