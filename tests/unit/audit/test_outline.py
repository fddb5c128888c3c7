"""The outline of a leaf says what reading all of it says, or nothing."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.audit.event import AuditEvent, columns_of, decode, encode
from triagebook.tools.audit.outline import Outline, read_outline

from tests.system.fixes.samples import NOW

PREVIOUS = b"p" * 32
PLAIN = AuditEvent(
    at=NOW, action="approve", outcome="ok", host="web-01", fix="F-1", person="bob", account="os:bob", detail={"id": "D-1", "a": "}"}
)
TEXTS = st.text(st.sampled_from('ab",{}:\\\n\0é\u2028 '), max_size=12)


def _read_whole(leaf: bytes) -> Outline:
    event, index, previous = decode(leaf)
    copies = columns_of(event)
    return Outline(index, previous, event.fix, (copies.at_micros, copies.action, copies.host, copies.fix, copies.person))


def test_a_leaf_without_escapes_has_an_outline() -> None:
    leaf = encode(PLAIN, 7, PREVIOUS)
    assert read_outline(leaf) == _read_whole(leaf)
    assert read_outline(encode(replace(PLAIN, detail={}, host="wéb"), 0, b"")) is not None


@given(st.lists(TEXTS, min_size=6, max_size=6), st.dictionaries(TEXTS, TEXTS, max_size=3), st.integers(0, 10**9))
def test_an_outline_says_what_reading_all_of_the_leaf_says(texts: list[str], detail: dict[str, str], index: int) -> None:
    action, host, fix, person, account, reason = texts
    told = {"action": action, "host": host, "fix": fix, "person": person, "account": account, "reason": reason}
    leaf = encode(replace(PLAIN, detail=detail, **told), index, PREVIOUS)  # type: ignore[arg-type]
    outline = read_outline(leaf)
    assert outline in (None, _read_whole(leaf))
    assert (outline is None) == (b"\\" in leaf)


def test_members_of_the_detail_are_not_taken_for_those_of_the_leaf() -> None:
    names = ("action", "at", "fix", "host", "index", "person", "previous")
    detail = dict.fromkeys(names, "00") | {"a": '","host":"db-01","index":9,"outcome":"'}
    for members in (detail, dict.fromkeys(names, "00")):
        leaf = encode(replace(PLAIN, detail=members), 7, PREVIOUS)
        assert read_outline(leaf) in (None, _read_whole(leaf))


def test_another_form_of_the_same_leaf_has_no_outline() -> None:
    leaf = encode(PLAIN, 7, PREVIOUS)
    content = json.loads(leaf)
    for other in (content | {"more": "x"}, dict(reversed(content.items())), content | {"at": "2026-13-40T00:00:00.000000Z"}):
        assert read_outline(json.dumps(other, separators=(",", ":")).encode()) is None
    for odd in (leaf + b" ", leaf[:-1], b"", b"{}", b"\xff", leaf.replace(b'"index":7', b'"index":"7"')):
        assert read_outline(odd) is None
