"""Reads any other JSON by paths that alerts.yaml names: Zabbix, Checkmk, Nagios, Datadog, and whatever comes.

fingerprint: event.id            a path: members by name, items of a list by number, `alerts.0.id`
starts_at: event.time            RFC 3339 with a zone, or whole seconds since 1970
state: event.state
resolved: [OK, RECOVERY]         the values of `state` that mean it is over
list: events                     where several alerts stand; left out: the body is one alert
labels: {host: host.name, severity: event.severity}
annotations: {summary: event.text}
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import is_whole_number, safe_text
from triagebook.runbooks.library.node import Node
from triagebook.tools.alerts.alert import Alert, AlertBatch, clean, start_time
from triagebook.tools.alerts.sender import CheckOption, require_few
from triagebook.tools.times import rfc3339

PATHS, WORDS = ("fingerprint", "starts_at", "state"), ("labels", "annotations")
REQUIRED = (*PATHS, "resolved", "labels")
CREDENTIALS = ("bearer", "basic", "certificate")
PATH = r"[A-Za-z0-9_@-]{1,64}(\.[A-Za-z0-9_@-]{1,64}){0,9}"
NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
ABSENT = object()


def check_path(node: Node) -> None:
    """Refuse a path that is none. Raises RunbookError with file and line."""
    node.text(PATH, "a path such as event.id")


def check_values(node: Node) -> None:
    """Refuse what is no list of values. Raises RunbookError."""
    list(node.items("a list of values"))


def check_words(node: Node) -> None:
    """Refuse names that are none, and paths that are none. Raises RunbookError."""
    for name, member in node.members(None).items():
        if not re.fullmatch(NAME, name):
            raise member.error(f"{name!r} is no name for a label: letters, digits, '_'")
        check_path(member)


OPTIONS: Mapping[str, CheckOption] = {
    **dict.fromkeys((*PATHS, "list"), check_path),
    "resolved": check_values,
    **dict.fromkeys(WORDS, check_words),
}


def read(body: object, source: str, options: Mapping[str, object]) -> AlertBatch:
    """Return the alerts of a body. Raises UsageError `alert_body`, which names the path that leads nowhere."""
    listed = find(body, str(options["list"])) if "list" in options else [body]
    if not isinstance(listed, list):
        raise UsageError(f"{options['list']}: expected a list of alerts", reason="alert_body")
    require_few(len(listed))
    return AlertBatch(tuple(_alert(item, source, options) for item in listed))


def find(body: object, path: str) -> object:
    """Return what stands at a path; ABSENT where it leads nowhere."""
    for part in path.split("."):
        if isinstance(body, dict):
            body = body.get(part, ABSENT)
        elif isinstance(body, list) and is_whole_number(part) and int(part) < len(body):
            body = body[int(part)]
        else:
            return ABSENT
    return body


def _alert(item: object, source: str, options: Mapping[str, object]) -> Alert:
    fingerprint, starts_at, state = (_require(item, str(options[key])) for key in PATHS)
    resolved = options["resolved"]
    is_resolved = isinstance(resolved, list) and state in [str(value) for value in resolved]
    words = {key: _words(item, options.get(key)) for key in WORDS}
    return clean(Alert(source, fingerprint[:200], _start(starts_at), is_resolved, words["labels"], words["annotations"]))


def _require(item: object, path: str) -> str:
    found = _text(find(item, path))
    if not found:
        raise UsageError(f"{safe_text(path, 100)}: nothing stands there", reason="alert_body")
    return found


def _words(item: object, paths: object) -> dict[str, str]:
    """Return the words that stand at these paths; one that leads nowhere is left out."""
    members = paths if isinstance(paths, dict) else {}
    found = {str(name): _text(find(item, str(path))) for name, path in members.items()}
    return {name: value for name, value in found.items() if value}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else ""


def _start(text: str) -> str:
    if re.fullmatch(r"[0-9]{9,11}", text):
        return rfc3339(datetime.fromtimestamp(int(text), UTC), "milliseconds")
    return start_time(text)
