"""Defines an audit event and the bytes of it that the log keeps: redacted, canonical, with its place in the log.

An event is redacted once, here. Whatever else is made of it (search columns, counts of refusals) is made of the redacted form,
so that no copy can say more than the log, or something else.
"""

import json
from collections.abc import Mapping
from dataclasses import field, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from triagebook.runbooks.engine.canonical import canonical_json
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.tools.audit.merkle import Edge
from triagebook.tools.audit.seal import FOREIGN, SEALED_SCHEMA, RowKey
from triagebook.tools.redact import redact
from triagebook.tools.times import parse_rfc3339, rfc3339, to_micros


@dataclass(frozen=True)
class SearchColumns:
    """Repeats what the leaf says in columns to search by, each cut to what its column holds."""

    at_micros: int
    action: str
    host: str
    fix: str
    person: str


@dataclass(frozen=True)
class LogRow:
    """Holds one audit row; `leaf` is what the tree covers. An export has no copies."""

    index: int
    leaf: bytes
    leaf_hash: bytes
    copies: SearchColumns | None = None


@dataclass(frozen=True)
class Head:
    """Holds the tree as it is stored: its edge, and the hash of the newest leaf (empty for none)."""

    edge: Edge
    last_leaf: bytes


OLD_SCHEMA = "triagebook/audit/v1"  # of releases that did not seal
MAX_TEXT = 2000  # characters of one value
MAX_NAME, MAX_WORD = 255, 64  # characters of a search column: of a host or person, of an action or fix
EMPTY: Mapping[str, str] = MappingProxyType({})
Outcome = Literal["ok", "refused", "failed"]


@dataclass(frozen=True)
class AuditEvent:
    """Says who did what to which host under which plan, and how it ended. `alert` is the loud severity of break-glass."""

    at: datetime
    action: str
    outcome: Outcome
    reason: str = ""
    account: str = ""
    person: str = ""
    service: str = ""
    channel: str = ""
    host: str = ""
    fix: str = ""
    runbook: str = ""
    runbook_digest: str = ""
    plan_digest: str = ""
    severity: Literal["info", "alert"] = "info"
    detail: Mapping[str, str] = field(default_factory=lambda: EMPTY)


def encode(event: AuditEvent, index: int, previous: bytes, key: RowKey = FOREIGN) -> bytes:
    """Return the leaf: canonical JSON of the redacted event, its index, the hash of the leaf before it ('' for none), its seal.

    The tree alone proves order; index and `previous` let a verifier say which row was changed.
    """
    content: dict[str, object] = {"schema": SEALED_SCHEMA, "index": index, "previous": previous.hex()}
    return key.seal_leaf(canonical_json({**content, **{name: _as_stored(value) for name, value in to_plain(event).items()}}))


def as_recorded(event: AuditEvent) -> AuditEvent:
    """Return the event with every text of it as the log keeps it: without secrets, and not too long."""
    return replace(event, **{entry.name: _as_stored(getattr(event, entry.name)) for entry in fields(event) if entry.name != "at"})  # type: ignore[arg-type]


def columns_of(event: AuditEvent) -> SearchColumns:
    """Return the search columns of an event that was read from its leaf."""
    return SearchColumns(
        to_micros(event.at),
        column_text(event.action, MAX_WORD),
        column_text(event.host),
        column_text(event.fix, MAX_WORD),
        column_text(event.person),
    )


def column_text(text: str, limit: int = MAX_NAME) -> str:
    """Return what a search column holds of a recorded text. PostgreSQL stores no NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:limit]


def search_text(text: str, limit: int = MAX_NAME) -> str:
    """Return what a search column holds of a text that somebody searches for."""
    return column_text(_safe(text), limit)


def is_copy(columns: SearchColumns, event: AuditEvent) -> bool:
    """Say whether the search columns repeat the leaf. Earlier releases did not cut them."""
    cut = columns_of(event)
    given = columns.action, columns.host, columns.fix, columns.person
    wanted = zip((cut.action, cut.host, cut.fix, cut.person), (event.action, event.host, event.fix, event.person), strict=True)
    return columns.at_micros == cut.at_micros and all(text in pair for text, pair in zip(given, wanted, strict=True))


def decode(leaf: bytes) -> tuple[AuditEvent, int, bytes]:
    """Return the event, index and previous hash of a leaf. Raises TrustError: it is not one of ours."""
    try:
        raw = json.loads(leaf)
        names = {entry.name for entry in fields(AuditEvent)}
        has_seal = raw.pop("seal", None) is not None
        if set(raw) != names | {"schema", "index", "previous"} or raw["schema"] != (SEALED_SCHEMA if has_seal else OLD_SCHEMA):
            raise ValueError("unknown or missing members")
        index = from_plain(int, raw["index"], "index")
        values = {name: raw[name] for name in names}
        values["at"] = parse_rfc3339(raw["at"], "microseconds")
        return from_plain(AuditEvent, values), index, bytes.fromhex(raw["previous"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise TrustError(f"audit row: cannot be read: {error}") from None


def _as_stored(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value, "microseconds")
    if isinstance(value, Mapping):
        return {_safe(str(key)): _safe(str(item)) for key, item in value.items()}
    return _safe(str(value))


def _safe(text: str) -> str:
    shown = redact(text.encode("utf-8", "backslashreplace").decode())
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"
