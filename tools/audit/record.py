"""Checks an incident record with nothing but the record and the verifier key that somebody kept.

Each line is an audit row with the proof that the signed log has it. Of all of the record (alerts, evidence, plans, which lines) the
digest stands in one more row, the seal, which the server wrote when it made the record.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.runbooks.engine.text import why_unreadable
from triagebook.tools.audit.event import AuditEvent, decode
from triagebook.tools.audit.merkle import is_included, leaf_hash
from triagebook.tools.audit.note import Checkpoint, verify

SCHEMA = "triagebook/record/v1"
ACTION, DIGEST = "record", "record_digest"  # of the seal, and where the digest stands in it
CONTENT = ("schema", "subject", "host", "since", "until", "left_out", "alerts", "fixes")


@dataclass(frozen=True)
class RecordReport:
    """Says what of a record holds. `problems` name the line; without any, nothing of it was changed since the server made it."""

    size: int
    lines: int
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems


def record_digest(record: Mapping[str, Any]) -> str:
    """Return the digest of what a record says, with which rows of the log its lines are."""
    content = {name: record[name] for name in CONTENT} | {"rows": [line["index"] for line in record["lines"]]}
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def check_record(record: object, vkey: str) -> RecordReport:
    """Check every line and the seal. Raises UsageError: it is no record of this form."""
    try:
        return _check(record, vkey)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(f"this is no incident record of triagebook: {why_unreadable(error)}", reason="usage") from None


def events_of(record: Mapping[str, Any]) -> Iterator[tuple[int, AuditEvent]]:
    """Yield the number and content of each line's row, as it stands in the leaf. Raises TrustError: it is none of ours."""
    for line in record["lines"]:
        yield line["index"], decode(line["leaf"].encode())[0]


def _check(record: Any, vkey: str) -> RecordReport:
    if record["schema"] != SCHEMA:
        raise ValueError(f"schema {str(record['schema'])[:60]!r}")
    lines: Sequence[Mapping[str, Any]] = record["lines"]
    try:
        checkpoint = verify(record["checkpoint"], vkey)
    except TrustError as error:
        return RecordReport(0, len(lines), (str(error),))
    found = [says for number, line in enumerate(lines, 1) if (says := _problem(line, checkpoint, f"line {number}"))]
    seal = record["seal"]
    if says := _problem(seal, checkpoint, "the seal"):
        found.append(says)
    elif not _is_seal_of(seal, record):
        found.append(
            "something of it that no line shows was changed (an alert, evidence, a plan), or lines were taken out or added"
        )
    return RecordReport(checkpoint.size, len(lines), tuple(found))


def _problem(line: Mapping[str, Any], checkpoint: Checkpoint, name: str) -> str:
    leaf, index = line["leaf"].encode(), line["index"]
    path = [bytes.fromhex(node) for node in line["inclusion"]]
    if not is_included(leaf_hash(leaf), index, checkpoint.size, path, checkpoint.root):
        return f"{name} was changed: row {index} of the signed log of {checkpoint.size} rows is another"
    try:
        decode(leaf)
    except TrustError as error:
        return f"{name}: {error}"
    return ""


def _is_seal_of(seal: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    event, _index, _previous = decode(seal["leaf"].encode())
    return event.action == ACTION and event.outcome == "ok" and event.detail.get(DIGEST) == record_digest(record)
