"""Records as plain data and back, and the bytes that are stored or published somewhere: they may never change by accident."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pytest
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.canonical import runbook_json
from triagebook.runbooks.engine.diagnosis import SymptomRef
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.runbooks.engine.plan_codec import digest, encode
from triagebook.tools.audit import event

from tests.system.fixes import samples


@dataclass(frozen=True)
class Disk:
    mount: str
    free: int | Unreadable
    share: float = 0.0


@dataclass(frozen=True)
class Facts:
    disks: Collection[Disk]
    kind: Literal["local", "remote"]
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    boot: str | None = None
    source: str = field(default="", compare=False)


FACTS = Facts(Collection((Disk("/", 5), Disk("/srv", Unreadable("denied"), 0.5)), "cut", 3), "local", {"a": (1, 2)}, source="here")
PLAIN = {
    "disks": {
        "items": [{"mount": "/", "free": 5, "share": 0.0}, {"mount": "/srv", "free": {"unreadable": "denied"}, "share": 0.5}],
        "partial": "cut",
        "counted": 3,
    },
    "kind": "local",
    "tags": {"a": [1, 2]},
    "boot": None,
}


def test_a_record_is_written_in_the_order_of_its_fields_and_read_back_the_same() -> None:
    assert to_plain(FACTS) == PLAIN
    assert list(to_plain(FACTS)) == ["disks", "kind", "tags", "boot"]
    assert from_plain(Facts, json.loads(json.dumps(PLAIN))) == FACTS


def test_a_whole_collection_says_nothing_of_what_may_be_missing() -> None:
    assert to_plain(Collection((1,))) == {"items": [1]}


def test_the_schema_leads_and_a_reserved_word_is_written_as_published() -> None:
    assert next(iter(to_plain(samples.diagnosis()))) == "schema"
    assert to_plain(SymptomRef("Cannot fork", "no_pid")) == {"text": "Cannot fork", "class": "no_pid"}
    assert from_plain(SymptomRef, {"text": "Cannot fork", "class": "no_pid"}) == SymptomRef("Cannot fork", "no_pid")


def test_an_absent_fact_is_unreadable_and_an_absent_field_takes_its_default() -> None:
    read = from_plain(Facts, {"disks": {"items": [{"mount": "/"}]}, "kind": "remote"})
    assert read == Facts(Collection((Disk("/", Unreadable("not recorded")),)), "remote")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "locl"}, "facts.kind: expected local, remote, got 'locl'"),
        ({"knd": "local"}, "facts: unknown key 'knd' (did you mean 'kind'?)"),
        ({"disks": [1]}, "facts.disks: expected items, partial, counted"),
        ({"disks": {"items": [{"mount": 7}]}}, "facts.disks.items[0].mount: expected str, got '7'"),
        ({"disks": {"items": [{}]}}, "facts.disks.items[0].mount: missing"),
        ({"disks": {"items": [{"mount": "/", "free": True}]}}, "facts.disks.items[0].free: expected int, got 'True'"),
        ({"disks": {"items": ["/"]}}, "facts.disks.items[0]: expected mount, free, share"),
        ({"tags": {"a": ["1"]}}, "facts.tags.a[0]: expected int, got '1'"),
        ({"tags": {"a": "12"}}, "facts.tags.a: expected tuple, got '12'"),
        ({"boot": 1}, "facts.boot: expected str, got '1'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_path(change: Mapping[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        from_plain(Facts, {**PLAIN, **change}, "facts")


def test_an_integer_stands_for_a_float_but_no_other_way_round() -> None:
    assert from_plain(Disk, {"mount": "/", "free": 1, "share": 1}).share == 1.0
    with pytest.raises(ValueError, match="expected int"):
        from_plain(Disk, {"mount": "/", "free": 1.0})


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_stored_plan_is_what_it_was() -> None:
    assert digest(samples.plan()) == "18ff565bcb54acf5f586452fc93ea28bbc097c7fc185a768349d45e78400dfa2"
    assert hash_of(encode(samples.plan())) == digest(samples.plan())


def test_the_bytes_of_an_audit_row_are_what_they_were() -> None:
    at = datetime(2026, 11, 23, 14, 0, 0, 123456, tzinfo=UTC)
    row = event.AuditEvent(at, "fix.propose", "ok", account="uid:1000", person="kim", host="web-02", detail={"b": "2", "a": "é"})
    leaf = event.encode(row, 7, b"\1\2")
    bare = re.sub(rb'"seal":"[0-9a-f]{64}",', b"", leaf).replace(b"triagebook/audit/v2", b"triagebook/audit/v1")
    assert hash_of(bare) == "881193219c92e7448d1722d8dcfdbb977926bc53408f68bd87b7805c78cd1e3f"
    assert event.decode(leaf) == (row, 7, b"\1\2")


def test_the_published_json_of_a_diagnosis_is_what_it_was() -> None:
    content = json.dumps(to_plain(samples.diagnosis())).encode()
    assert hash_of(content) == "95199e4caea93785581604fcec0196320398157fa30302d857c4d721adee573f"


def test_the_bytes_of_a_runbook_hold_neither_its_digest_nor_its_file() -> None:
    """`runbooks.lock` holds digests of such bytes."""
    symptom = model.Symptom("Cannot fork", "no_pid")
    headlines = model.Headlines("a", "b", "c", "d", "e", "f")
    book = model.Runbook(
        "forks", "1.0.0", "Fork é", "active", (symptom,), {}, {}, (), {}, headlines, (), (), (), digest="x", source="y"
    )
    assert runbook_json(book).decode() == (
        '{"advice":[],"checks":[],"headlines":{"healthy":"d","inconclusive":"e","limit":"a","other":"c","shortage":"b",'
        '"unreachable":"f"},"id":"forks","inputs":{},"logins":[],"probes":{},"references":[],"remediations":{},'
        '"status":"active","symptoms":[{"error_class":"no_pid","match":"Cannot fork"}],"title":"Fork é","version":"1.0.0"}'
    )
