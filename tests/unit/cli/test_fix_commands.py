"""The commands, without a server."""

import io
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from triagebook.bot.cli import audit, fix, server_call
from triagebook.bot.cli.app import app, mount
from triagebook.bot.cli.progress import Progress
from triagebook.bot.render.plan import render_fix, render_fixes
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.faces.fix_meanings import MEANINGS
from triagebook.tools.store.fix_states import STATES
from triagebook.tools.store.leases import hold_lease
from typer.testing import CliRunner

from tests.command import Triagebook
from tests.hang import GUARD_S
from tests.system.fixes import policies, samples
from tests.unit.audit.test_proof import proof

mount(["fix", "lock", "audit", "policy", "serve"])
RUN = CliRunner()
NOW, EXPIRES = (datetime(2026, 11, 23, 14, minute, tzinfo=UTC) for minute in (1, 15))


def shown(**plan: Any) -> dict[str, Any]:
    found = {
        "id": "F-1",
        "state": "proposed",
        "digest": "d" * 64,
        "plan": to_plain(samples.plan(**plan)),
        "votes": [{"person": "bob", "account": "os:bob", "decision": "approve", "at": "2026-11-23T14:01:00Z", "break_glass": ""}],
        "approvals": "1 of 2 (group:sre)",
        "created_at": "2026-11-23T14:00:00Z",
        "updated_at": "2026-11-23T14:00:00Z",
        "expires_at": "2026-11-23T14:15:00Z",
        "outcome": "",
        "problem": "",
    }
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_a_plan_is_shown_as_one_wants_it_before_saying_yes() -> None:
    assert (
        render_fix(shown(), NOW)
        == f"""\
F-1  PROPOSED
  means       Nothing was changed.
  next        Another person reads the plan and decides.
    triagebook fix approve F-1
  host        web-01  (key SHA256:key-1, machine machine-1)
  because     worker.service is at its task limit: 100 of 100.
  fix         Raise the task limit of the unit
  change      TasksMax of worker.service: 100 -> 200
  command     systemctl set-property --runtime worker.service TasksMax=200
  risk        low
  disruption  none
  undo        systemctl set-property --runtime worker.service TasksMax=100
  rests on    pids[worker].current = 100
  rests on    pids[worker].refused = unreadable: permission denied
  runbook     forks@1.0.0  (abababababababababababab)
  asked by    ann  (os:ann, 2026-11-23T14:00:00Z)
  reason      (unverified) pages since 13:50
  approvals   1 of 2 (group:sre)
  approve     bob  (os:bob, 2026-11-23T14:01:00Z)
  expires     {EXPIRES.astimezone():%Y-%m-%d %H:%M:%S %Z} (in 14 min)
  digest      {"d" * 64}
"""
    )


def test_how_a_fix_ended_and_what_to_do_next_stand_before_its_plan() -> None:
    lines = render_fix({**shown(), "state": "unresolved", "outcome": "it still holds: 64 of 64 tasks"}).splitlines()
    assert lines[:4] == [
        "F-1  UNRESOLVED",
        "  outcome     it still holds: 64 of 64 tasks",
        "  means       The change is in place, but the cause could not be shown to be gone.",
        "  next        Diagnose the host: if the limit is full again, find out what fills it before raising it; or put it back:",
    ]
    assert lines[4:6] == ["    triagebook diagnose web-01", "    triagebook fix revert F-1"]


def test_an_undo_that_was_carried_out_is_not_offered_to_be_made_permanent() -> None:
    undone = shown()
    undone["plan"]["action"] = "undo"
    text = render_fix({**undone, "state": "validated", "outcome": "put back"})
    assert ("previous value is in place" in text, "fix persist" in text) == (True, False)


def test_every_state_says_what_it_means() -> None:
    assert set(MEANINGS) == set(STATES)


@pytest.mark.parametrize(
    ("state", "status"),
    [("validated", 0), ("unresolved", 6), ("reverted", 4), ("failed", 4), ("unknown", 3), ("running", 3)],
)
def test_the_exit_status_of_apply_says_how_it_ended(monkeypatch: pytest.MonkeyPatch, state: str, status: int) -> None:
    monkeypatch.setattr(server_call, "ask", lambda _path, _request: {**shown(), "state": state})
    assert RUN.invoke(app, ["fix", "apply", "F-1"]).exit_code == status


