"""Every request of the socket by every sort of actor: there is no side door."""

from collections.abc import Iterator

import pytest
import sqlalchemy
from sqlalchemy.pool import Pool
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.requests import REQUESTS, answers

from .policies import actor
from .world import World

ASKED = {
    "propose": {"host": "web-01", "remediation": "raise_tasks_max"},
    "show": {"fix": "FIX"},
    "list": {},
    "approve": {"fix": "FIX", "digest": "DIGEST"},
    "deny": {"fix": "FIX", "digest": "DIGEST"},
    "withdraw": {"fix": "FIX"},
    "apply": {"fix": "APPROVED"},
    "revert": {"fix": "APPLIED"},
    "persist": {"fix": "APPLIED"},
    "locks": {},
    "break_lock": {"host": "web-01", "why": "test"},
    "bind_host": {"host": "web-01", "why": "test"},
    "audit_list": {},
    "audit_show": {"index": 0},
    "audit_verify": {},
    "audit_export": {},
    "audit_repair": {"what": "columns"},
    "history": {"host": "web-01"},
    "alerts": {},
    "record": {"subject": "web-01"},
    "get_diagnosis": {"diagnosis": "20261130T000000-00000000"},
    "give_feedback": {"answer": "20261130T000000-00000000", "was": "right"},
    "feedback": {},
    "get_case": {"answer": "20261130T000000-00000000"},
    "policy_check": {"action": "propose", "host": "web-01"},
    "note_refusal": {"action": "diagnose", "reason": "unknown_argument", "says": "no argument approved"},
}
# per request: the outcome for ann (who asked), bob (sre), dan (reads everything), a service, an assistant of ann's, a stranger
TABLE = """
propose       ok               ok               no_rule           ok                    ok                  unmapped_account
show          ok               ok               ok                ok                    ok                  ok
list          ok               ok               ok                ok                    ok                  ok
approve       self_approval    ok               not_an_approver   service_cannot_approve mcp_cannot_approve unmapped_account
deny          self_approval    ok               not_an_approver   service_cannot_approve mcp_cannot_approve unmapped_account
withdraw      ok               not_the_requester not_the_requester ok                   ok                  not_the_requester
apply         ok               ok               no_rule           no_rule               ok                  unmapped_account
revert        ok               ok               no_rule           ok                    ok                  unmapped_account
persist       ok               ok               no_rule           ok                    ok                  unmapped_account
locks         ok               ok               ok                ok                    ok                  ok
break_lock    not_found        not_found        no_rule           no_rule               not_found           unmapped_account
bind_host     ok               ok               no_rule           mcp_cannot_approve    mcp_cannot_approve  unmapped_account
audit_list    ok               ok               ok                ok                    ok                  unmapped_account
audit_show    not_found        ok               ok                not_found             not_found           not_found
audit_verify  no_rule          no_rule          ok                no_rule               no_rule             unmapped_account
audit_export  no_rule          no_rule          ok                no_rule               no_rule             unmapped_account
audit_repair  no_rule          no_rule          ok                no_rule               no_rule             unmapped_account
history       ok               ok               ok                ok                    ok                  ok
alerts        ok               ok               ok                ok                    ok                  ok
record        no_rule          ok               ok                no_rule               no_rule             unmapped_account
get_diagnosis not_found        not_found        not_found         not_found             not_found           not_found
give_feedback not_found        not_found        not_found         not_found             not_found           not_found
feedback      ok               ok               ok                ok                    ok                  ok
get_case      not_found        not_found        not_found         not_found             not_found           not_found
policy_check  ok               ok               ok                ok                    ok                  ok
note_refusal  ok               ok               ok                ok                    ok                  ok
"""
ACTORS = ("ann", "bob", "dan", "mcp:robot", "mcp:ann", "mallory")
CELLS = [
    (row.split()[0], who, cell) for row in TABLE.strip().splitlines() for who, cell in zip(ACTORS, row.split()[1:], strict=True)
]


def test_the_table_has_every_request() -> None:
    assert {request for request, _who, _cell in CELLS} == set(REQUESTS) == set(ASKED)


