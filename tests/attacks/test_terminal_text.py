"""3,000 hostile strings through every face: what a host or a server says moves no cursor and hides nothing."""

import io
import json
import random
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import typer
from triagebook.bot.cli import app as command_line
from triagebook.bot.cli import host_setup
from triagebook.bot.cli.host_install import InstallResult, render_results
from triagebook.bot.render.style import Style
from triagebook.bot.render.terminal import SafeStream, clean, json_line, move
from triagebook.bot.render.text import render
from triagebook.bot.slack.cards import approval
from triagebook.bot.slack.cards.alert import alert_card
from triagebook.bot.slack.cards.diagnosis import verdict
from triagebook.bot.slack.cards.wording import Origin
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.routes import TextRoute
from triagebook.runbooks.engine.triage import RunbookDiagnosis, join
from triagebook.tools.execute.helper_link import HelperAnswer
from triagebook.tools.fixes.views import AlertView, FixView
from triagebook.tools.host_setup.needs import Requirement
from triagebook.tools.log_output import show_of_server
from triagebook.tools.mcp_server.untrusted import mark_untrusted
from triagebook.tools.server.listener import Listener
from triagebook.tools.server.protocol import Members

from tests.system.fixes import samples
from tests.unit.cli.test_fix_commands import shown

UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
PIECES = (
    *(
        "\x1b]0;title\x07",
        "\x1b[2J\x1b[1;1H",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b[8m",
        "\x1b[1A\x1b[K",
        "\x9b2J",
        "\x90q\x9c",
        "\r",
        "\x08\x08",
    ),
    *(
        "\x00",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\U000e0041",
        "\ud800",
        "\udfff",
        "\ufdd0",
        "\U0010ffff",
    ),
    *("ok      helper", "F-abcdefgh  APPROVED", "<!channel>", "é", "日本", "\n", "\t", " ", "{}", "%s", '"', "\\", "\x0e", "\x1bc"),
)
DICE = random.Random(17)  # noqa: S311 - the same strings each time
STRINGS = ["".join(DICE.choices(PIECES, k=DICE.randint(1, 6))) for _ in range(3000)]


def odd(text: str, allowed: str = "\n\t") -> list[str]:
    """The unsafe characters of a text, our own colours left out."""
    return [one for one in clean_of_colour(text) if one not in allowed and unicodedata.category(one) in UNSAFE]


def clean_of_colour(text: str) -> str:
    for code in ("0", "1", "2", "31", "32", "33", "34", "35", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    return text


def paint(value: Any, more: Iterator[str], keep: tuple[str, ...] = ()) -> Any:
    """The same with another hostile string for each text."""
    if isinstance(value, str):
        return next(more)
    if isinstance(value, Mapping):
        return {name: item if name in keep else paint(item, more) for name, item in value.items()}
    return [paint(item, more) for item in value] if isinstance(value, (list, tuple)) else value


def test_no_unsafe_string_passes_the_stream_and_a_safe_one_is_as_it_was() -> None:
    out = io.StringIO()
    stream = SafeStream(out)
    for text in STRINGS:
        stream.write(text)
        stream.writelines([text])
        assert clean(clean(text)) == clean(text)
    assert odd(out.getvalue()) == []
    assert clean("Grüße, 日本: 5 % \x1b[32mok\x1b[0m\n\tx") == "Grüße, 日本: 5 % \x1b[32mok\x1b[0m\n\tx"


def test_a_line_of_json_stays_json_on_a_terminal() -> None:
    for text in STRINGS:
        line = clean(json_line({"said": text, text: 1}))
        assert odd(line) == []
        assert json.loads(line)["said"] == json.loads(json.dumps(text))


def test_only_our_own_code_moves_the_cursor() -> None:
    out = io.StringIO()
    move(SafeStream(out), "\r\x1b[K")  # type: ignore[arg-type]
    assert out.getvalue() == "\r\x1b[K"


class Hostile:
    """Answers every request with hostile text, either as a refusal or as an answer of the right shape."""

    def __init__(self) -> None:
        self.more, self.refuses = cycle(STRINGS), False

    def __call__(self, _uid: int, members: Members) -> Iterator[Mapping[str, object]]:
        do = members.text("do")
        if self.refuses:
            yield {"ok": False, "error": {"reason": next(self.more), "message": next(self.more), "kind": "RefusedError"}}
            return
        fix = paint(shown(), self.more, keep=("plan",))
        fix["plan"] = paint(shown()["plan"], self.more)
        row = dict.fromkeys(("id", "state", "host", "risk", "runbook", "requester", "created_at", "expires_at"), "x")
        lock = dict.fromkeys(("host", "fix", "reason", "person", "taken_at"), "x")
        names = ("at", "action", "outcome", "reason", "account", "person", "service", "channel", "host", "fix", "runbook")
        audit = {**dict.fromkeys((*names, "runbook_digest", "plan_digest", "severity"), "x"), "detail": {"says": "x"}}
        answers: dict[str, Callable[[], object]] = {
            "list": lambda: [paint(row, self.more) for _ in range(100)],
            "locks": lambda: [paint(lock, self.more) for _ in range(100)],
            "break_lock": lambda: paint(lock, self.more),
            "bind_host": lambda: paint(dict.fromkeys(("host", "host_key", "machine_id", "target_id"), "x"), self.more),
            "history": lambda: [paint(dict.fromkeys(ENTRY, "x"), self.more) for _ in range(100)],
            "alerts": lambda: [{**paint(dict.fromkeys(ALERT, "x"), self.more), "repeats": 7} for _ in range(100)],
            "diagnose": lambda: to_plain(self._diagnosis()),
            "audit_list": lambda: [{**paint(audit, self.more), "index": 1} for _ in range(50)],
            "policy_check": lambda: {
                **paint(dict.fromkeys(("reason", "says", "account", "person", "service"), "x"), self.more),
                "is_allowed": True,
            },
        }
        if do == "audit_export":
            yield {"ok": True, "item": {**paint(audit, self.more), "index": 1}}
            yield {"ok": True, "end": 1}
            return
        yield {"ok": True, "answer": answers.get(do, lambda: fix)()}

    def _diagnosis(self) -> Diagnosis:
        found = samples.diagnosis()
        cause = replace(found.verdict, summary=next(self.more), since=next(self.more))  # type: ignore[type-var]
        host = replace(found.host, name=next(self.more), kernel=next(self.more))
        return replace(found, headline=next(self.more), verdict=cause, next=(next(self.more),), host=host)


ENTRY = ("at", "kind", "id", "status", "cause", "says", "by")
ALERT = ("id", "source", "name", "state", "host", "status", "cause", "headline", "says", "first_at", "last_at", "severity")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Hostile]]:
    hostile = Hostile()
    made = Listener(tmp_path_factory.mktemp("s") / "s", 0o600, hostile, is_person=lambda _uid: True)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made._path, hostile
    made.stop()
    thread.join(30)
    made.close(0)


