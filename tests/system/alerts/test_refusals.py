"""What is refused over HTTP has its reason in the log, and nothing of it is kept or run."""

import hashlib
import hmac
import http.client
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from triagebook.tools.server import http_guard
from triagebook.tools.server.web import listen

from tests.hang import GUARD_S
from tests.system.fixes.samples import NOW

from .intake_world import RULES, SECRET, IntakeWorld, alert, intake_world

OLD_SECRET = "fedcba9876543210"
SOURCES = RULES.replace("sources:\n", "sources:\n  pager: {type: pagerduty, secret_files: [token, old]}\n")
PAGER = "rules:\n  - {name: pages, when: \"source == 'pager'\", host_in: alertname, symptom: alertname}\n"
ALERTS = json.dumps({"version": "4", "alerts": [alert()]}).encode()
BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[IntakeWorld]:
    (tmp_path / "old").write_text(OLD_SECRET)
    (tmp_path / "old").chmod(0o600)
    rules = SOURCES.replace("rules:\n", PAGER, 1)
    with intake_world(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path, rules) as world:
        yield world


@pytest.fixture
def port(made: IntakeWorld) -> Iterator[int]:
    with listen("127.0.0.1:0", made.intake, "alerts") as found:
        yield found


def incident(id_: str = "P1", **age: float) -> bytes:
    """What PagerDuty posts of an incident, sent so long ago."""
    sent_at = (NOW - timedelta(**age)).isoformat()
    data = {"type": "incident", "id": id_, "created_at": sent_at, "title": "web-01: Cannot allocate memory", "urgency": "high"}
    return json.dumps({"event": {"event_type": "incident.triggered", "occurred_at": sent_at, "data": data}}).encode()


def signed(body: bytes, *secrets: str) -> dict[str, str]:
    words = [f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}" for secret in secrets]
    return {"X-PagerDuty-Signature": ",".join(words)}


def post(port: int, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
    try:
        connection.request("POST", f"/alerts/{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


REFUSED = {
    "no token": ("prometheus", {}, ALERTS, 401, "the secret is missing or wrong"),
    "a wrong token": ("prometheus", {"Authorization": f"Bearer {OLD_SECRET}"}, ALERTS, 401, "the secret is missing or wrong"),
    "the token of another source": ("pager", BEARER, incident(), 401, "the secret is missing or wrong"),
    "a forged signature": ("pager", signed(incident(), "0" * 16), incident(), 401, "the secret is missing or wrong"),
    "the signature of another body": ("pager", signed(incident("P2"), SECRET), incident(), 401, "the secret is missing or wrong"),
    "a signature without a word": ("pager", {"X-PagerDuty-Signature": "v1="}, incident(), 401, "the secret is missing or wrong"),
    "a late delivery": ("pager", signed(incident(hours=2), SECRET), incident(hours=2), 400, "later than 1:00:00"),
    "one of tomorrow": ("pager", signed(incident(days=-1), SECRET), incident(days=-1), 400, "ahead of this server's clock"),
    "two MiB": ("prometheus", BEARER, b" " * (2 << 20), 413, "a body has at most 1048576 bytes"),
    "two signed MiB": ("pager", signed(b" " * (2 << 20), SECRET), b" " * (2 << 20), 413, "a body has at most 1048576 bytes"),
    "no JSON": ("prometheus", BEARER, b"{", 400, "the body is no JSON"),
    "another form": ("prometheus", BEARER, b'{"version": "3", "alerts": []}', 400, "version: Input should be '4'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_delivery_that_is_refused_says_why_in_the_log_and_nothing_runs(
    made: IntakeWorld, port: int, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    path, headers, body, status, reason = REFUSED[what]
    caplog.set_level(logging.INFO, "triagebook")
    answered, content = post(port, path, headers, body)
    assert (answered, reason in content["error"]) == (status, True)
    (line,) = [record.getMessage() for record in caplog.records if "alert.refused" in record.getMessage()]
    assert f"source={path}" in line
    assert reason.replace('"', "") in line.replace("\\'", "'")
    assert SECRET not in caplog.text
    assert_nothing_ran(made)


def test_a_body_that_does_not_come_is_given_up_and_said(
    made: IntakeWorld, port: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "triagebook")
    monkeypatch.setattr(http_guard, "BODY_S", 0.2)
    head = f"POST /alerts/prometheus HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 100\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", port), GUARD_S) as drip:
        drip.sendall(head.encode())
        with suppress(ConnectionResetError):
            assert drip.recv(4096) == b""
    assert [line for line in caplog.messages if "http." in line] == ["http.too_slow address=127.0.0.1 part=body"]
    assert_nothing_ran(made)


HOSTILE = {
    "web-01\nweb-02": "unknown_host",
    "localhost": "unknown_host",
    "127.0.0.1:22": "unknown_host",
    "w" * 10_000: "unknown_host",
    "root@web-01": "unknown_host",
    "-oProxyCommand=reboot": "unknown_host",
    "replay:unit-tasksmax": "unknown_host",
    "": "no_host",
    "db-01": "refused",  # a host of the inventory, but none that alerts may see
}


@pytest.mark.parametrize("host", HOSTILE, ids=lambda host: repr(host)[:30])
def test_an_alert_that_names_a_host_it_may_not_is_kept_with_its_reason_and_nothing_runs(
    made: IntakeWorld, port: int, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    caplog.set_level(logging.INFO, "triagebook")
    name = f"H{list(HOSTILE).index(host)}"
    labelled = alert(name, name)
    labelled["labels"]["instance"] = host
    assert post(port, "prometheus", BEARER, json.dumps({"version": "4", "alerts": [labelled]}).encode())[0] == 202
    made.settle()
    (episode,) = [found for found in made.episodes() if found.name == name]
    assert episode.problem == HOSTILE[host]
    assert episode.says
    event = "alert.not_answered" if HOSTILE[host] == "refused" else "alert.noted"
    assert any(event in line and HOSTILE[host] in line and "\n" not in line for line in caplog.messages)
    assert made.asker.asked == []


def test_a_signature_by_the_old_secret_or_the_new_one_is_taken(made: IntakeWorld, port: int) -> None:
    for number, secret in enumerate((SECRET, OLD_SECRET), 1):
        body = incident(f"R{number}", minutes=50)
        assert post(port, "pager", signed(body, "0" * 16, secret), body) == (202, {"alerts": 1, "new": 1})
        made.settle()
    assert [question.target.text for question in made.asker.asked] == ["web-01", "web-01"]


def assert_nothing_ran(made: IntakeWorld) -> None:
    made.settle()
    assert (made.episodes(), made.asker.asked) == ([], [])
