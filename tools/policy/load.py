"""Reads a policy file. A wrong one is refused as a whole: half a policy would allow what nobody wrote."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from triagebook.runbooks.engine.errors import PolicyError, RunbookError
from triagebook.runbooks.engine.model import RISKS
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.node import Node, read_node
from triagebook.tools.log import log_event
from triagebook.tools.policy.channels import ACCOUNT_KINDS, CHANNELS, decision_channels
from triagebook.tools.policy.identity import Account, Directory, Owner
from triagebook.tools.policy.model import (
    ALERTS,
    ANYONE,
    RULED,
    UNMAPPED,
    BreakGlass,
    Need,
    Policy,
    PolicyScope,
    Rule,
    Terms,
    UserGroup,
)
from triagebook.tools.times import duration_of

_Entry = TypeVar("_Entry", Rule, Terms, BreakGlass)
VERSION = "triagebook/policy/v1"
KEYS = ("apiVersion", "persons", "services", "groups", "rules", "approvals", "break_glass")
SCOPE = ("hosts", "runbooks", "risks")
USERGROUP = "slack_usergroup"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PATTERN = r"[A-Za-z0-9*?][A-Za-z0-9._:@*?-]{0,252}"
MAX_COUNT = 20
SHORTEST_APPROVAL, LONGEST_APPROVAL = "60s", "24h"


def load_policy(text: str, file: str) -> Policy:
    """Read a policy from a file's text. Raises PolicyError with file, line and the nearest right word."""
    try:
        return _policy(text, file)
    except RunbookError as error:
        raise PolicyError(str(error)) from None


def _policy(text: str, file: str) -> Policy:
    top = read_node(text, file).members(KEYS, ("apiVersion", "persons", "rules"))
    top["apiVersion"].choice((VERSION,))
    names = _Names(top)
    log_event("policy.loaded", file=file, persons=len(names.persons), sha256=hashlib.sha256(text.encode()).hexdigest()[:16])
    return Policy(
        directory=Directory(names.owners),
        rules=_require_own_names([(node, _rule(node, names)) for node in _items(top, "rules")]),
        approvals=_require_own_names([(node, _terms(node, names)) for node in _items(top, "approvals")]),
        break_glass=_require_own_names([(node, _break_glass(node, names)) for node in _items(top, "break_glass")]),
        names=names.persons,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        source=file,
    )


class _Names:
    """Collects the persons, services, groups and accounts of a file, each once."""

    def __init__(self, top: Mapping[str, Node]) -> None:
        self.owners: dict[Account, Owner] = {}
        self.persons: dict[str, str] = {}
        self.services: list[str] = []
        self._seen: dict[Account, str] = {}
        for person, node in top["persons"].members(None).items():
            self._person(person, node)
        for service, node in top["services"].members(None).items() if "services" in top else ():
            self._service(service, node)
        self.groups: dict[str, frozenset[str]] = {}
        self.usergroups: dict[str, UserGroup] = {}
        for group, node in top["groups"].members(None).items() if "groups" in top else ():
            self._group(group, node)

    def _person(self, person: str, node: Node) -> None:
        members = node.members(("name", "accounts"), ("accounts",))
        _check_name(person, node)
        _require_other(person, self.persons, node)
        self.persons[person] = members["name"].text() if "name" in members else person
        for item in members["accounts"].items():
            self._own(_account(item), Owner(person), item)

    def _service(self, service: str, node: Node) -> None:
        members = node.members(("owner", "accounts"), ("owner", "accounts"))
        _check_name(service, node)
        _require_other(service, self.services, node)
        owner = self.person(members["owner"])
        self.services.append(service)
        for item in members["accounts"].items():
            self._own(_account(item), Owner(owner, service), item)

    def _group(self, group: str, node: Node) -> None:
        """Add a group: a list of persons, or a user group of Slack, whose members are looked up at each decision."""
        _require_other(group, [*self.groups, *self.usergroups], node)
        if not isinstance(node.value, dict):
            self.groups[group] = frozenset(self.person(item) for item in node.items())
            return
        found = _usergroup(node.members((USERGROUP,), (USERGROUP,))[USERGROUP])
        if not any(account.kind == "slack" and account.issuer == found.team for account in self.owners):
            raise node.error(f"no person has a Slack account of {found.team}: nobody in this user group would count")
        self.usergroups[group] = found

    def _own(self, account: Account, owner: Owner, node: Node) -> None:
        if account in self._seen:
            raise node.error(f"{account} already belongs to somebody ({self._seen[account]}): one account, one owner")
        self.owners[account], self._seen[account] = owner, node.where

    def person(self, node: Node) -> str:
        """Return the name of a person that the file defines. Raises RunbookError: there is none."""
        word = node.text()
        if word not in self.persons:
            raise node.error(f"no such person {word!r}{did_you_mean(word, self.persons)}")
        return word

    def members(self, node: Node, special: tuple[str, ...]) -> frozenset[str]:
        """Return the persons of one `who` or `from` entry."""
        word = node.text()
        kind, colon, name = word.partition(":")
        if word in special:
            return frozenset({word})
        if colon and kind == "group":
            if name in self.usergroups:
                raise node.error(f"{name!r} is a Slack user group: it may approve (approvals.needs.from), here persons are named")
            if name not in self.groups:
                raise node.error(f"no such group {name!r}{did_you_mean(name, [*self.groups, *self.usergroups])}")
            return self.groups[name]
        if colon and kind == "service" and ANYONE in special:
            if name not in self.services:
                raise node.error(f"no such service {name!r}{did_you_mean(name, self.services)}")
            return frozenset({word})
        return frozenset({self.person(node)})

    def who(self, node: Node, special: tuple[str, ...]) -> frozenset[str]:
        """Return everybody that a list names. An empty list is refused: it would apply to nobody, without a word."""
        if not list(node.items()):
            raise node.error("an empty list names nobody: such a rule would never apply; name somebody, or take the rule out")
        return frozenset().union(*(self.members(item, special) for item in node.items()))


