"""Turns a plan into bytes and a digest, and bytes into a plan. An unknown field is never ignored."""

import json

from triagebook.runbooks.engine.canonical import canonical_json, plan_digest
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.runbooks.engine.plan import DIGEST_FIELDS, SCHEMA, Plan

MAX_BYTES = 64 * 1024


def digest(plan: Plan) -> str:
    """Return the SHA-256 over the canonical JSON of every field: what an approval is for."""
    return plan_digest(as_mapping(plan))


def encode(plan: Plan) -> bytes:
    """Return the canonical JSON bytes that are stored. PlanError above 64 KiB."""
    content = canonical_json(as_mapping(plan))
    if len(content) > MAX_BYTES:
        raise PlanError(f"the plan takes {len(content)} bytes, more than {MAX_BYTES}")
    return content


def decode(content: bytes) -> Plan:
    """Read `encode`'s bytes. PlanError when a field is unknown, missing or of another type: never guessed."""
    try:
        raw = json.loads(content)
        if set(raw) != set(DIGEST_FIELDS) or raw["schema"] != SCHEMA:
            odd = ", ".join(sorted(set(raw) ^ set(DIGEST_FIELDS))) or f"schema {raw['schema']!r}"
            raise PlanError(f"plan: fields unknown or missing: {odd}")
        plan = from_plain(Plan, raw, "plan")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PlanError(f"a stored plan cannot be read: {error}") from None
    if encode(plan) != content:
        raise PlanError("plan: not in canonical form")
    return plan


def as_mapping(plan: Plan) -> dict[str, object]:
    """Return the plan as plain JSON values, one member a digest field."""
    return {name: to_plain(getattr(plan, name)) for name in DIGEST_FIELDS}
