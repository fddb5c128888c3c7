"""Writes two canonical forms of data and their digests: of a plan (RFC 8785), and of a checked runbook.

A plan is what somebody approved, so one value has one sequence of bytes (`canonical_json`): strings, integers, lists and
mappings only. Floats, booleans and nulls are refused: their text differs between languages, or they stand for "not known".
A runbook is our own data and may hold those (`runbook_json`); its bytes are the cache's too.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.plain_data import to_plain

MAX_INTEGER = 2**53 - 1  # the largest every JSON reader keeps exact (RFC 7493, 2.2)
MAX_DEPTH = 16
_QUOTE = json.JSONEncoder(ensure_ascii=False).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_json(value: object) -> bytes:
    """Return the RFC 8785 bytes of a value. Raises PlanError for anything but str, int, list, tuple and str-keyed mapping."""
    return _text(value, 0).encode("utf-8")


def plan_digest(value: object) -> str:
    """Return SHA-256 of the canonical bytes, as 64 lowercase hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _text(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise PlanError(f"canonical JSON: nested deeper than {MAX_DEPTH}")
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_INTEGER:
            raise PlanError(f"canonical JSON: {value} is beyond 2**53 - 1; write it as text")
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_string(key)}:{_text(value[key], depth + 1)}" for key in _sort_names(value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return "[" + ",".join(_text(item, depth + 1) for item in value) + "]"
    raise PlanError(f"canonical JSON: a {type(value).__name__} has no one spelling; use text or an integer")


def _sort_names(mapping: Mapping[object, object]) -> list[str]:
    names = [key for key in mapping if isinstance(key, str)]
    if len(names) != len(mapping):
        raise PlanError("canonical JSON: a member's name must be text")
    # RFC 8785, 3.2.3: by UTF-16 code units, which differs from code points above U+FFFF
    return sorted(names, key=None if "".join(names).isascii() else lambda name: name.encode("utf-16-be", "surrogatepass"))


def _string(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        raise PlanError("canonical JSON: half a surrogate pair is not text")
    return _QUOTE(text)


def runbook_json(value: object) -> bytes:
    """Return a runbook's bytes that are hashed and cached: sorted keys, no spaces, UTF-8."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def runbook_digest(value: object) -> str:
    """Return `sha256:HEX` of the canonical bytes."""
    return digest_of_bytes(runbook_json(value))


def digest_of_bytes(content: bytes) -> str:
    """Return `sha256:HEX` of bytes that are canonical already."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