COMMANDS = [
    ("fix", "list"),
    ("fix", "show", "F-1"),
    ("fix", "propose", "web01", "raise_tasks_max"),
    ("fix", "withdraw", "F-1"),
    ("fix", "apply", "F-1"),
    ("fix", "revert", "F-1"),
    ("fix", "persist", "F-1"),
    ("fix", "deny", "F-1", "--digest", "d", "--why", "x"),
    ("fix", "approve", "F-1", "--digest", "d"),
    ("lock", "list"),
    ("lock", "break", "web01", "--why", "x"),
    ("host", "bind", "web01", "--why", "x"),
    ("audit", "list"),
    ("audit", "show", "1"),
    ("audit", "export"),
    ("audit", "verify"),
    ("policy", "check", "--action", "propose", "--host", "web01"),
    ("history", "web01"),
    ("alerts",),
    ("diagnose", "web01", "--server"),
    ("diagnose", "web01", "web02", "--server"),
]


@pytest.mark.parametrize("refuses", [False, True], ids=["answers", "refuses"])
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_paints_what_a_server_says(
    server: tuple[Path, Hostile], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], as_json: bool, refuses: bool
) -> None:
    socket, hostile = server
    hostile.refuses = refuses
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(command_line, "app", typer.Typer())
    monkeypatch.setenv("TRIAGEBOOK_SOCKET", str(socket))
    monkeypatch.setattr(sys, "argv", ["triagebook", *words, *(["--json"] if as_json else [])])
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    command_line._run(None)
    assert odd(out.getvalue() + err.getvalue()) == []
    assert out.getvalue() or err.getvalue()


