"""The one JSON of fixes, locks and audit rows has exactly the members of the services' views, in their order."""

from dataclasses import fields
from typing import get_type_hints

import pytest
from triagebook.tools.faces import views_json
from triagebook.tools.fixes.audit_log import AuditProof
from triagebook.tools.fixes.views import AuditRow, FixSummary, FixView, LockView, VoteView

SHAPES = [
    (FixView, views_json.FixJson),
    (VoteView, views_json.VoteJson),
    (FixSummary, views_json.FixSummaryJson),
    (LockView, views_json.LockJson),
    (AuditRow, views_json.AuditRowJson),
    (AuditProof, views_json.AuditProofJson),
]


@pytest.mark.parametrize(("view", "shape"), SHAPES, ids=lambda given: given.__name__)
def test_the_json_has_the_members_of_the_view(view: type, shape: type) -> None:
    assert list(get_type_hints(shape)) == [entry.name for entry in fields(view)]


def test_an_audit_row_is_answered_with_its_proof() -> None:
    row = AuditRow(7, "2027-01-02T03:04:05Z", "approve", "ok", *[""] * 10, severity="info", detail={"rule": "sre"})
    proof = AuditProof(7, "leaf", ("aa", "bb"), "note", "key")
    found = views_json.audit_entry(row, proof)
    assert (found["row"]["index"], found["row"]["detail"]) == (7, {"rule": "sre"})
    assert (found["proof"]["inclusion"], found["proof"]["consistency"]) == (["aa", "bb"], [])
    assert views_json.audit_rows([row]) == [found["row"]]
    lock = views_json.lock(LockView("web-01", "F-00000001", "running", "ann", "2027-01-02T03:04:05Z"))
    assert views_json.locks([LockView(**lock)]) == [lock]
