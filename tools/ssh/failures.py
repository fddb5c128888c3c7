"""From what a connection ran into to the evidence it is: the table of failed logins.

A host that cannot fork closes the connection before it sends a banner; a user at his process limit is logged in and
gets no session. The wording keeps what OpenSSH and paramiko print, so that it can be searched for.
"""

from triagebook.tools.transport.base import Login


class TimedOut(Exception):
    """The deadline passed."""


class Cut(Exception):
    """The other side closed the connection, or it broke. The text says how."""


class Disconnected(Cut):
    """The host disconnected and said why (RFC 4253, 11.1)."""


class Unresolved(Exception):
    """The host name has no address."""


class ProxyFailed(Exception):
    """The proxy command failed before the host said a word: this says nothing about the host itself."""


class NotSsh(Exception):
    """What answered said something else than an SSH identification; the text is what it said."""


class NotAgreed(Exception):
    """The host offers nothing that we know (or that was sent ahead); or it broke the order of the protocol."""


class BadPacket(Exception):
    """A packet that cannot be: an impossible length or a wrong MAC."""


class HostKeyRefused(Exception):
    """The host's key is not one that the user trusts. The text is for people."""


class AuthRefused(Exception):
    """The host takes none of the keys. The text says what was tried and what the host would take."""


class SessionRefused(Exception):
    """Logged in, and the host opens no session or starts no process in it."""


class Surprise(Exception):
    """What was sent ahead did not fit; the stock order may do better."""


class KeyRefused(Surprise):
    """The one key that was sent ahead was refused, and there are others to try."""


FAILURES = (
    *(TimedOut, Cut, Unresolved, ProxyFailed, NotSsh, NotAgreed, HostKeyRefused, AuthRefused, SessionRefused),
    OSError,
)

# What sshd itself says before it drops a connection on purpose (sshd.c, since 8.5 and 9.8).
DROPPED_ON_PURPOSE = ("Exceeded MaxStartups", "Not allowed at this time")

_WAITED_FOR = {
    "resolve": "no answer of the resolver",
    "connect": "no TCP connection",
    "banner": "connected, but no SSH identification (timed out during banner exchange)",
    "kex": "no end of the key exchange",
    "auth": "no answer to the authentication",
    "session": "logged in, but no answer to the request for a session",
    "exec": "no answer to the request to start the process",
}
_CUT = {
    "banner": (
        "no_banner",
        "Error reading SSH protocol banner: the host took the connection and closed it before its identification. "
        "sshd could not fork for it, or drops connections (MaxStartups, PerSourcePenalties)",
    ),
    "kex": ("cut", "the host closed the connection during the key exchange"),
    "auth": ("cut", "the host closed the connection during authentication"),
    "session": ("cut", "logged in, then the host closed the whole connection (EOF)"),
    "exec": ("cut", "the host closed the connection instead of starting the process (EOF)"),
}


def classify(phase: str, error: BaseException, name: str, waited_s: float) -> Login:
    """The evidence in `error`, met in `phase` of a login at `name`."""
    phase, outcome, message = _classify(phase, error, waited_s)
    return Login(phase, outcome, f"{name}: {message}")


def _classify(phase: str, error: BaseException, waited_s: float) -> tuple[str, str, str]:
    text = str(error)
    if isinstance(error, HostKeyRefused):
        return "host_key", "host_key", text
    if isinstance(error, TimedOut):
        return phase, "timeout", f"{_WAITED_FOR.get(phase, text)} within {waited_s:.3g} s"
    if isinstance(error, Unresolved):
        return "resolve", "refused", f"cannot resolve the host name: {text}"
    if isinstance(error, ProxyFailed):
        return "connect", "refused", text
    if isinstance(error, NotSsh):
        return "banner", "refused", _not_ssh(text)
    if isinstance(error, AuthRefused):
        return "auth", "refused", f"Permission denied: {text}"
    if isinstance(error, SessionRefused):
        return phase, "no_session", f"logged in, but the host starts no session: {text}"
    if isinstance(error, NotAgreed):
        return phase, "refused", f"no agreement with the host: {text}"
    if isinstance(error, Disconnected) and phase in ("kex", "auth"):
        return phase, "refused", text
    if isinstance(error, Cut):
        outcome, meaning = _CUT.get(phase, ("cut", "the connection was closed"))
        return phase, outcome, meaning if text == "connection closed by the host" else f"{meaning} ({text})"
    return "connect", "refused", _system_text(error)


def _not_ssh(said: str) -> str:
    if any(reason in said for reason in DROPPED_ON_PURPOSE):
        return f"sshd runs and drops this connection on purpose: {said!r} (MaxStartups or PerSourcePenalties)"
    return f"what answers is not SSH; it says {said!r}"


def _system_text(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "Connection refused: nothing listens on that port, or a firewall says so"
    return str(getattr(error, "strerror", None) or error)
