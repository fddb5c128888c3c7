"""Finds what is asked about an alert: the rule, the host of the inventory, runbooks, error text. A host is never guessed."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.rules import AlertRule, AlertRules
from triagebook.tools.inventory.inventory import Inventory

Problem = Literal["", "no_rule", "ignored", "no_host", "unknown_host", "ambiguous_host"]
PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):[0-9]{1,5}")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MOST_SHOWN = 5


@dataclass(frozen=True)
class AlertRoute:
    """What an alert asks. With a problem nothing is asked, and `says` tells people why."""

    rule: AlertRule | None = None
    host: str = ""
    runbooks: tuple[str, ...] = ()
    symptom: str = ""
    problem: Problem = ""
    says: str = ""


def find_route(alert: Alert, rules: AlertRules, inventory: Inventory) -> AlertRoute:
    """Return what is asked about an alert, or why nothing is."""
    rule = rules.first(alert)
    if rule is None:
        return AlertRoute(problem="no_rule", says="No rule of alerts.yaml is about this alert.")
    if rule.is_ignored:
        return AlertRoute(rule, problem="ignored", says=f"Rule {rule.name!r} ({rule.where}) leaves such alerts alone.")
    label = rule.host_in or rule.host
    said = alert.word(label)
    if not said:
        return AlertRoute(rule, problem="no_host", says=f"The alert has no {label!r}, so it names no host.")
    found = _hosts_in(said, inventory) if rule.host_in else _hosts_of(said, rule.hosts, inventory)
    if not found:
        says = f"The alert names no host of the inventory: its {label!r} is {said[:200]!r}."
        return AlertRoute(rule, problem="unknown_host", says=says)
    if len(found) > 1:
        shown = ", ".join(found[:MOST_SHOWN])
        says = f"The alert's {label!r} fits {len(found)} hosts of the inventory ({shown}): none of them was asked."
        return AlertRoute(rule, problem="ambiguous_host", says=says)
    return AlertRoute(rule, found[0], rule.runbooks, alert.word(rule.symptom))


def _hosts_of(said: str, named: Mapping[str, str], inventory: Inventory) -> list[str]:
    """Return the hosts that a label means: by the rule's own table, by name, or by the address that the inventory has."""
    match = PORT.fullmatch(said)
    bare = match["host"].strip("[]") if match else said
    for word in (said, bare):
        if word in named:
            return [named[word]]
    if bare in inventory.hosts:
        return [bare]
    return [entry.name for entry in inventory.hosts.values() if entry.ssh and _address(entry.ssh) == bare]


def _address(destination: str) -> str:
    """Return the address in `user@address:port`."""
    rest = destination.rpartition("@")[2]
    match = PORT.fullmatch(rest)
    return (match["host"] if match else rest).strip("[]")


def _hosts_in(said: str, inventory: Inventory) -> list[str]:
    """Return the inventory names that stand as words in a text, in their order."""
    known: Collection[str] = inventory.hosts
    return list(dict.fromkeys(word for match in WORD.finditer(said) if (word := match[0].rstrip("._-")) in known))
