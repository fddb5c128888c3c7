"""Writes the JSON Schemas of the runbook format and of a diagnosis. `docs/schema/` holds them, tested to be current."""

from typing import Any

from pydantic import TypeAdapter
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.library import schema


def runbook_schema() -> dict[str, Any]:
    """Return the schema for editors of `runbook.yaml`."""
    return schema.json_schema()


def diagnosis_schema() -> dict[str, Any]:
    """Return the schema for programs that read `--json`: exactly the members of the dataclasses, none else."""
    built = TypeAdapter(Diagnosis).json_schema(mode="serialization")
    _close(built)
    symptom = built["$defs"]["SymptomRef"]
    symptom["properties"]["class"] = symptom["properties"].pop("error_class")
    symptom["required"] = ["text", "class"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **built}


def _close(node: Any) -> None:
    """Make every object of a schema list its members; each is always written."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
            node["required"] = sorted(node["properties"])
        for value in node.values():
            _close(value)
    elif isinstance(node, list):
        for value in node:
            _close(value)
