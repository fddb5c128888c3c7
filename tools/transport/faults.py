"""What a connection can run into, before it is evidence (`failures.classify` makes it that). A light module.

None of the first two is an OSError: paramiko's loops would swallow those and go on waiting.
"""


class TimedOut(Exception):
    """The deadline passed."""


class Cut(Exception):
    """The other side closed the connection, or it broke. The text says how."""


class Disconnected(Cut):
    """The host said goodbye with a reason (RFC 4253, 11.1)."""


class Unresolved(Exception):
    """The host name has no address."""


class ProxyFailed(Exception):
    """The proxy command ended badly before the host said a word: the way is closed, the host unknown."""


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
