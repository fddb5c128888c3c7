"""CHANNELS lists the ways in which somebody reaches the product. A new face adds one row; everything else reads the rows.

The table stands here, below the faces, because the policy and the fixes decide by it: who may vote, whose proposals are
counted, how an account is written. `tools/faces` shows it to the faces as `faces.CHANNELS`.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from triagebook.runbooks.engine.dataclass import dataclass


@dataclass(frozen=True)
class AccountKind:
    """How one kind of account is written: `NAME:SUBJECT`, or `NAME:ISSUER<separator>SUBJECT` where an issuer vouches for it."""

    name: str
    syntax: str  # as a message shows it: `TEAM/USER`
    subject: str  # what a subject may be, a regular expression
    says: str  # what a policy file must hold under this name
    issuer: str = ""  # the same of an issuer; empty: an account of this machine
    separator: str = ""
    subject_key: str = ""  # a policy file writes the subject under a key of its own: {mcp: ISSUER, subject: SUBJECT}
    is_ownable: bool = True  # whether it may belong to a person or a service; else it may diagnose at most

    @property
    def is_of_this_machine(self) -> bool:
        """Tell whether this machine's kernel vouches for the account, and no issuer."""
        return not self.issuer

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys under which a policy file writes it."""
        return (self.name, self.subject_key) if self.subject_key else (self.name,)

    @property
    def yaml(self) -> str:
        """The mapping that a policy file writes, as a message shows it."""
        if not self.subject_key:
            return f"{{{self.name}: {self.syntax}}}"
        issuer, _, subject = self.syntax.partition(self.separator)
        return f"{{{self.name}: {issuer}, {self.subject_key}: {subject}}}"

    def text(self, issuer: str, subject: str) -> str:
        """Write an account."""
        return f"{self.name}:{issuer}{self.separator}{subject}"

    def split(self, rest: str) -> tuple[str, str]:
        """Read issuer and subject of what follows `NAME:`; an empty subject means that it is no account."""
        if self.is_of_this_machine:
            return "", rest
        issuer, _, subject = rest.rpartition(self.separator)
        return issuer, subject if issuer else ""

    @property
    def pattern(self) -> str:
        """The regular expression of the text under this kind's name in a policy file."""
        if self.is_of_this_machine:
            return self.subject
        return self.issuer if self.subject_key else f"{self.issuer}{re.escape(self.separator)}{self.subject}"


@dataclass(frozen=True)
class FaceChannel:
    """One way in. What is not granted in its row is refused."""

    account: AccountKind  # what the channel proves by itself
    may_decide: bool  # approve and deny; never for a channel that an assistant or a machine speaks on
    by_socket: bool = False  # a process of an OS user may say on the server's socket that it speaks on this channel


_WORD = r"[^\x00-\x20\x7f#]{1,200}"
OS = AccountKind("os", "NAME", r"[^\x00-\x20\x7f#/]{1,200}", "an OS user name")
SLACK = AccountKind(
    "slack",
    "TEAM/USER",
    r"[UW][A-Z0-9]{1,30}",
    "TEAM/USER such as T024BE7LD/U012A3CDE",
    issuer=r"T[A-Z0-9]{1,30}",
    separator="/",
)
MCP = AccountKind("mcp", "ISSUER#SUBJECT", _WORD, "an issuer", issuer=_WORD, separator="#", subject_key="subject")
ALERT = AccountKind("alert", "SOURCE", r"[a-z0-9][a-z0-9-]{0,62}", "a source of alerts.yaml", is_ownable=False)

CHANNELS: Mapping[str, FaceChannel] = MappingProxyType(
    {
        "cli": FaceChannel(OS, may_decide=True, by_socket=True),
        "slack": FaceChannel(SLACK, may_decide=True),
        "mcp": FaceChannel(MCP, may_decide=False, by_socket=True),
        "alerts": FaceChannel(ALERT, may_decide=False),
    }
)
# The kinds of accounts by name, in the order of CHANNELS.
ACCOUNT_KINDS: Mapping[str, AccountKind] = MappingProxyType(
    {channel.account.name: channel.account for channel in CHANNELS.values()}
)


def may_decide(channel: str) -> bool:
    """Tell whether somebody on this channel may approve or deny. A channel that is not listed may not."""
    return channel in CHANNELS and CHANNELS[channel].may_decide


def decision_channels() -> tuple[str, ...]:
    """Return the channels on which somebody may approve and deny."""
    return tuple(name for name, channel in CHANNELS.items() if channel.may_decide)


def is_of_channel(kind: str, channels: Collection[str]) -> bool:
    """Tell whether accounts of this kind decide on one of these channels; no channel named means on any."""
    return not channels or any(CHANNELS[name].account.name == kind for name in channels if name in CHANNELS)


def kind_may_decide(kind: str) -> bool:
    """Tell whether accounts of this kind may vote: whether any channel that proves them may decide."""
    return any(channel.may_decide for channel in CHANNELS.values() if channel.account.name == kind)


def socket_channels() -> frozenset[str]:
    """The channels that a request on the server's socket may name."""
    return frozenset(name for name, channel in CHANNELS.items() if channel.by_socket)
