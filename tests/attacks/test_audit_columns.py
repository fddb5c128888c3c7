"""Names that look like secrets, are too long or are no text reach the audit log: it holds, and the server starts again."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, text
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.tools.audit.event import AuditEvent, decode
from triagebook.tools.fixes.view import record_diagnosis, record_refusal
from triagebook.tools.store import audit_rows, refusal_rows
from triagebook.tools.store.schema import audit, refusals
from triagebook.tools.store.triggers import suspend_append_only

from tests.system.fixes import policies, samples
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import World

SECRET = "AKIA" + "ABCDEFGHIJKLMNOP"
NAMES = [SECRET, "sk-bratislava-frontend-web-01", "h" * 300, "h" * 2500, "token=x", "nul\0nul", "lone\ud800", "ünïcødé" * 60, ""]


def _start_again(world: World) -> None:
    """A start verifies the log; TrustError where it does not hold."""
    report = world.trust.checkpointer.start()
    assert (report.problems, report.warnings) == ((), ())


def _propose(world: World, name: str) -> None:
    world.propose(host=name)


def _break_lock(world: World, name: str) -> None:
    world.service.break_lock(policies.actor("dan"), name, "it is mine")


def _diagnose(world: World, name: str) -> None:
    record_diagnosis(world.trust, policies.actor("ann"), samples.diagnosis(name))


def _refuse(world: World, name: str) -> None:
    record_refusal(world.trust, policies.actor("ann"), "press", "unknown_button", name, name)


@pytest.mark.parametrize("do", [_propose, _break_lock, _diagnose, _refuse])
def test_no_name_that_a_person_gives_stops_the_next_start(attacked: World, do: Callable[[World, str], None]) -> None:
    for name in NAMES:
        try:
            do(attacked, name)
        except TriagebookError as error:
            assert error.reason != "database", name[:20]  # noqa: PT017 - others are right to refuse it
    _start_again(attacked)


@pytest.mark.parametrize("member", ["action", "host", "fix", "person", "account", "reason"])
def test_no_member_of_an_event_stops_the_next_start_or_is_stored_raw(attacked: World, member: str) -> None:
    for name in NAMES:
        event = AuditEvent(at=NOW, action="propose", outcome="refused", **{member: name} if member != "action" else {})
        event = AuditEvent(**{**vars(event), member: name})
        with attacked.store.write() as transaction:
            audit_rows.append(transaction, event)
            refusal_rows.record(transaction, event)
    _start_again(attacked)
    with attacked.store.read() as transaction:
        stored = [*transaction.connection.execute(select(audit)), *transaction.connection.execute(select(refusals))]
        assert SECRET not in str(stored)
    found = next(event for event in reversed(attacked.events()) if getattr(event, member) == "***")
    if member in ("host", "person"):
        with attacked.store.read() as transaction:
            rows = audit_rows.newest_rows(transaction, 9, **{member: SECRET})
        assert decode(rows[0].leaf)[0] == found


def _spoil(world: World, *assignments: str) -> None:
    """What an earlier release wrote, or whoever can write the database: columns that say something else."""
    with world.store.write() as transaction, suspend_append_only(transaction.connection):
        for assignment in assignments:
            transaction.connection.execute(text(f"UPDATE audit SET {assignment}"))


def test_columns_that_differ_are_a_warning_until_they_are_repaired(attacked: World) -> None:
    attacked.approved()
    _spoil(attacked, f"host = '{SECRET}' WHERE idx = 0", "person = 'eve', fix = 'F-x', at = 1, action = 'nothing' WHERE idx = 1")
    report = attacked.trust.checkpointer.start()
    assert report.holds
    assert [warning.row for warning in report.warnings] == [0, 1]
    shown = attacked.service.audit_verify(policies.actor("dan"))
    assert (shown.holds, len(shown.warnings)) == (True, 2)
    for nobody in ("bob", "slack:U0BOB", "mcp:ann"):
        with pytest.raises(RefusedError):
            attacked.service.audit_repair(policies.actor(nobody))
    assert attacked.service.audit_repair(policies.actor("dan")) == (0, 1)
    newest = attacked.last()
    assert (newest.action, newest.severity, newest.person) == ("audit_repair", "alert", "dan")
    assert newest.detail["rows"] == "0 1"
    _start_again(attacked)
    assert attacked.service.audit_repair(policies.actor("dan")) == ()


def test_a_repair_leaves_the_table_append_only(attacked: World) -> None:
    attacked.propose()
    _spoil(attacked, "host = 'x' WHERE idx = 0")
    attacked.service.audit_repair(policies.actor("dan"))
    with pytest.raises(TriagebookError), attacked.store.write() as transaction:
        transaction.connection.execute(text("UPDATE audit SET host = 'y'"))


def test_long_columns_of_an_earlier_release_are_copies_still(attacked: World) -> None:
    with attacked.store.write() as transaction:
        audit_rows.append(transaction, AuditEvent(at=NOW, action="x", outcome="ok", host="h" * 300))
    if attacked.store.dialect == "sqlite":  # the only database that took so long a name
        _spoil(attacked, f"host = '{'h' * 300}'")
    _start_again(attacked)


@pytest.mark.parametrize("name", ["sk-bratislava-frontend-web-01", "glpat-runner-pool-eu-west-1a", "task-token-service-01"])
def test_a_host_that_is_named_like_a_key_keeps_its_name_in_the_log(attacked: World, name: str) -> None:
    _diagnose(attacked, name)
    assert attacked.last().host == name