def test_no_error_of_a_command_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", err)
    for text in STRINGS[:8]:
        monkeypatch.setattr(command_line, "app", typer.Typer())
        monkeypatch.setattr(sys, "argv", ["triagebook", "lock", f"x{text}"])
        monkeypatch.setattr(sys, "stderr", err)
        command_line._run(None)
    assert odd(err.getvalue()) == []


def test_a_check_of_a_host_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", SafeStream(out))
    host_setup._show([Requirement(text, False, text) for text in STRINGS])
    assert odd(out.getvalue()) == []


def test_a_table_of_prepared_hosts_paints_nothing() -> None:
    more = cycle(STRINGS)
    results = [InstallResult(next(more), failure=next(more)) for _ in range(500)]
    results += [InstallResult(next(more), next(more), (Requirement(next(more), False, next(more)),)) for _ in range(500)]
    results += [InstallResult(next(more), next(more), bound=next(more)) for _ in range(500)]
    assert odd(render_results(results, "left")) == []


@pytest.mark.parametrize("problem", ["", "no_host", "failed"])
@pytest.mark.parametrize("status", ["", "failed", "cause_found"])
def test_no_alert_paints_in_slack(problem: str, status: str) -> None:
    more = cycle(STRINGS)
    for number in range(60):
        names = (next(more), next(more), next(more), next(more) if number % 2 else "")
        view = AlertView(*names, "firing", next(more), *("2026-11-23T14:00:00Z",) * 2, 3, status, next(more), next(more), problem)
        shown = alert_card(view, None, {})
        told = json.dumps([shown.blocks, shown.text], ensure_ascii=False)
        assert odd(told) == []
        assert "<!channel>" not in json.dumps([block for block in shown.blocks if block["type"] != "header"])


def test_no_answer_of_several_runbooks_paints() -> None:
    more = cycle(STRINGS)
    for _ in range(30):
        found = samples.diagnosis()
        host = replace(found.host, name=next(more), kernel=next(more))
        told = [replace(found, headline=next(more), next=(next(more),), host=host) for _ in range(3)]
        triage = join("T-1", next(more), [RunbookDiagnosis(item, "installed", TextRoute(says=next(more))) for item in told], 1)
        assert odd(clean(render(triage, Style(colour=False, explain=True, width=100)))) == []
        assert odd(clean(json_line(to_plain(triage)))) == []
        assert odd(json.dumps(verdict(triage, Origin("U1", "2026-11-23T14:00:00Z"), {}).blocks, ensure_ascii=False)) == []


def test_the_helpers_words_are_safe_where_they_are_kept() -> None:
    for text in STRINGS:
        answer = HelperAnswer(*(text for _ in range(13)))
        assert odd(answer.says(), "") == []


def test_no_diagnosis_card_answer_or_log_line_paints(capsys: pytest.CaptureFixture[str]) -> None:
    more, log = cycle(STRINGS), io.StringIO()
    for _ in range(60):
        found = samples.diagnosis()
        cause = replace(found.verdict, summary=next(more), since=next(more))  # type: ignore[type-var]
        told = replace(
            found, headline=next(more), verdict=cause, next=(next(more), next(more)), host=replace(found.host, kernel=next(more))
        )
        assert odd(clean(render(told, Style(colour=False, explain=True, width=100)))) == []
        plan = samples.plan(
            title=next(more), summary=next(more), culprit=f"/{next(more)}", commands=(next(more),), disruption=next(more)
        )
        view = FixView("F-1", "proposed", "d" * 64, plan, (), next(more), *("2026-11-23T14:00:00Z",) * 3, outcome=next(more))
        for block in (*approval.approval(view, {}).blocks, *approval.details(view, {})):
            assert odd(json.dumps(block, ensure_ascii=False)) == []
        assert odd(json.dumps(to_plain(mark_untrusted([("said", next(more))])), ensure_ascii=False)) == []
    with show_of_server_to(log) as write:
        for text in STRINGS[:300]:
            write(text)
    assert odd(log.getvalue()) == []
    assert capsys.readouterr().out == ""


class show_of_server_to:  # noqa: N801 - used as a function
    """Send the server's log to a stream for as long as the block lasts."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    def __enter__(self) -> Callable[[str], None]:
        from triagebook.tools.log import log_event

        show_of_server(self.stream, 2, "text")
        return lambda text: log_event("server.request", action=text, says=text, host=text)

    def __exit__(self, *_why: object) -> None:
        import logging

        logging.getLogger("triagebook").handlers.clear()
