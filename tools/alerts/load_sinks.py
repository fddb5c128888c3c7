"""Reads the sinks of alerts.yaml, who else is told of what hosts were found to have, and where alerts may be silenced."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.library.node import Node, find_member
from triagebook.tools.alerts.credentials import read_secret
from triagebook.tools.alerts.rules import AlertSource
from triagebook.tools.alerts.sender import kinds
from triagebook.tools.sinks.alertmanager import Alertmanager
from triagebook.tools.sinks.outbox import Sink
from triagebook.tools.sinks.pagerduty import URL, PagerDutyNotes
from triagebook.tools.sinks.webhook import WebhookSink, check_url

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
ADDRESS = r"[^@\s\x00-\x1f\x7f]{1,100}@[^@\s\x00-\x1f\x7f]{1,200}"
Sources = Mapping[str, AlertSource]
ReadSink = Callable[[str, Node, Sources, Path], Sink]


def read_sinks(node: Node, sources: Sources, folder: Path) -> dict[str, Sink]:
    """Return the sinks by their names. Raises RunbookError with file and line."""
    return {name: _sink(name, member, sources, folder) for name, member in node.members(None).items()}


def _sink(name: str, node: Node, sources: Sources, folder: Path) -> Sink:
    if not re.fullmatch(NAME, name):
        raise node.error(f"{name!r} is no name for a sink: small letters, digits, '-'")
    kind = find_member(node.members(None), "type")
    return SINKS[kind.choice(tuple(SINKS)) if kind else "webhook"](name, node, sources, folder)


def _webhook(name: str, node: Node, _sources: Sources, folder: Path) -> Sink:
    members = node.members(("type", "url", "secret_file"), ("url", "secret_file"))
    return WebhookSink(name, _url(members["url"]), read_secret(members["secret_file"], folder))


def _pagerduty(name: str, node: Node, sources: Sources, folder: Path) -> Sink:
    members = node.members(("type", "source", "from", "token_file", "url"), ("source", "from", "token_file"))
    source = members["source"].choice(tuple(sources))
    if sources[source].sender is not kinds()["pagerduty"]:
        raise members["source"].error(f"{source!r} is no source of PagerDuty: it has no incident that a note could be added to")
    author = members["from"].text(ADDRESS, "the e-mail address of a user of PagerDuty")
    url = _url(members["url"]) if "url" in members else URL
    return PagerDutyNotes(name, source, author, read_secret(members["token_file"], folder), url)


def read_alertmanagers(node: Node, folder: Path) -> dict[str, Alertmanager]:
    """Return the Alertmanagers that silences may be made at, by their names. Raises RunbookError with file and line."""
    found = {}
    for name, member in node.members(None).items():
        if not re.fullmatch(NAME, name):
            raise member.error(f"{name!r} is no name for an Alertmanager: small letters, digits, '-'")
        members = member.members(("url", "token_file"), ("url",))
        token = read_secret(members["token_file"], folder) if "token_file" in members else b""
        found[name] = Alertmanager(name, _url(members["url"]).rstrip("/"), token)
    return found


def _url(node: Node) -> str:
    try:
        return check_url(node.text(r"[^\x00-\x20\x7f]{1,500}", "an address"))
    except UsageError as error:
        raise node.error(str(error)) from None


SINKS: Mapping[str, ReadSink] = {"webhook": _webhook, "pagerduty": _pagerduty}
