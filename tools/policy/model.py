"""Holds a policy as it decides: rules in order, who approves what, who may break the glass.

Groups of the file are already persons here; a group that a chat service keeps becomes persons when it was asked.
"""

from collections.abc import Mapping
from dataclasses import field, replace

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.patterns import matches
from triagebook.tools.policy.identity import Directory

RULED = ("diagnose", "propose", "apply", "break_lock", "bind_host", "read_audit")  # what `rules` allow or deny
ANYONE, UNMAPPED, ALERTS = "anyone", "unmapped", "alerts"


@dataclass(frozen=True)
class PolicyQuestion:
    """Asks for a decision. An empty host or runbook means any: then only a rule without that limit fits."""

    action: str
    host: str = ""
    runbook: str = ""
    risk: str = ""


@dataclass(frozen=True)
class PolicyScope:
    """Limits where something applies; an empty member does not limit."""

    hosts: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()

    def covers(self, question: PolicyQuestion) -> bool:
        """Say whether the question lies inside."""
        return (
            _fits(self.hosts, question.host)
            and _fits(self.runbooks, question.runbook.partition("@")[0])
            and (not self.risks or question.risk in self.risks)
        )


@dataclass(frozen=True)
class Rule:
    """Allows or denies some actions to some persons within a scope. `where` is `file:line`."""

    name: str
    is_allow: bool
    actions: frozenset[str]
    who: frozenset[str]  # persons, `service:NAME`, `anyone` (every person; in a deny: everyone), `unmapped`, `alerts`
    scope: PolicyScope
    where: str


@dataclass(frozen=True)
class UserGroup:
    """Names a user group of one Slack workspace. Slack is asked at each decision who is in it."""

    team: str
    id: str

    def __str__(self) -> str:
        return f"slack:{self.team}/{self.id}"


@dataclass(frozen=True)
class Need:
    """Demands so many approvals from a set of persons. An empty set is nobody, and then nothing is ever approved."""

    approvers: frozenset[str]
    count: int
    names: tuple[str, ...] = ()  # as the policy wrote it, to be shown
    unasked: frozenset[UserGroup] = frozenset()  # whose members are not among the approvers: nobody, until they are known

    def with_members(self, members: Mapping[UserGroup, frozenset[str]]) -> "Need":
        """Return this need with the persons of these groups among its approvers."""
        known = self.unasked & members.keys()
        return replace(self, approvers=self.approvers.union(*(members[group] for group in known)), unasked=self.unasked - known)


@dataclass(frozen=True)
class Terms:
    """Says who approves plans of a scope, and how long a plan stays open."""

    name: str
    needs: tuple[Need, ...]
    expires_in_s: int
    scope: PolicyScope
    where: str
    via: frozenset[str] = frozenset()  # the channels on which an approval counts; empty: any on which one may decide

    @property
    def approvers(self) -> frozenset[str]:
        """Return everybody whose approval counts."""
        return frozenset().union(*(need.approvers for need in self.needs))

    @property
    def unasked_groups(self) -> frozenset[UserGroup]:
        """Return the groups whose members are not known here."""
        return frozenset().union(*(need.unasked for need in self.needs))


@dataclass(frozen=True)
class BreakGlass:
    """Says who may approve an own plan in an emergency, with a reason and a loud audit row.

    `via` never has a channel that a process of the person can speak on, unless the policy says so: an assistant with a shell can.
    """

    name: str
    who: frozenset[str]
    scope: PolicyScope
    where: str
    via: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """Holds everything the file says. `is_configured` is False for the policy that holds if there is no file."""

    directory: Directory = field(default_factory=Directory)
    rules: tuple[Rule, ...] = ()
    approvals: tuple[Terms, ...] = ()
    break_glass: tuple[BreakGlass, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # person -> full name
    is_configured: bool = True
    digest: str = ""  # SHA-256 of the file's bytes, for the audit log
    source: str = ""
    why_unasked: str = "Slack was not asked who that is"  # said of groups whose members are not known

    def terms_for(self, question: PolicyQuestion) -> Terms | None:
        """Return the first terms that cover the question."""
        return next((terms for terms in self.approvals if terms.scope.covers(question)), None)

    def with_members(self, members: Mapping[UserGroup, frozenset[str]]) -> "Policy":
        """Return this policy with these persons as members of the groups; a group that is not given stays nobody."""
        if not members:
            return self

        def fill(terms: Terms) -> Terms:
            return replace(terms, needs=tuple(need.with_members(members) for need in terms.needs))

        return replace(self, approvals=tuple(map(fill, self.approvals)))


UNCONFIGURED = Policy(is_configured=False)


def _fits(patterns: tuple[str, ...], value: str) -> bool:
    """Say whether a pattern matches. Case does not matter: host names have none."""
    return not patterns or (bool(value) and any(matches(value, pattern, ignore_case=True) for pattern in patterns))