def test_a_command_that_takes_long_says_on_standard_error_what_it_waits_for() -> None:
    stream, told = io.StringIO(), threading.Event()

    class Heard(io.StringIO):
        def flush(self) -> None:
            if self.getvalue().count("...") == 2:
                told.set()

    heard = Heard()
    with Progress("Diagnosing web-01", heard, after_s=0.001, every_s=0.001):
        assert told.wait(GUARD_S)
    first, second = heard.getvalue().splitlines()[:2]
    assert (first, second) == ("Diagnosing web-01 ...", "Diagnosing web-01, 0 s so far ...")
    with Progress("Diagnosing web-01", stream) as quick:
        quick.step("Checking the helper")
    assert stream.getvalue() == ""


def test_what_cannot_be_taken_back_says_so() -> None:
    assert "undo        NONE: this cannot be undone" in render_fix(shown(undo="none", undo_commands=()))


def test_planted_text_cannot_draw_a_line_of_its_own() -> None:
    text = render_fix(shown(summary="x\n  risk        low\x1b[2J\u202e", reason="\n  approvals   2 of 2"))
    assert "because     x risk low\\x1b[2J\\u202e" in text
    assert sum(line.startswith("  approvals") for line in text.splitlines()) == 1


@pytest.mark.parametrize("room", [*range(60, 80), 100])
def test_planted_text_never_stands_where_a_label_does_on_a_terminal(room: int) -> None:
    """A terminal that breaks a long line begins the rest of it in its first column; we begin it below the text."""
    found = shown(reason="so much to say " * 5 + "risk low approvals 2 of 2 " * 4, summary="all is " + "risk low " * 20)
    labels = [line[:14].strip() for line in render_fix(found, NOW).splitlines()[4:]]
    lines = render_fix(found, NOW, room).splitlines()
    assert [line[:14].strip() for line in lines[4:] if line[:14].strip()] == labels
    assert len(lines) > len(labels) + 4
    assert not [line for line in lines if len(line) > room and not re.match("  (digest|rests on|undo|command|runbook) ", line)]


def test_a_list_wider_than_the_terminal_is_a_block_for_each_and_a_table_in_a_pipe() -> None:
    summary = {**dict.fromkeys(("id", "host", "risk", "runbook", "requester", "state"), "x" * 20), "expires_at": "soon"}
    piped, narrow = render_fixes([summary, summary], NOW), render_fixes([summary, summary], NOW, 80)
    assert len(piped.splitlines()) == 3
    assert max(map(len, narrow.splitlines())) <= 80
    assert narrow.count("  state") == 2
    assert render_fixes([summary, summary], NOW, 200) == piped


def test_a_changed_plan_is_not_shown_as_if_it_could_be_approved() -> None:
    text = render_fix({**shown(), "plan": None, "problem": "F-1: the stored plan was changed"})
    assert text == "F-1  PROPOSED\n  DO NOT APPROVE: F-1: the stored plan was changed\n"


def test_an_expiry_is_told_from_now_only_while_a_plan_can_be_carried_out() -> None:
    summary = {**dict.fromkeys(("id", "host", "risk", "runbook", "requester"), "x"), "expires_at": "2026-11-23T14:15:00Z"}
    lines = [render_fixes([{**summary, "state": state}], NOW).splitlines()[1] for state in ("approved", "validated")]
    assert [line.endswith(" (in 14 min)") for line in lines] == [True, False]
    late = render_fix(shown(), EXPIRES + timedelta(hours=3))
    assert "(3 h ago)" in late
    assert "  expires     soon\n" in render_fix({**shown(), "expires_at": "soon"}, NOW)


def test_an_empty_list_says_so() -> None:
    assert render_fixes([]) == "No fixes.\n"


