"""The page of JSON, and the schemas of what has none in the product: what `--json` prints of watch, drift and silent hosts."""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal

from pydantic import TypeAdapter
from triagebook.bot.cli.diagnose_many import NO_ANSWER
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.triage import AskedRunbook, Triage
from triagebook.runbooks.library import schema_files
from triagebook.tools.diagnosis.drift import DriftRow
from triagebook.tools.faces import views_json
from triagebook.tools.fixes.views import AlertView
from triagebook.tools.sinks.event import OutgoingEvent
from triagebook.tools.watch.observation import Observation

from tests.reference.markdown import first_sentences, made_by, table

DRAFT = "https://json-schema.org/draft/2020-12/schema"
HEAD = """# JSON

With `--json` each answer is one object on one line, so `jq` reads it as it comes. Members are never renamed or taken away within
`/v1`; new ones may come. Sizes are bytes. Texts that a host wrote are escaped and capped, and are still a stranger's words.

```
triagebook diagnose replay:unit-tasksmax --json | jq -r '.status, .verdict.culprit.unit'
```

| Printed by | `schema` | JSON Schema |
|---|---|---|
| `diagnose --json` | `triagebook/triage/v1` | [triage.json](../schema/triage.json), `runbook schema triage` |
| the same with `-r RUNBOOK` | `triagebook/diagnosis/v1` | [diagnosis.json](../schema/diagnosis.json), `runbook schema diagnosis` |
| the same of many hosts, for one without an answer | `triagebook/no-answer/v1` | [no-answer.json](../schema/no-answer.json) |
| `watch --json` | `triagebook/watch/v1` | [watch.json](../schema/watch.json) |
| (what sinks of alerts.yaml are sent) | `triagebook/event/v1` | [event.json](../schema/event.json) |
| `host drift --json` | `triagebook/drift/v1` | [drift.json](../schema/drift.json) |
| `fix ... --json`, `lock ... --json`, `audit ... --json` | | below |
| (a runbook file, in YAML) | | [runbook.json](../schema/runbook.json), `runbook schema` |

`status`, `headline`, `verdict`, `host` and `symptom` have the same paths in a triage and in a diagnosis.

`diagnose -r RUNBOOK --save FILE` writes `{"diagnosis": ..., "facts": [...]}`, every fact of each look at the host.
Without `-r` it is `{"triage": ..., "facts": {RUNBOOK: [...]}}`.

"""


@dataclass(frozen=True)
class HostName:
    """The host, as it was named."""

    name: str


@dataclass(frozen=True)
class NoAnswer:
    """A host that was named and not judged: its login or diagnosis failed, or `--max-errors` stopped the run before it."""

    schema: Literal["triagebook/no-answer/v1"]
    host: HostName
    status: Literal["failed", "not_asked"]
    message: str


def no_answer_schema() -> dict[str, Any]:
    """Return the schema of the line of a host that gave no answer."""
    if typing.get_args(typing.get_type_hints(NoAnswer)["schema"])[0] != NO_ANSWER:
        raise KeyError(NO_ANSWER)
    return _schema(NoAnswer)


def watch_schema() -> dict[str, Any]:
    """Return the schema of one sample of a watch."""
    return _schema(Observation)


def drift_schema() -> dict[str, Any]:
    """Return the schema of one compared setting."""
    schema = _schema(DriftRow)
    schema["properties"] |= {"schema": {"const": "triagebook/drift/v1", "type": "string"}, "hosts": {"type": "integer"}}
    schema["required"] = sorted(schema["properties"])
    return schema


def event_schema() -> dict[str, Any]:
    """Return the schema of what sinks are told: the alert as it is shown, and the answer as it is published."""
    schema = _schema(OutgoingEvent)
    alert = _schema(AlertView)
    del alert["$schema"]
    answer = {"type": "object", "description": "triagebook/triage/v1 or triagebook/diagnosis/v1; left out where no host was asked"}
    schema["properties"]["content"] = {"type": "object", "properties": {"alert": alert, "answer": answer}, "required": ["alert"]}
    return schema


def _schema(kind: type[Any]) -> dict[str, Any]:
    built = TypeAdapter(kind).json_schema(mode="serialization")
    schema_files._close(built)
    return {"$schema": DRAFT, **built}


def page() -> str:
    """Return the page: the members of every object."""
    parts = [HEAD, made_by("the dataclasses that are printed")]
    parts += ["## A triage\n\n", _members(Triage, ""), _members(AskedRunbook, "asked[]")]
    parts += ["## A diagnosis\n\n", *(_members(one, path) for path, one in _objects(Diagnosis, ""))]
    parts += ["## A host without an answer\n\n", _members(NoAnswer, ""), "## A sample of a watch\n\n"]
    seen = {one for _path, one in _objects(Diagnosis, "")}
    parts += [_members(one, path) for path, one in _objects(Observation, "") if one not in seen]
    parts += ["## A compared setting\n\n", _members(DriftRow, ""), "`hosts` beside them is how many hosts were compared.\n\n"]
    parts += ["## Fixes, locks and the audit log\n\n"]
    names = ("FixJson", "FixSummaryJson", "LockJson", "AuditRowJson", "AuditProofJson")
    return "".join([*parts, *(_typed(getattr(views_json, name)) for name in names)])


def _objects(kind: type[Any], path: str) -> Iterator[tuple[str, type[Any]]]:
    """Yield an object and those inside it, each once, with the path that leads to it."""
    found: dict[type[Any], str] = {}

    def walk(one: type[Any], where: str) -> None:
        if one in found:
            return
        found[one] = where
        for name, hint in typing.get_type_hints(one).items():
            for inner, mark in _inner(hint):
                walk(inner, f"{where}.{name}{mark}".lstrip("."))

    walk(kind, path)
    yield from ((where, one) for one, where in found.items())


def _inner(hint: Any, mark: str = "") -> Iterator[tuple[type[Any], str]]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        yield typing.cast("type[Any]", hint), mark
    elif origin is not Literal:
        for part in arguments:
            yield from _inner(part, {tuple: "[]", Mapping: ".NAME"}.get(origin, mark) if origin else mark)


def _members(kind: type[Any], path: str) -> str:
    hints = typing.get_type_hints(kind)
    rows = ((f"`{entry.metadata.get('member', entry.name)}`", _type(hints[entry.name])) for entry in fields(kind))
    title = f"### {path}\n\n" if path else ""
    return f"{title}{first_sentences(kind.__doc__)}\n\n" + table(("Member", "Type"), rows)


def _typed(kind: Any) -> str:
    rows = ((f"`{name}`", _type(hint)) for name, hint in typing.get_type_hints(kind).items())
    title = {"FixJson": "A fix", "FixSummaryJson": "A line of `fix list`", "LockJson": "A lock"}.get(kind.__name__)
    title = title or {"AuditRowJson": "A row of the audit log", "AuditProofJson": "The proof of `audit show`"}[kind.__name__]
    return f"### {title}\n\n{first_sentences(kind.__doc__)}\n\n" + table(("Member", "Type"), rows)


def _type(hint: Any) -> str:
    """Say a type as JSON has it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin in (UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_type(part) for part in arguments))
    if origin in (tuple, list):
        return f"list of {_plural(_type(arguments[0]))}"
    if is_dataclass(hint) or hasattr(hint, "__total__"):
        return "object"
    if origin is not None:
        return f"object: name to {_type(arguments[1])}" if len(arguments) == 2 else "object"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}.get(hint, "any value")


def _plural(word: str) -> str:
    return {"object": "objects", "text": "texts", "number": "numbers"}.get(word, word)