def _rule(node: Node, names: _Names) -> Rule:
    members = node.members(("name", "allow", "deny", "who", *SCOPE), ("name", "who"))
    if ("allow" in members) == ("deny" in members):
        raise node.error("expected either 'allow' or 'deny'")
    verb = "allow" if "allow" in members else "deny"
    actions = frozenset(item.choice(RULED) for item in members[verb].items())
    if not actions:
        raise members[verb].error(f"an empty list: such a rule would never apply; say what it {verb}s, or take the rule out")
    who = names.who(members["who"], (ANYONE, UNMAPPED, ALERTS))
    if verb == "allow" and who & {UNMAPPED, ALERTS} and actions - {"diagnose"}:
        raise members["who"].error("an account without a person may diagnose only")
    return Rule(members["name"].text(), verb == "allow", actions, who, _scope(members), node.where)


def _terms(node: Node, names: _Names) -> Terms:
    members = node.members(("name", "needs", "expires_in", "via", *SCOPE), ("name", "needs", "expires_in"))
    needs = tuple(_need(item, names) for item in members["needs"].items())
    if not needs:
        raise members["needs"].error("expected at least one need")
    expires_in = duration_of(members["expires_in"], SHORTEST_APPROVAL, LONGEST_APPROVAL)
    return Terms(members["name"].text(), needs, expires_in // timedelta(seconds=1), _scope(members), node.where, _via(members))


def _need(node: Node, names: _Names) -> Need:
    members = node.members(("from", "count"), ("from",))
    count = members["count"].count(MAX_COUNT) if "count" in members else 1
    kept = {f"group:{name}": group for name, group in names.usergroups.items()}
    listed = [(item, item.text()) for item in members["from"].items()]
    persons = frozenset().union(*(names.members(item, ()) for item, word in listed if word not in kept))
    return Need(persons, count, tuple(word for _, word in listed), frozenset(kept[word] for _, word in listed if word in kept))


def _break_glass(node: Node, names: _Names) -> BreakGlass:
    members = node.members(("name", "who", "via", *SCOPE), ("name", "who"))
    via = _via(members) or frozenset(name for name in decision_channels() if not CHANNELS[name].by_socket)
    return BreakGlass(members["name"].text(), names.who(members["who"], ()), _scope(members), node.where, via)


def _via(members: Mapping[str, Node]) -> frozenset[str]:
    """Return the channels under `via`; empty if the key is left out."""
    return frozenset(item.choice(decision_channels()) for item in _nonempty_list(members, "via"))


def _scope(members: Mapping[str, Node]) -> PolicyScope:
    def patterns(key: str) -> tuple[str, ...]:
        return tuple(item.text(_PATTERN, "a name; * and ? are wild") for item in _nonempty_list(members, key))

    return PolicyScope(
        patterns("hosts"), patterns("runbooks"), tuple(item.choice(RISKS) for item in _nonempty_list(members, "risks"))
    )


def _nonempty_list(members: Mapping[str, Node], key: str) -> list[Node]:
    """Return the items under a key. An empty list is refused: it would silently mean 'everywhere'."""
    if key not in members:
        return []
    found = list(members[key].items())
    if not found:
        raise members[key].error("an empty list covers nothing; leave the key out for everything")
    return found


def _require_own_names(entries: Sequence[tuple[Node, _Entry]]) -> tuple[_Entry, ...]:
    """Return the entries of a section. Two of one name are refused: a decision names the rule it rests on."""
    seen: dict[str, str] = {}
    for node, entry in entries:
        if entry.name in seen:
            raise node.error(f"another entry is named {entry.name!r} already ({seen[entry.name]}): a name is for one")
        seen[entry.name] = node.where
    return tuple(entry for _node, entry in entries)


def _require_other(name: str, names: Iterable[str], node: Node) -> None:
    """Refuse a name that differs from another one in case only: people would take the two for one."""
    twin = next((other for other in names if other != name and other.casefold() == name.casefold()), "")
    if twin:
        raise node.error(f"{name!r} and {twin!r} differ in case only: people would take the two for one")


def _items(top: Mapping[str, Node], key: str) -> list[Node]:
    return list(top[key].items()) if key in top else []


def _check_name(name: str, node: Node) -> None:
    if not re.fullmatch(_NAME, name) or name in {ANYONE, UNMAPPED, ALERTS}:
        raise node.error(f"{name!r} is no name for a person or service: letters, digits, '.', '_', '-'")


def _usergroup(node: Node) -> UserGroup:
    team, _, group = node.text(r"T[A-Z0-9]{1,30}/S[A-Z0-9]{1,30}", "TEAM/GROUP such as T024BE7LD/S0614TZR7").partition("/")
    return UserGroup(team, group)


def _account(node: Node) -> Account:
    kinds = [kind for kind in ACCOUNT_KINDS.values() if kind.is_ownable]
    members = node.members([key for kind in kinds for key in kind.keys])
    kind = next((kind for kind in kinds if set(kind.keys) == set(members)), None)
    if kind is None:
        *most, last = (kind.yaml for kind in kinds)
        raise node.error(f"expected {', '.join(most)} or {last}")
    text = members[kind.name].text(kind.pattern, kind.says)
    if kind.subject_key:
        return Account(kind.name, text, members[kind.subject_key].text(kind.subject, f"a {kind.subject_key}"))
    return Account(kind.name, *kind.split(text))