def test_approving_without_a_terminal_needs_the_digest_that_was_seen() -> None:
    with pytest.raises(UsageError, match="requires --digest"):
        RUN.invoke(app, ["fix", "approve", "F-1"], catch_exceptions=False)


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_the_plan_is_shown_and_exactly_that_one_is_approved(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    sent: list[dict[str, object]] = []

    def asked(request: dict[str, object], socket: object) -> dict[str, Any]:
        sent.append(request)
        return shown()

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(fix, "call_server", asked)
    monkeypatch.setattr(server_call, "call_server", asked)
    monkeypatch.setattr(fix.sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "confirm", lambda *_arguments, **_values: answer)
    try:
        fix.approve("F-1")
    except typer.Exit:
        assert not answer
    assert sent[0] == {"do": "show", "fix": "F-1"}
    assert sent[1:] == ([{"do": "approve", "fix": "F-1", "digest": "d" * 64, "break_glass": ""}] if answer else [])


def test_without_a_server_it_is_said_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is the approval server \(`triagebook serve`\) running"):
        RUN.invoke(app, ["fix", "list", "--socket", str(tmp_path / "none")], catch_exceptions=False)


def test_a_policy_file_is_checked_and_a_decision_explained_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policies.TEXT)
    assert "is valid: 4 persons, 7 rules, 4 approval terms" in RUN.invoke(app, ["policy", "check", "--file", str(file)]).output
    asked = ["policy", "check", "--file", str(file), "--host", "web-01", "--runbook", "forks", "--risk", "low"]
    yes = RUN.invoke(app, [*asked, "--account", "slack:T0TEAM/U0ANN", "--action", "propose"])
    assert (yes.exit_code, yes.output) == (
        0,
        f"slack:T0TEAM/U0ANN (ann): yes [allowed]: rule 'sre asks' ({file}:19) allows propose\n",
    )
    no = RUN.invoke(app, [*asked, "--account", "os:ann", "--action", "approve", "--requester", "ann"])
    assert (no.exit_code, "no [self_approval]: ann asked for it" in no.output) == (5, True)


@pytest.mark.parametrize("value", ["limit", "=5"])
def test_a_parameter_is_written_name_and_value(value: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        server_call.parse_assignments([value])


def test_a_number_is_sent_as_a_number() -> None:
    assert server_call.parse_parameters({"limit": "200", "low": "-1", "unit": "a.service", "odd": "²"}) == {
        "limit": 200,
        "low": -1,
        "unit": "a.service",
        "odd": "²",
    }


def test_a_lease_is_renewed_while_the_work_lasts_and_not_after() -> None:
    import threading
    from datetime import timedelta

    renewed = threading.Semaphore(0)

    def renew() -> bool:
        renewed.release()
        return True

    with hold_lease(renew, timedelta(milliseconds=3)):
        for _ in range(3):
            assert renewed.acquire(timeout=GUARD_S)
    while renewed.acquire(blocking=False):
        pass
    assert not renewed.acquire(timeout=0.05)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_audit_row_is_shown_only_with_a_proof_that_holds(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    answer = {"row": {"index": 4, "action": "approve", "detail": {}}, "proof": proof()}
    monkeypatch.setattr(audit, "call_server", lambda _request, _socket: answer)
    printed = RUN.invoke(app, ["audit", "show", "4", "--since", "3", *options], catch_exceptions=False).output
    if options:
        assert json.loads(printed) == answer
    else:
        assert "verified        the signed log of 7 rows has this row, and that log only grew since it had 3\n" in printed
    monkeypatch.setattr(audit, "call_server", lambda _request, _socket: {**answer, "proof": {**proof(), "leaf": "row 5"}})
    with pytest.raises(TrustError, match="the proof does not hold: row 4"):
        RUN.invoke(app, ["audit", "show", "4", "--since", "3", *options], catch_exceptions=False)


def test_another_file_is_no_export_of_the_audit_log(tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("audit", "verify", "--export", "/etc/passwd", "--key", "x")
    assert (run.status, run.out) == (2, "")
    assert "/etc/passwd: this is not an export of the audit log (line 1: " in run.err
    assert "triagebook audit export > passwd" in run.err
