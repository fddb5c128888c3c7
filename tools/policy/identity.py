"""Accounts and the persons they belong to. The policy decides about persons, never about accounts.

An account is what a channel proves: the OS user of a socket's peer, a Slack user in a team, the subject of an issuer's
token. A service token is treated as its owner, so it is no second person.
"""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.policy.channels import ACCOUNT_KINDS

EMPTY: Mapping["Account", "Owner"] = MappingProxyType({})


@dataclass(frozen=True)
class Account:
    """`os:NAME`, `slack:TEAM/USER` or `mcp:ISSUER#SUBJECT`. Issuer is empty for an OS user of this machine."""

    kind: str  # a kind of tools/policy/channels.py
    issuer: str
    subject: str

    def __str__(self) -> str:
        return ACCOUNT_KINDS[self.kind].text(self.issuer, self.subject)


@dataclass(frozen=True)
class Actor:
    """Names the requester as the channel proved it. Nothing in here comes from the request itself."""

    account: Account
    channel: str  # a name of CHANNELS


@dataclass(frozen=True)
class Owner:
    """Names the owner of an account: a person, or a service with the person who answers for it."""

    person: str
    service: str = ""


@dataclass(frozen=True)
class Identity:
    """Joins an account and its owner; both names are empty if no owner is known."""

    account: Account
    person: str = ""
    service: str = ""

    @property
    def is_known(self) -> bool:
        """Say whether the account belongs to somebody."""
        return bool(self.person)

    @property
    def principal(self) -> str:
        """Return what a policy's `who` names: the person, `service:NAME`, or nothing."""
        return f"service:{self.service}" if self.service else self.person


@dataclass(frozen=True)
class Directory:
    """Knows which account belongs to whom."""

    owners: Mapping[Account, Owner] = field(default_factory=lambda: EMPTY)

    def identify(self, account: Account) -> Identity:
        """Return the identity of an account. An unknown account is no error: it may do little."""
        owner = self.owners.get(account, Owner(""))
        return Identity(account, owner.person, owner.service)


def parse_account(text: str) -> Account:
    """Read `str(account)` back. Raises UsageError."""
    name, _, rest = text.partition(":")
    issuer, subject = ACCOUNT_KINDS[name].split(rest) if name in ACCOUNT_KINDS else ("", "")
    if not subject:
        *most, last = (f"{kind.name}:{kind.syntax}" for kind in ACCOUNT_KINDS.values())
        raise UsageError(f"{text[:80]!r} is not an account: write {', '.join(most)} or {last}")
    return Account(name, issuer, subject)
