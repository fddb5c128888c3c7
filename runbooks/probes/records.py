"""Parses the collector's answer on the wire. Pure.

    triagebook/1 TAG                      the first line; TAG was read from the kernel's random uuid
    TAG <tab> N <tab> KIND <tab> FIELD... one record of sample N
    TAG <tab> N <tab> end <tab> KEY=VALUE... sample N is complete

Lines without the tag (a login shell's greeting) are not records; no file content can forge one.
"""

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.runbooks.engine.text import safe_text

HEADER = re.compile(r"^triagebook/1 ([0-9a-f]{12})\r?$", re.MULTILINE)
END = "end"
_NUMBER = re.compile(r"[0-9]{1,7}")

_MOST_RECORDS = 20_000  # a sample has at most some hundred
_MOST_SAMPLES = 1_000_000
_HARMLESS = bytes([ord("\t"), ord("\n"), *range(0x20, 0x7F)])
_FIELD_LENGTH = 512  # the host cuts at 400 bytes


@dataclass(frozen=True)
class Record:
    """Describes one printed line: the kind it belongs to and its fields, control characters already escaped on the host."""

    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """Describes one reading of the host. `is_complete` is false when the answer was cut before the `end` record."""

    n: int
    records: tuple[Record, ...]
    is_complete: bool

    def of(self, kind: str) -> tuple[tuple[str, ...], ...]:
        """Return the fields of this kind's records, in the order printed."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        found: dict[str, list[tuple[str, ...]]] = {}
        for record in self.records:
            found.setdefault(record.kind, []).append(record.fields)
        return {kind: tuple(fields) for kind, fields in found.items()}

    @cached_property
    def pairs(self) -> dict[tuple[str, str], Mapping[str, object]]:
        """Keep the KEY=VALUE fields that `reading.pairs_of` has read of this sample."""
        return {}

    @cached_property
    def end(self) -> Mapping[str, str]:
        """Return KEY=VALUE of the `end` record: printed, suppressed, truncated, uptime, cpu_us, awk, cut.KIND."""
        return {key: value for fields in self.of(END) for key, _, value in (field.partition("=") for field in fields)}


def parse_samples(text: str) -> tuple[Sample, ...]:
    """Return the samples of an answer, in their order; the last one may be cut.

    A last line without its newline is not a record: a number in it may have lost digits. What follows a sample's
    `end` under the same number is left out. A header without records is one empty, incomplete sample.

    Raises:
        ParseError: no `triagebook/1 TAG` line; more samples or records than a host can print.
    """
    header = HEADER.search(text)
    if header is None:
        raise ParseError("collector: the answer has no 'triagebook/1 TAG' line")
    tag = header[1]
    body = text[header.end() :]
    if "\r" in body:
        body = body.replace("\r\n", "\n")
    is_plain = body.isascii() and not body.encode().translate(None, _HARMLESS)
    records: dict[int, list[Record]] = {}
    ended: set[int] = set()
    count = 0
    for line in body.split("\n")[1:-1]:
        fields = line.split("\t")
        if fields[0] != tag or len(fields) == 1:
            continue
        number = _sample_number(fields[1]) if len(fields) > 2 else 0
        if number == 0:
            raise ParseError(f"collector: cannot read record {safe_text(line, 80)!r}")
        count += 1
        if count > _MOST_RECORDS:
            raise ParseError(f"collector: more than {_MOST_RECORDS} records")
        if number in ended:
            continue
        if not is_plain or len(line) > _FIELD_LENGTH:
            fields = [safe_text(field, _FIELD_LENGTH) for field in fields]
        records.setdefault(number, []).append(Record(fields[2], tuple(fields[3:])))
        if fields[2] == END:
            ended.add(number)
    if not records:
        return (Sample(1, (), is_complete=False),)
    return tuple(Sample(n, tuple(records[n]), n in ended) for n in sorted(records))


@lru_cache(maxsize=256)
def _sample_number(text: str) -> int:
    """Return the number of a sample, 0 if there is none."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= _MOST_SAMPLES else 0