@pytest.mark.parametrize(("request_name", "who", "expected"), CELLS)
def test_every_request_by_every_sort_of_actor(world: World, request_name: str, who: str, expected: str) -> None:
    fix_id = world.propose()
    places = {"FIX": fix_id, "DIGEST": world.digest(fix_id), "APPROVED": world.approved() if request_name == "apply" else ""}
    if request_name in {"revert", "persist"}:
        places["APPLIED"] = world.approved()
        world.apply(places["APPLIED"])
    asked = {name: places.get(str(value), value) for name, value in ASKED[request_name].items()}
    lines = list(answers(world.service, lambda _channel: actor(who), Members({"do": request_name, **asked})))
    assert (lines[-1].get("error") or {"reason": "ok"})["reason"] == expected  # type: ignore[index]


@pytest.mark.parametrize(("request_name", "outcome"), [("list", "ok"), ("locks", "ok"), ("no_such", "refused")])
def test_the_log_says_how_a_request_ended_before_the_caller_hears_it(
    world: World, caplog: pytest.LogCaptureFixture, request_name: str, outcome: str
) -> None:
    with caplog.at_level("INFO", logger="triagebook"):
        for line in answers(world.service, lambda _channel: actor("ann"), Members({"do": request_name})):
            if "item" not in line:
                assert [record.context["outcome"] for record in caplog.records if record.event == "server.request"] == [outcome]  # type: ignore[attr-defined]
                break
        else:
            pytest.fail("no answer")


def test_what_a_stranger_sees_is_only_what_he_may_diagnose(world: World) -> None:
    seen, unseen = world.propose(host="web-01"), world.propose(host="db-01")
    assert [fix.id for fix in world.service.list(actor("mallory"))] == [seen]
    with pytest.raises(TriagebookError) as refused:
        world.service.show(actor("mallory"), unseen)
    assert refused.value.reason == "not_found"


def test_audit_rows_are_shown_by_their_host(world: World) -> None:
    world.propose(host="web-01")
    world.propose(host="db-01")
    assert {row.host for row in world.service.audit_list(actor("bob"))} == {"web-01"}
    assert {row.host for row in world.service.audit_list(actor("dan"))} == {"web-01", "db-01"}
    assert world.service.audit_list(actor("cid")) == ()
    assert world.refused(world.service.audit_show, actor("bob"), 1) == "not_found"


def test_an_export_holds_no_transaction_while_its_reader_takes_his_time(world: World) -> None:
    """PostgreSQL ends a transaction that stands still for ten seconds."""
    in_use: set[int] = set()

    def checkout(_connection: object, record: object, _proxy: object) -> None:
        in_use.add(id(record))

    def checkin(_connection: object, record: object) -> None:
        in_use.discard(id(record))

    world.apply(world.approved())
    sqlalchemy.event.listen(Pool, "checkout", checkout)
    sqlalchemy.event.listen(Pool, "checkin", checkin)
    try:
        items: Iterator[dict[str, object]] = world.service.audit_export(actor("dan"))
        assert next(items)["index"] == 0
        assert in_use == set()
    finally:
        sqlalchemy.event.remove(Pool, "checkout", checkout)
        sqlalchemy.event.remove(Pool, "checkin", checkin)


def test_an_export_is_verified_elsewhere_and_an_edit_of_it_is_seen(world: World) -> None:
    import json

    from triagebook.tools.audit.export import verify_export

    world.apply(world.approved())
    items: Iterator[dict[str, object]] = world.service.audit_export(actor("dan"))
    lines = [json.dumps(item) for item in items]
    vkey = world.trust.checkpointer.vkey
    assert verify_export(lines, vkey)["holds"]
    assert verify_export(lines, vkey)["size"] == 5  # propose, approve, apply, result, audit_export
    edited = [line.replace("bob", "eve") for line in lines]
    assert verify_export(edited, vkey)["problems"][0] == {
        "kind": "edited",
        "row": 1,
        "says": "row 1 was edited: its content does not have its hash",
    }
    assert verify_export([*lines[:2], *lines[3:]], vkey)["problems"][0]["kind"] == "missing"
    assert verify_export([*lines[:4], lines[-1]], vkey)["problems"][0]["kind"] == "cut_tail"
    assert verify_export(lines[:-1], vkey)["problems"][0]["says"].startswith("there is no checkpoint")
    assert not verify_export(lines, "other+00000000+AQ==")["holds"]
