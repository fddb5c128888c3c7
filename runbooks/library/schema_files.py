"""Writes the JSON Schemas of the runbook format, of a diagnosis and of a triage. `docs/schema/` holds them, as tests see to."""

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.triage import Triage
from triagebook.runbooks.library import schema

LATER = frozenset(entry.name for entry in fields(Diagnosis) if "unused" in entry.metadata)


def runbook_schema() -> dict[str, Any]:
    """Return the schema for editors of `runbook.yaml`."""
    return schema.json_schema()


def diagnosis_schema() -> dict[str, Any]:
    """Return the schema for programs that read `--json`: exactly the members of the dataclasses, none else."""
    return _schema_of(Diagnosis)


def triage_schema() -> dict[str, Any]:
    """Return the schema for programs that read `--json` where no runbook was named: what several runbooks found in one look."""
    return _schema_of(Triage)


def _schema_of(noun: type[Any]) -> dict[str, Any]:
    built = TypeAdapter(noun).json_schema(mode="serialization")
    for part in (built, *built["$defs"].values()):
        if "error_class" in part.get("properties", {}):  # Python reserves `class`
            part["properties"]["class"] = part["properties"].pop("error_class")
    _close(built)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **built}


def _close(node: Any) -> None:
    """Make every object of a schema list its members; each is always written, but one that came later and is not used."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
            unused = LATER if node.get("title") == Diagnosis.__name__ else ()
            node["required"] = sorted(node["properties"].keys() - unused)
        for value in node.values():
            _close(value)
    elif isinstance(node, list):
        for value in node:
            _close(value)
