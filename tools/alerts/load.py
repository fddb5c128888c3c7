"""Reads alerts.yaml. A wrong file is refused as a whole, with file, line and the nearest right word."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path

from triagebook.runbooks.engine import expressions
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.node import Node, find_member, read_node
from triagebook.tools.alerts.credentials import WAYS, Credential
from triagebook.tools.alerts.load_sinks import read_alertmanagers, read_sinks
from triagebook.tools.alerts.rules import ROOTS, AlertRule, AlertRules, AlertSource
from triagebook.tools.alerts.sender import kinds
from triagebook.tools.times import duration_of

VERSION = "triagebook/alerts/v1"
NAME = r"[a-z0-9][a-z0-9-]{0,62}"
WORD = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
CHANNEL = r"[CG][A-Z0-9]{2,30}"
RULE = (
    "name",
    "when",
    "ignore",
    "runbooks",
    "host",
    "host_in",
    "hosts",
    "symptom",
    "hold",
    "quiet",
    "again_every",
    "again_most",
    "sinks",
    "silence",
    "channel",
)
LONGEST_HOLD, LONGEST_QUIET = "60m", "24h"


@dataclass(frozen=True)
class Known:
    """The names that a rule may use."""

    runbooks: Collection[str]
    hosts: Collection[str]
    sinks: tuple[str, ...]
    alertmanagers: tuple[str, ...]


def load_rules(file: Path, runbooks: Collection[str], hosts: Collection[str]) -> AlertRules:
    """Read a file. `runbooks` and `hosts` are the names that it may use. Raises UsageError."""
    try:
        return _rules(read_node(file.read_text("utf-8"), str(file)), file.parent, runbooks, hosts)
    except FileNotFoundError:
        cure = "it says who may send alerts: see docs/how-to/alerts.md, or name one by --alert-rules"
        message = f"{file}: No such file or directory; {cure}"
        raise UsageError(message, reason="alerts") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}", reason="alerts") from None
    except RunbookError as error:
        raise UsageError(str(error), reason="alerts") from None


def _rules(node: Node, folder: Path, runbooks: Collection[str], hosts: Collection[str]) -> AlertRules:
    top = node.members(("apiVersion", "sources", "sinks", "alertmanagers", "rules"), ("apiVersion", "sources", "rules"))
    top["apiVersion"].choice((VERSION,))
    sources = {name: _source(name, member, folder) for name, member in top["sources"].members(None).items()}
    sinks = read_sinks(top["sinks"], sources, folder) if "sinks" in top else {}
    alertmanagers = read_alertmanagers(top["alertmanagers"], folder) if "alertmanagers" in top else {}
    known = Known(runbooks, hosts, tuple(sinks), tuple(alertmanagers))
    rules = tuple(_rule(item, known) for item in top["rules"].items("a list of rules"))
    seen: set[str] = set()
    for item, rule in zip(top["rules"].items(), rules, strict=True):
        if rule.name in seen:
            raise item.error(f"another rule is named {rule.name!r} already: a name is for one")
        seen.add(rule.name)
    if not sources:
        raise top["sources"].error("no source: nobody could send an alert")
    return AlertRules(sources, rules, sinks, alertmanagers)


def _source(name: str, node: Node, folder: Path) -> AlertSource:
    if not re.fullmatch(NAME, name):
        raise node.error(f"{name!r} is no name for a source: small letters, digits, '-'; it is part of an address")
    kind = find_member(node.members(None), "type")
    if kind is None:
        raise node.error(f"'type' is missing: one of {', '.join(kinds())}")
    sender = kinds()[kind.choice(tuple(kinds()))]
    keys = {WAYS[way][0]: way for way in sender.CREDENTIALS}
    members = node.members(("type", *keys, *sender.OPTIONS), sender.REQUIRED)
    options = {key: member.value for key, member in members.items() if key in sender.OPTIONS}
    for key in options:
        sender.OPTIONS[key](members[key])
    return AlertSource(name, sender, _credential(node, members, keys, folder), options)


def _credential(node: Node, members: Mapping[str, Node], keys: Mapping[str, str], folder: Path) -> Credential:
    given = [key for key in keys if key in members]
    if len(given) != 1:
        raise node.error(f"expected one of {', '.join(keys)}: without a secret anybody could send alerts in its name")
    _, read = WAYS[keys[given[0]]]
    return read(members[given[0]], folder)


def _rule(node: Node, known: Known) -> AlertRule:
    members = node.members(RULE, ("name",))
    text = {key: member.text(WORD, "the name of a label or annotation") for key, member in members.items() if key in _WORDS}
    if "host" in members and "host_in" in members:
        raise members["host_in"].error("expected either 'host' or 'host_in'")
    return AlertRule(
        name=members["name"].text(),
        when=_condition(members["when"]) if "when" in members else "",
        where=node.where,
        is_ignored=_flag(members.get("ignore")),
        runbooks=_names_of(members.get("runbooks"), known.runbooks, "runbook"),
        hosts=_hosts(members.get("hosts"), known.hosts),
        hold=duration_of(members["hold"], "1s", LONGEST_HOLD) if "hold" in members else timedelta(),
        quiet=duration_of(members["quiet"], "1s", LONGEST_QUIET) if "quiet" in members else timedelta(),
        again_every=members["again_every"].count(1000) if "again_every" in members else 0,
        again_most=members["again_most"].count(100) if "again_most" in members else 3,
        sinks=_names_of(members["sinks"], known.sinks, "sink") if "sinks" in members else known.sinks,
        silence=_one_of(members["silence"], known.alertmanagers, "Alertmanager") if "silence" in members else "",
        channel=members["channel"].text(CHANNEL, "a channel id such as C024BE91L") if "channel" in members else "",
        **text,
    )


_WORDS = ("host", "host_in", "symptom")


def _condition(node: Node) -> str:
    """Return a condition in CEL over labels, annotations, status and source."""
    text = node.text(r"[^\x00-\x1f\x7f]{1,500}", "a condition in CEL")
    for path, function in expressions.references(text):
        root = path.split(".")[0]
        if path and root not in ROOTS:
            raise node.error(f"unknown name {root!r}{did_you_mean(root, ROOTS)}")
        if function and function not in expressions.FUNCTIONS:
            raise node.error(f"unknown function {function!r}{did_you_mean(function, expressions.FUNCTIONS)}")
    try:
        expressions.compile_cel(text)
    except (ValueError, RuntimeError, TypeError) as error:
        raise node.error(f"not CEL: {str(error).splitlines()[0]}") from None
    return text


def _flag(node: Node | None) -> bool:
    if node is None:
        return False
    if not isinstance(node.value, bool):
        raise node.error(f"expected true or false, got {node.value!r}")
    return node.value


def _names_of(node: Node | None, known: Collection[str], what: str) -> tuple[str, ...]:
    found = [_one_of(item, known, what) for item in (node.items(f"a list of {what}s") if node else ())]
    if node is not None and not found:
        raise node.error(f"an empty list asks nothing; leave the key out for every {what}")
    return tuple(found)


def _one_of(node: Node, known: Collection[str], what: str) -> str:
    word = node.text()
    if word not in known:
        raise node.error(f"no {what} {word!r}{did_you_mean(word, known)}")
    return word


def _hosts(node: Node | None, known: Collection[str]) -> Mapping[str, str]:
    found = {}
    for said, member in (node.members(None) if node else {}).items():
        name = member.text()
        if name not in known:
            raise member.error(f"no host {name!r} in the inventory{did_you_mean(name, known)}")
        found[said] = name
    return found
