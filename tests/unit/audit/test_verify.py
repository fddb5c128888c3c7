"""Tampering with a log of 40 rows, of which checkpoints of 10, 20, 30 and 40 rows were shown."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.audit.event import AuditEvent, Head, LogRow, SearchColumns, decode, encode
from triagebook.tools.audit.merkle import Edge, leaf_hash
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.audit.seal import FOREIGN
from triagebook.tools.audit.verify import verify
from triagebook.tools.times import to_micros

from tests.system.fixes.samples import NOW


def _event(number: int) -> AuditEvent:
    return AuditEvent(at=NOW + timedelta(seconds=number), action="approve", outcome="ok", fix=f"F-{number}", person="bob")


def _log(size: int = 40, *, forged: int | None = None) -> tuple[list[LogRow], Head, list[Checkpoint]]:
    """A log as it is written; `forged` is a row whose event is another one, with everything after it recomputed."""
    rows, edge, previous, checkpoints = [], Edge(), b"", []
    for index in range(size):
        event = _event(index) if index != forged else replace(_event(index), person="mallory")
        leaf = encode(event, index, previous)
        previous = leaf_hash(leaf)
        copies = SearchColumns(to_micros(event.at), event.action, event.host, event.fix, event.person)
        rows.append(LogRow(index, leaf, previous, copies))
        edge = edge.append(previous)
        if edge.size % 10 == 0:
            checkpoints.append(Checkpoint("log", edge.size, edge.root()))
    return rows, Head(edge, previous), checkpoints


ROWS, HEAD, CHECKPOINTS = _log()


def test_an_untouched_log_holds() -> None:
    report = verify(ROWS, HEAD, CHECKPOINTS)
    assert (report.holds, report.size, report.checkpoints) == (True, 40, 4)


def test_an_empty_log_holds() -> None:
    assert verify([], Head(Edge(), b""), []).holds


def _edited(rows: list[LogRow]) -> list[LogRow]:
    return [replace(row, leaf=row.leaf.replace(b'"ok"', b'"failed"')) if row.index == 17 else row for row in rows]


def _edited_with_its_hash(rows: list[LogRow]) -> list[LogRow]:
    return [replace(row, leaf_hash=leaf_hash(row.leaf)) if row.index == 17 else row for row in _edited(rows)]


def _deleted(rows: list[LogRow]) -> list[LogRow]:
    return [row for row in rows if row.index != 17]


def _closed_up(rows: list[LogRow]) -> list[LogRow]:
    return [replace(row, index=index) for index, row in enumerate(_deleted(rows))]


def _swapped(rows: list[LogRow]) -> list[LogRow]:
    changed = list(rows)
    changed[17], changed[18] = replace(rows[18], index=17), replace(rows[17], index=18)
    return changed


def _column(rows: list[LogRow]) -> list[LogRow]:
    copies = SearchColumns(0, "approve", "", "F-17", "eve")
    return [replace(row, copies=copies) if row.index == 17 else row for row in rows]


def _garbage(rows: list[LogRow]) -> list[LogRow]:
    return [replace(row, leaf=b"{}", leaf_hash=leaf_hash(b"{}")) if row.index == 17 else row for row in rows]


@pytest.mark.parametrize(
    ("tamper", "kind", "place"),
    [
        (_edited, "edited", 17),
        (_edited_with_its_hash, "relinked", 18),
        (_deleted, "missing", 17),
        (_closed_up, "reordered", 17),
        (_swapped, "reordered", 17),
        (_garbage, "foreign", 17),
    ],
)
def test_tampering_is_reported_with_its_place(tamper: Callable[[list[LogRow]], list[LogRow]], kind: str, place: int) -> None:
    for checkpoints in (CHECKPOINTS, []):
        first = verify(tamper(ROWS), HEAD, checkpoints).problems[0]
        assert (first.kind, first.row) == (kind, place)
        assert str(place) in first.says


def test_the_servers_key_changes_nothing_of_what_is_reported_of_these_rows() -> None:
    """With the key most rows are read by their outline; whatever is odd about one has the same place as without."""
    for tamper in (_deleted, _closed_up, _swapped, _column):
        assert verify(tamper(ROWS), HEAD, CHECKPOINTS, key=FOREIGN) == verify(tamper(ROWS), HEAD, CHECKPOINTS), tamper.__name__
    for tamper in (_edited, _edited_with_its_hash, _garbage):
        without = verify(tamper(ROWS), HEAD, CHECKPOINTS).problems
        found = verify(tamper(ROWS), HEAD, CHECKPOINTS, key=FOREIGN).problems
        assert tuple(problem for problem in found if problem.kind != "unsealed") == without, tamper.__name__
    assert verify(_edited_with_its_hash(ROWS), HEAD, [], key=FOREIGN).problems[0].kind == "unsealed"


def test_a_log_rewritten_with_the_key_itself_is_reported_by_the_checkpoints() -> None:
    rows, head, _ = _log(forged=17)
    assert [problem.kind for problem in verify(rows, head, CHECKPOINTS, key=FOREIGN).problems] == ["rewritten"]


def test_a_search_column_that_differs_is_a_warning_with_its_place() -> None:
    report = verify(_column(ROWS), HEAD, CHECKPOINTS)
    assert report.holds
    assert [(warning.kind, warning.row) for warning in report.warnings] == [("copies", 17)]
    everywhere = [replace(row, copies=SearchColumns(0, "", "", "", "")) for row in ROWS] * 1
    assert len(verify(everywhere, HEAD, CHECKPOINTS).warnings) == len(ROWS)


def test_a_log_rewritten_to_its_end_is_reported_with_the_stretch_between_two_checkpoints() -> None:
    rows, head, _ = _log(forged=17)
    problems = verify(rows, head, CHECKPOINTS).problems
    assert [(problem.kind, problem.row) for problem in problems] == [("rewritten", 10)]
    assert problems[0].says.startswith("rows 10 to 19 ")


def test_a_cut_tail_with_a_head_to_match_is_reported_against_a_checkpoint_once_shown() -> None:
    rows, head, _ = _log(35)
    assert verify(rows, head, CHECKPOINTS[:3]).holds
    problem = verify(rows, head, CHECKPOINTS).problems[0]
    assert (problem.kind, problem.row) == ("cut_tail", 35)


def test_a_log_cut_to_nothing_is_reported() -> None:
    assert verify([], Head(Edge(), b""), CHECKPOINTS[:1]).problems[0].kind == "cut_tail"


def test_a_head_that_counts_other_rows_is_reported() -> None:
    rows, head, _ = _log(35)
    assert [problem.kind for problem in verify(ROWS, head, []).problems] == ["head"]
    assert [problem.kind for problem in verify(rows, HEAD, []).problems] == ["head"]
    assert [problem.kind for problem in verify(rows, replace(head, last_leaf=b"x" * 32), []).problems] == ["head"]


def test_a_checkpoint_that_cannot_be_read_is_a_problem() -> None:
    assert verify(ROWS, HEAD, CHECKPOINTS, ["forged"]).problems[0].kind == "checkpoint"


@given(st.integers(0, 39), st.data())
def test_any_changed_byte_of_any_row_is_reported(index: int, data: st.DataObject) -> None:
    """By the hash without the server's key; with it, also where the hash and all that follows were made anew."""
    leaf = bytearray(ROWS[index].leaf)
    leaf[data.draw(st.integers(0, len(leaf) - 1))] ^= data.draw(st.integers(1, 255))
    rows = [*ROWS[:index], replace(ROWS[index], leaf=bytes(leaf)), *ROWS[index + 1 :]]
    assert verify(rows, HEAD, CHECKPOINTS).problems[0].row == index
    rows[index] = replace(rows[index], leaf_hash=leaf_hash(bytes(leaf)))
    found = verify(rows, None, [], key=FOREIGN).problems[0].row
    assert found == index or (index == 0 and found == 1)  # the first rows may be of a release that did not seal: the next one tells


def test_an_event_is_read_back_as_it_was() -> None:
    event = replace(_event(1), detail={"a": "b"}, severity="alert")
    assert decode(encode(event, 1, b"p" * 32)) == (event, 1, b"p" * 32)
