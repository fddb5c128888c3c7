"""User authentication by public key (RFC 4252, section 7): each key at most once in a run, never again once refused."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.agent import AgentError
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.failures import AuthRefused
from triagebook.tools.ssh.identities import SshIdentity
from triagebook.tools.ssh.public_keys import CERT_SUFFIX, RSA_HASHES
from triagebook.tools.ssh.wire import (
    SERVICE_REQUEST,
    USERAUTH_FAILURE,
    USERAUTH_PK_OK,
    USERAUTH_REQUEST,
    USERAUTH_SUCCESS,
    Reader,
    string,
)

MAX_TRIES = 5  # MaxAuthTries of sshd is 6 and each refused key counts


def authenticate(
    connection: Connection, user: str, identities: Sequence[SshIdentity], refused: set[str], until: float
) -> SshIdentity | None:
    """Try the keys one after the other; the one that was taken (None: the host asked for no key).

    `refused` holds fingerprints that this host refused before; it grows.

    Raises:
        AuthRefused, TimedOut, Cut, NotAgreed.
    """
    queue_service_request(connection)
    connection.wait(lambda: connection.is_service_accepted, until)
    tried: list[str] = []
    methods = ["publickey"]
    candidates = [identity for identity in identities if identity.fingerprint not in refused]
    for identity in candidates[:MAX_TRIES]:
        answer = _try(connection, user, identity, len(candidates) == 1, until, tried)
        if answer is None:
            continue
        kind, reader = answer
        if kind == USERAUTH_SUCCESS:
            return identity
        refused.add(identity.fingerprint)
        methods = reader.names()
        if reader.boolean():
            raise AuthRefused(f"the host takes the key and wants more: {_names_text(methods)}; use --transport openssh")
        if "publickey" not in methods:
            break
    if not tried:
        _send(connection, user, "none")
        kind, reader = _reply(connection, until)
        if kind == USERAUTH_SUCCESS:
            return None
        methods = reader.names()
    raise AuthRefused(why_refused(connection, user, tried, methods, len(identities) - len(candidates)))


def why_refused(connection: Connection, user: str, tried: Sequence[str], methods: Sequence[str], skipped: int) -> str:
    """The text of AuthRefused."""
    if skipped and not tried:
        answer = "no key was offered: it refused each of ours a moment ago; ask again in half a minute"
    else:
        before = f"; {skipped} more refused earlier in this run" if skipped else ""
        answer = f"the host refused {', '.join(tried) or 'no key'}{before}"
    banner = f"; the host says: {connection.auth_banner}" if connection.auth_banner else ""
    return f"user {user}: {answer}; it takes {_names_text(methods)}{banner}"


def _names_text(methods: Sequence[str]) -> str:
    return safe_line(", ".join(methods)) or "nothing"


def _try(
    connection: Connection, user: str, identity: SshIdentity, is_only: bool, until: float, tried: list[str]
) -> tuple[int, Reader] | None:
    """The host's last word on one key; None where the key could not sign."""
    tried.append(f"{identity.origin} ({identity.fingerprint})")
    if not is_only:  # ask first, so that a hardware token is touched only for a key that the host takes
        queue_request(connection, user, identity)
        kind, reader = _reply(connection, until)
        if kind != USERAUTH_PK_OK:
            return kind, reader
    try:
        queue_request(connection, user, identity, is_signed=True, until=until)
    except (AgentError, UsageError, OSError) as error:
        tried[-1] += f": {error}"
        return None
    return _reply(connection, until)


def queue_service_request(connection: Connection) -> None:
    connection.send(SERVICE_REQUEST, string("ssh-userauth"))


def queue_request(connection: Connection, user: str, identity: SshIdentity, *, is_signed: bool = False, until: float = 0.0) -> None:
    """Queue one request for the key: a question, or the signed proof. Raises AgentError, UsageError, OSError."""
    connection.auth_reply = None
    algorithm = _algorithm(connection, identity)
    fields = string("ssh-connection") + string("publickey") + bytes((is_signed,)) + string(algorithm)
    request = string(user) + fields + string(identity.blob)
    if not is_signed:
        connection.send(USERAUTH_REQUEST, request)
        return
    signed = string(connection.handshake.session_id) + bytes((USERAUTH_REQUEST,)) + request
    connection.send(USERAUTH_REQUEST, request, string(identity.sign(signed, algorithm, until)))


def _algorithm(connection: Connection, identity: SshIdentity) -> str:
    """RSA keys sign with SHA-2 (RFC 8332); which of both, the host says after the key exchange."""
    name = identity.type
    if not name.startswith("ssh-rsa"):
        return name
    offered = connection.server_signature_algorithms
    best = next((algorithm for algorithm in RSA_HASHES if algorithm in offered), "rsa-sha2-512")
    return best + (CERT_SUFFIX if name.endswith(CERT_SUFFIX) else "")


def _send(connection: Connection, user: str, method: str) -> None:
    connection.auth_reply = None
    connection.send(USERAUTH_REQUEST, string(user), string("ssh-connection"), string(method))


def _reply(connection: Connection, until: float) -> tuple[int, Reader]:
    connection.wait(lambda: connection.auth_reply is not None, until)
    assert connection.auth_reply is not None  # noqa: S101 - the wait's condition
    kind, reader = connection.auth_reply
    if kind not in (USERAUTH_SUCCESS, USERAUTH_FAILURE, USERAUTH_PK_OK):
        return USERAUTH_FAILURE, reader
    return kind, reader
