"""A log line holds no secret and nothing that a host could use: no control character, no line end, no second value."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools import log, log_output
from triagebook.tools.log import DEBUG, LogLine, log_event

CANARY = "CaNaRy7f3Kq9"
EVENT = "ssh.banner.complete"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The log is as it was after each test."""
    loggers = (logging.getLogger(), logging.getLogger(log.ROOT))
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def lines_of_server(**context: object) -> str:
    stream = io.StringIO()
    log_output.show_of_server(stream, 2, "text")
    log_event(EVENT, **context)
    return stream.getvalue()


def test_a_value_is_one_word_or_in_quotes() -> None:
    context = {"a": "web-01", "b": "two words", "c": 'say "no" x=1', "d": 3, "e": 2.25, "f": True, "g": None, "h": "", "i": b"raw"}
    assert str(LogLine(EVENT, context)) == rf'{EVENT} a=web-01 b="two words" c="say \"no\" x=1" d=3 e=2.2 f=yes i=raw'


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\nssh.auth.complete host=web-02", '"a ssh.auth.complete host=web-02"'),
        ("\x1b[2J\x1b]0;x\x07", "\\x1b[2J\\x1b]0"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("C:\\dir \\x1b", '"C:\\\\dir \\\\x1b"'),
        ("x" * 5000, "x" * 299 + "…"),
        ("ok\r\n<3>forged", '"ok <3>forged"'),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_text_of_a_host_is_one_harmless_value(raw: str, shown: str) -> None:
    said = lines_of_server(server=raw, host="web-01")
    assert said.count("\n") == 1
    assert shown.strip('"') in said
    assert re.fullmatch(r'\S+ detail ssh\.banner\.complete server=("(?:[^"\\]|\\.)*"|\S+) host=web-01\n', said)


@given(st.text())
def test_no_text_makes_a_second_value_or_leaves_its_line(raw: str) -> None:
    said = str(LogLine(EVENT, {"says": raw}))
    assert said.isprintable()
    assert re.fullmatch(r'ssh\.banner\.complete( says=("(?:[^"\\]|\\.)*"|[^\s"=]+))?', said)


SECRETS = [
    f"/usr/bin/app --password={CANARY} --port=80",
    f"postgres://app:{CANARY}@db.example/x",
    f"xoxb-1234-{CANARY}",
    f"Authorization: Bearer {CANARY}.abc",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3B{CANARY}\nAAAA{CANARY}\n-----END OPENSSH PRIVATE KEY-----",
    f"{'x ' * 140}password={CANARY}",  # where the value is cut
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_in_a_line_of_the_server(secret: str, form: str) -> None:
    stream = io.StringIO()
    log_output.show_of_server(stream, 2, form)
    log_event(EVENT, says=secret, error=ValueError(secret), token=CANARY)
    logging.getLogger("uvicorn.error").warning("refused %s", secret)
    assert stream.getvalue().count("\n") >= 2
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_in_a_line_for_a_person(secret: str) -> None:
    stream = io.StringIO()
    log_output.show_to_person(stream, 2)
    log_event(EVENT, host=secret, says=secret, error=ValueError(secret))
    assert stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_a_traceback_is_shown_with_vv_only_and_is_harmless() -> None:
    found = {}
    for verbosity in (0, 1, 2):
        stream = io.StringIO()
        log_output.show_of_server(stream, verbosity, "text")
        try:
            raise ValueError(f"\x1b[2Jhost said password={CANARY}")
        except ValueError as error:
            log_event("fleet.defect", host="web-01", error=error)
        found[verbosity] = stream.getvalue()
    assert found[0].count("\n") == found[1].count("\n") == 1
    assert "Traceback (most recent call last)" in found[2]
    assert "\x1b" not in found[2]
    assert CANARY not in found[2]


def test_an_expected_failure_has_no_traceback() -> None:
    stream = io.StringIO()
    log_output.show_of_server(stream, 2, "text")
    log_event("fleet.defect", error=RefusedError("no", reason="no_rule"))
    assert stream.getvalue().endswith("fleet.defect error=no\n")


def test_json_lines_hold_the_same_values() -> None:
    stream = io.StringIO()
    log_output.show_of_server(stream, 2, "json")
    log_event(EVENT, host="web-01", server="two words", ms=3.14)
    made = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made.pop("at"))
    assert made == {"level": "detail", "event": EVENT, "host": "web-01", "server": "two words", "ms": "3.1"}


def test_a_person_reads_words(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log_output.show_to_person(stream, 1)
    log_event("ssh.banner.started", host="web-01")  # -vv only
    log_event(EVENT, host="web-01", server="SSH-2.0-x", ms=61.44)
    assert re.fullmatch(
        r" *\d+\.\d{3} s  web-01: The host sent its SSH banner \(server=SSH-2\.0-x, 61\.4 ms\)\n", stream.getvalue()
    )


def test_the_journal_gets_the_priority_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as end, open(writing, "w", encoding="utf-8") as stream:
        found = os.fstat(writing)
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        log_output.show_of_server(stream, 0, "text")
        log_event("fleet.defect", host="web-01")
        log_event("diagnosis.concluded", host="web-01")
        assert [end.readline(), end.readline()] == ["<3>fleet.defect host=web-01\n", "<6>diagnosis.concluded host=web-01\n"]
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")  # of the service, but led elsewhere
        log_output.show_of_server(stream, 0, "text")
        log_event("fleet.defect", host="web-01")
        assert re.fullmatch(r"\S+Z error fleet\.defect host=web-01\n", end.readline())


def test_a_stream_that_is_gone_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        log_output.show_of_server(stream, 0, "text")
        log_event("fleet.defect", host="web-01")
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_a_record_carries_its_event_and_values(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(DEBUG, log.ROOT)
    log_event(EVENT, host="web-01", ms=1.5)
    (record,) = caplog.records
    assert (record.name, record.event, record.context) == ("triagebook.ssh", EVENT, {"host": "web-01", "ms": 1.5})  # type: ignore[attr-defined]


def test_a_program_that_does_not_log_imports_no_logging() -> None:
    code = "import sys; from triagebook.tools.log import log_event; log_event('fleet.defect', host='x'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "triagebook.tools.log" in modules
    assert not {"logging", "triagebook.tools.redact"} & set(modules)
