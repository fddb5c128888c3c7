"""The collector's answer on the wire, and its pure parser.

    triagebook/1 TAG                      the first line; TAG was read from the kernel's random uuid
    TAG <tab> N <tab> KIND <tab> FIELD... one record of sample N
    TAG <tab> N <tab> end <tab> KEY=VALUE... sample N is complete

Lines without the tag (a login shell's greeting) are not records; no file content can forge one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One printed line: the kind it belongs to and its fields, control characters already escaped on the host."""

    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """One reading of the host. `is_complete` is false when the answer was cut before the `end` record."""

    n: int
    records: tuple[Record, ...]
    is_complete: bool

    def of(self, kind: str) -> tuple[tuple[str, ...], ...]:
        """The fields of this kind's records, in the order printed."""
        return tuple(record.fields for record in self.records if record.kind == kind)


def parse_samples(text: str) -> tuple[Sample, ...]:
    """To be written by the probes' author."""
    raise NotImplementedError(text)
