"""A case from a live host, as YAML to be reviewed: the facts of each sample with names of hosts, people and machines replaced."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.library.yaml_text import write_yaml
from triagebook.tools.diagnosis.question import Answer
from triagebook.tools.diagnosis.stored_diagnosis import redact_plain
from triagebook.tools.own_file import write_new


def save_answer(file: Path, answer: Answer) -> None:
    """Write the answer and all facts of each sample (of a triage by runbook), redacted, as JSON. Raises UsageError."""
    saved: dict[str, Any] = {"diagnosis": to_plain(answer.diagnosis), "facts": plain_facts(answer)}
    if answer.triage is not None:
        by_runbook = {found.diagnosis.runbook.id: plain_facts(found) for found in (answer, *answer.others)}
        saved = {"triage": to_plain(answer.triage), "facts": by_runbook}
    write_new(file, json.dumps(redact_plain(saved), ensure_ascii=False, indent=1) + "\n")


def plain_facts(answer: Answer) -> list[dict[str, Any]]:
    """Return the facts after each sample as plain data."""
    return [{name: to_plain(value) for name, value in step.items()} for step in answer.history]


_STAND_INS = {"hostname": "host01", "boot_id": "00000000-0000-0000-0000-000000000000", "machine_id": "0" * 32}
_CONTAINER_ID = re.compile(r"\b[0-9a-f]{32,64}\b")
_SYSTEM_USERS = {"root", "nobody", "daemon", "messagebus", "postgres", "www-data", "sshd", "systemd-network", "systemd-resolve"}


def record_case(
    facts: Sequence[Mapping[str, Any]],
    said: Mapping[str, Any],
    *,
    about: str,
    recorded: Mapping[str, str] | None = None,
    symptom: str = "",
) -> str:
    """The case file's text. `facts` after each sample as plain data, `said` a diagnosis as JSON.

    Facts of the first sample stand under `first` where they differ.
    """
    names = _replacements(list(facts))
    history = [_redact(dict(step), names) for step in facts]
    data: dict[str, Any] = {"about": about}
    if recorded:
        data["recorded"] = dict(recorded)
    data["samples"] = len(history)
    if symptom:
        data["inputs"] = {"symptom": symptom}
    data["facts"] = history[-1]
    if len(history) > 1:
        data["first"] = _difference(history[-1], history[0])
    data["expect"] = _redact(expectation(said), names)
    return write_yaml(data, width=110)


def expectation(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said today, as a case expects it."""
    verdict = said["verdict"]
    expect: dict[str, Any] = {"status": said["status"], "cause": verdict["cause"] if verdict else None}
    if verdict:
        expect |= {"active": verdict["active"], "strength": verdict["strength"], "culprit": verdict["culprit"]["id"]}
    expect["also"] = [item["cause"] for item in said["also"]]
    expect["checks"] = {check["id"]: check["outcome"] for check in said["checks"]}
    return expect


def _replacements(history: list[Mapping[str, Any]]) -> dict[str, str]:
    """People's login names become user1, user2, ...; a host's own name becomes host01."""
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            name, uid = value.get("user"), value.get("uid")
            if isinstance(name, str) and name and name not in _SYSTEM_USERS and not name.isdigit() and (uid is None or uid >= 1000):
                found.setdefault(name, f"user{len(found) + 1}")
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(history)
    return found


def _redact(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _STAND_INS[key] if key in _STAND_INS and isinstance(item, str) else _redact(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redact(item, names) for item in value]
    if isinstance(value, str):
        value = names.get(value, value)
        return _CONTAINER_ID.sub(lambda match: "c" * len(match[0]), value)
    return value


def _difference(final: Any, first: Any) -> Any:
    if isinstance(final, dict) and isinstance(first, dict) and "unreadable" not in first:
        return {key: _difference(final.get(key), item) for key, item in first.items() if item != final.get(key)}
    return first
