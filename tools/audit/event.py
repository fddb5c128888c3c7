"""Defines an audit event and the bytes of it that the log keeps: redacted, canonical, with its place in the log.

An event is redacted once, here. Whatever else is made of it (search columns, counts of refusals) is made of the redacted form,
so that no copy can say more than the log, or something else.
"""

import json
from collections.abc import Mapping
from dataclasses import field, fields
from datetime import datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints

from triagebook.runbooks.engine.canonical import canonical_json
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
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


_TEXTS = tuple(entry.name for entry in fields(AuditEvent) if entry.name not in {"at", "detail"})
_MEMBERS = {*_TEXTS, "at", "detail", "schema", "index", "previous"}
_WORDS = tuple((name, get_args(get_type_hints(AuditEvent)[name])) for name in ("outcome", "severity"))
_ONLY_TEXT = {str}
_texts_of = itemgetter(*_TEXTS)


def encode(event: AuditEvent, index: int, previous: bytes, key: RowKey = FOREIGN) -> bytes:
    """Return the leaf: canonical JSON of the redacted event, its index, the hash of the leaf before it ('' for none), its seal.

    The tree alone proves order; index and `previous` let a verifier say which row was changed.
    """
    return leaf_of(as_recorded(event), index, previous, key)


def leaf_of(event: AuditEvent, index: int, previous: bytes, key: RowKey) -> bytes:
    """Return the leaf of an event that `as_recorded` made: what is made of both need not be read back from the leaf."""
    place = {"schema": SEALED_SCHEMA, "index": index, "previous": previous.hex(), "at": rfc3339(event.at, "microseconds")}
    return key.seal_leaf(canonical_json({**{name: getattr(event, name) for name in _TEXTS}, "detail": event.detail, **place}))


def as_recorded(event: AuditEvent) -> AuditEvent:
    """Return the event with every text of it as the log keeps it: without secrets, and not too long."""
    texts = {name: _safe(str(getattr(event, name))) for name in _TEXTS}
    detail = {_safe(str(name)): _safe(str(item)) for name, item in event.detail.items()}
    return AuditEvent(at=event.at, detail=detail, **texts)  # type: ignore[arg-type]


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
    given = columns.action, columns.host, columns.fix, columns.person
    whole = event.action, event.host, event.fix, event.person
    if given != whole:
        cut = columns_of(event)
        pairs = zip((cut.action, cut.host, cut.fix, cut.person), whole, strict=True)
        if not all(text in pair for text, pair in zip(given, pairs, strict=True)):
            return False
    return columns.at_micros == to_micros(event.at)


def decode(leaf: bytes) -> tuple[AuditEvent, int, bytes]:
    """Return the event, index and previous hash of a leaf. Raises TrustError: it is not one of ours."""
    try:
        raw = json.loads(leaf.decode("utf-8", "surrogatepass"))  # told its encoding: half the time
        schema = SEALED_SCHEMA if raw.pop("seal", None) is not None else OLD_SCHEMA
        if raw.keys() != _MEMBERS or raw.pop("schema") != schema:
            raise ValueError("unknown or missing members")
        index, previous, detail = raw.pop("index"), bytes.fromhex(raw.pop("previous")), raw["detail"]
        _require_types(raw, index, detail)
        raw["at"] = parse_rfc3339(raw["at"], "microseconds")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TrustError(f"audit row: cannot be read: {error}") from None
    return AuditEvent(**raw), index, previous


def _require_types(raw: Mapping[str, object], index: object, detail: object) -> None:
    """Raise ValueError unless every member is of its type. By hand: it is done for each row of a log of millions."""
    if type(index) is not int:
        raise ValueError(f"index: expected int, got {str(index)[:60]!r}")
    if type(detail) is not dict or not {*map(type, detail.values())} <= _ONLY_TEXT:
        raise ValueError("detail: expected texts by name")
    if {*map(type, _texts_of(raw))} != _ONLY_TEXT:
        raise ValueError(f"expected texts: {', '.join(name for name in _TEXTS if type(raw[name]) is not str)}")
    for name, words in _WORDS:
        if raw[name] not in words:
            raise ValueError(f"{name}: expected {', '.join(words)}, got {str(raw[name])[:60]!r}")


def _safe(text: str) -> str:
    shown = redact(text.encode("utf-8", "backslashreplace").decode())
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"
