"""Accounts and the persons they belong to. Everything that is decided is decided about a person, never an account.

An account is what a channel proves: the OS user of a socket's peer, a Slack user in a team, the subject of an issuer's
token. A service token is nobody's second self: whoever owns it counts as the one who asks.
"""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError

Kind = Literal["os", "slack", "mcp"]
EMPTY: Mapping["Account", "Owner"] = MappingProxyType({})


@dataclass(frozen=True)
class Account:
    """`os:NAME`, `slack:TEAM/USER` or `mcp:ISSUER#SUBJECT`. Issuer is empty for an OS user of this machine."""

    kind: Kind
    issuer: str
    subject: str

    def __str__(self) -> str:
        if self.kind == "os":
            return f"os:{self.subject}"
        return f"{self.kind}:{self.issuer}{'/' if self.kind == 'slack' else '#'}{self.subject}"


@dataclass(frozen=True)
class Actor:
    """Who asks, as the channel proved it. Nothing in here comes from the request itself."""

    account: Account
    channel: str  # cli | slack | mcp


@dataclass(frozen=True)
class Owner:
    """Whose an account is: a person, or a service with the person who answers for it."""

    person: str
    service: str = ""


@dataclass(frozen=True)
class Identity:
    """An account and its owner; both names empty when nobody is known to own it."""

    account: Account
    person: str = ""
    service: str = ""

    @property
    def is_known(self) -> bool:
        """Does the account belong to somebody?"""
        return bool(self.person)

    @property
    def principal(self) -> str:
        """What a policy's `who` names: the person, `service:NAME`, or nothing."""
        return f"service:{self.service}" if self.service else self.person


@dataclass(frozen=True)
class Directory:
    """Which account belongs to whom."""

    owners: Mapping[Account, Owner] = field(default_factory=lambda: EMPTY)

    def identify(self, account: Account) -> Identity:
        """The identity of an account; never an error: an unknown account is somebody who may little."""
        owner = self.owners.get(account, Owner(""))
        return Identity(account, owner.person, owner.service)


def parse_account(text: str) -> Account:
    """Read `str(account)` back. Raises UsageError."""
    kind, _, rest = text.partition(":")
    if kind == "os" and rest:
        return Account("os", "", rest)
    if kind == "slack":
        issuer, _, subject = rest.partition("/")
    elif kind == "mcp":
        issuer, _, subject = rest.rpartition("#")
    else:
        issuer = subject = ""
    if not issuer or not subject:
        raise UsageError(f"{text[:80]!r} is not an account: write os:NAME, slack:TEAM/USER or mcp:ISSUER#SUBJECT")
    return Account("slack" if kind == "slack" else "mcp", issuer, subject)
