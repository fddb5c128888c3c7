"""Reads columns of a table below /proc (a generic kind: a runbook declares the file and its columns).

Such as /proc/sysvipc/sem or /proc/key-users. Every line is counted and summed on the host; the largest rows are printed.
A runbook declares `file`, `columns` (for each a name of its own with `column` and, where it helps, `unit` and `type: text`),
`identity` (the column that names a row) and, where it helps, `skip_lines`, `separators`, `largest` (the column to order by) and
`rows`. The facts are `rows`, `count` and `sum_NAME` of each column that is a number.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.generic_kinds import DeclaredKind, FieldDeclaration, Parameters, id_of, make_facts
from triagebook.runbooks.probes.reading import NOT_READABLE, because, cut, integer, latest, number
from triagebook.runbooks.probes.records import Sample

MOST_LINES = 5000  # as proc_table.awk reads


@dataclass(frozen=True)
class Table:
    """Holds `rows` of the declared columns, the `count` of all rows, and `sum_NAME` of each column of counts."""


FACTS = Table


def parse(_samples: Sequence[Sample]) -> Table:
    """Return nothing: without a declaration there is nothing to read."""
    return Table()


def bind(parameters: Parameters) -> DeclaredKind:
    """Return the kind that reads this table: `{file, columns: {NAME: {column, unit, type}}, identity, ...}`."""
    columns, file, identity = parameters["columns"], parameters["file"], parameters["identity"]
    fields = [FieldDeclaration(name, entry.get("unit", ""), file, entry.get("type") == "text") for name, entry in columns.items()]
    row = make_facts("DeclaredRow", "Describes one row of the table.", fields, IDENTITY=(ClassVar[str], identity))
    counted = [entry for entry in fields if not entry.is_text]
    sums = [FieldDeclaration(f"sum_{entry.name}", entry.unit, f"{file} (all rows)") for entry in counted]
    more = [FieldDeclaration("count", "rows", f"{file} (all rows)"), *sums]
    facts = make_facts("DeclaredTable", "Holds rows of a table below /proc.", more, rows=(Collection[row], fact("", file)))  # type: ignore[valid-type]

    def read(samples: Sequence[Sample]) -> object:
        sample = latest(samples)
        records = [record[1:] for record in (sample.of("proc_table") if sample else ()) if record[:1] == (id_of(parameters),)]
        head = next((record for record in records if record[0] == "all"), None)
        if head is None:
            why = Unreadable(cut(sample, "proc_table") or NOT_READABLE.reason)
            return facts(rows=Collection((), why.reason), count=why, **{entry.name: why for entry in sums})
        is_cut = head[2:3] == ("1",)
        why_cut = Unreadable(f"it has more than {MOST_LINES} lines")
        totals = dict(zip(columns, head[3:], strict=False))
        found = [row(**_cells(columns, record[1:])) for record in records if record[0] == "row"]
        count = number(head, 1)
        rest = count - len(found) if isinstance(count, int) else 0
        partial = because(why_cut.reason if is_cut else "", f"{rest} smaller rows are not listed" if rest > 0 else "")
        return facts(
            rows=Collection(tuple(found), partial),
            count=why_cut if is_cut else count,
            **{f"sum_{entry.name}": why_cut if is_cut else integer(totals.get(entry.name)) for entry in counted},
        )

    return DeclaredKind(facts, read)


def awk(declared: Sequence[Parameters]) -> str:
    """Return the function with a line for each table."""
    lines = dict.fromkeys(_line(parameters) for parameters in declared)
    return f'function proc_table_list() {{ return "{_NEWLINE.join(sorted(lines))}"; }}\n'


_NEWLINE = "\\n"  # as awk writes it


def _line(parameters: Parameters) -> str:
    columns = parameters["columns"]
    largest = list(columns).index(parameters["largest"]) + 1 if parameters.get("largest") else 0
    wanted = ",".join(str(entry["column"]) for entry in columns.values())
    skipped, separators = parameters.get("skip_lines", 0), parameters.get("separators") or "-"
    return f"{id_of(parameters)} {parameters['file']} {skipped} {separators} {wanted} {largest} {parameters.get('rows', 20)}"


def _cells(columns: Parameters, cells: Sequence[str]) -> dict[str, Any]:
    padded = [*cells, *["?"] * len(columns)]
    return {
        name: cell if entry.get("type") == "text" else integer(cell)
        for (name, entry), cell in zip(columns.items(), padded, strict=False)
    }
