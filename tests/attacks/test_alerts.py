"""Alerts of a stranger, and hostile alerts of a sender that has the secret; receivers of events that never finish their answer."""

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools.alerts.alert import Alert, AlertBatch, clean
from triagebook.tools.alerts.credentials import Bearer, Signature
from triagebook.tools.alerts.intake import MOST_BODY, Intake
from triagebook.tools.alerts.routing import find_route
from triagebook.tools.alerts.rules import AlertRule, AlertRules, AlertSource
from triagebook.tools.alerts.sender import kinds, parse_body
from triagebook.tools.server.web import listen
from triagebook.tools.sinks import webhook
from triagebook.tools.sinks.alertmanager import Alertmanager
from triagebook.tools.sinks.webhook import WebhookSink, check_url

from tests.attacks.budget import Attack, mutated
from tests.attacks.test_names import OTHER_NAMES
from tests.attacks.test_terminal_text import STRINGS, odd
from tests.hang import GUARD_S
from tests.system.alerts.intake_world import SECRET, IntakeWorld, alert, intake_world
from tests.system.fixes.samples import NAMES, NOW

MAPPED = {
    "fingerprint": "id",
    "starts_at": "at",
    "state": "state",
    "resolved": ["OK"],
    "labels": {"host": "host", "severity": "severity"},
    "annotations": {"summary": "text.0"},
}
BODIES: dict[str, dict[str, Any]] = {
    "alertmanager": {"version": "4", "truncatedAlerts": 0, "notification_reason": "x", "alerts": [alert(), alert("f2")]},
    "grafana": {"version": "1", "alerts": [alert()]},
    "pagerduty": {
        "event": {
            "event_type": "incident.triggered",
            "occurred_at": "2026-11-30T03:14:00Z",
            "data": {"type": "incident", "id": "P1", "created_at": "2026-11-30T03:14:00Z", "title": "web-01", "number": 7},
        }
    },
    "mapped": {"id": 7, "at": "1796000000", "state": "PROBLEM", "host": "web-01", "severity": "high", "text": ["fork fails"]},
}
OPTIONS: dict[str, dict[str, object]] = {"mapped": MAPPED}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeWorld]:
    folder = tmp_path_factory.mktemp("alerts")
    with intake_world(f"sqlite:///{folder / 'triagebook.db'}", folder) as world:
        yield world


@pytest.fixture(scope="module")
def port(made: IntakeWorld) -> Iterator[int]:
    with listen("127.0.0.1:0", made.intake, "alerts") as found:
        yield found


def post(port: int, body: bytes, path: str = "/alerts/prometheus", method: str = "POST", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


PROVEN = f"Bearer {SECRET}"
STRANGERS = [
    {},
    *({"Authorization": value} for value in ("", "Bearer", "Bearer ", f"Basic {SECRET}", SECRET, f"Bearer {SECRET[:-1]}")),
    *({"Authorization": value} for value in (f"Bearer {SECRET}x", f"Bearer {SECRET.upper()}", f"Bearer  {SECRET} {SECRET}")),
    *({"Authorization": value} for value in ("Bearer \xe9", "Basic Og==", "Basic ====", "Bearer " + "a" * 4000)),
    {"X_PagerDuty_Signature": "v1=" + "0" * 64},
]


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
def test_a_stranger_learns_nothing_and_nothing_is_stored(made: IntakeWorld, port: int, headers: dict[str, str]) -> None:
    body, before = json.dumps(BODIES["alertmanager"]).encode(), made.episodes()  # of other tests
    told = {post(port, body, path, **headers) for path in ("/alerts/prometheus", "/alerts/none", "/alerts/", "/alerts/../alerts/x")}
    assert told == {(401, b'{"error": "the secret is missing or wrong"}')}
    made.settle()
    assert made.episodes() == before


def test_every_other_request_is_refused_too(port: int) -> None:
    for method, path, status in (
        *(("GET", "/alerts/prometheus", 405), ("PUT", "/alerts/prometheus", 405), ("POST", "/", 404), ("POST", "/mcp", 404)),
        *(("POST", "/alerts", 404), ("POST", "//alerts/prometheus", 404), ("POST", "/slack/events", 404)),
    ):
        assert post(port, b"{}", path, method, Authorization=PROVEN)[0] == status, (method, path)


@pytest.mark.parametrize("proof", ["Bearer wrong", PROVEN], ids=["stranger", "sender"])
def test_a_body_that_is_too_large_is_refused_and_a_strangers_is_not_even_taken(port: int, proof: str) -> None:
    status, _ = post(port, b"x" * (MOST_BODY + 1), Authorization=proof)
    assert status == (413 if proof == PROVEN else 401)


def test_the_bodies_of_strangers_are_not_held_in_memory() -> None:
    """A megabyte of each of many strangers would be more than the server has."""

    async def never() -> dict[str, Any]:
        pytest.fail("the body of a stranger was read")

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    told: list[dict[str, Any]] = []
    for credential in (Bearer((SECRET.encode(),)), Signature((SECRET.encode(),))):
        source = AlertSource("one", kinds()["alertmanager"], credential)
        app = Intake(AlertRules({"one": source}, ()), None, lambda: NOW)  # type: ignore[arg-type]
        scope = {"type": "http", "method": "POST", "path": "/alerts/one", "headers": [(b"authorization", b"Bearer x")]}
        call = app(scope, never, send)  # type: ignore[arg-type]
        with pytest.raises(StopIteration):
            call.send(None)
    assert [message.get("status") for message in told] == [401, None, 401, None]


def test_a_flood_of_strangers_is_a_line_of_the_log_a_second(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "triagebook"):
        for _ in range(400):
            assert post(port, b"{}")[0] == 401
    assert (
        sum("alert.refused" in record.getMessage() for record in caplog.records) <= 200
    )  # twenty, and one for each of three minutes


@pytest.mark.parametrize("kind", BODIES)
def test_whatever_a_sender_posts_is_read_or_refused_and_what_is_kept_is_safe(attack: Attack, kind: str) -> None:
    sender, options = kinds()[kind], OPTIONS.get(kind, {})
    more = iter(STRINGS * 1000)
    for number in attack.rounds(150):
        with attack.round(number) as random:
            text = json.dumps(BODIES[kind])
            for word in random.sample(("web-01", "Tasks", "f1", "instance", "symptom", "P1", "PROBLEM", "fork"), 4):
                text = text.replace(word, json.dumps(next(more))[1:-1])
            content = text.encode("utf-8", "surrogatepass")
            said = ""
            try:
                batch = sender.read(parse_body(mutated(random, content, 2) if random.random() < 0.5 else content), "one", options)
            except UsageError as error:
                said = f"{error.reason}: {error}"
                batch = AlertBatch()
                attack.figure("refused")
            assert not said or said.startswith("alert_body: ")
            assert odd(said) == []
            for found in batch.alerts:
                assert odd(found.dump(), "") == []
                assert len(found.dump()) < 1_000_000
                assert found.key
                attack.figure("alerts read")


@pytest.mark.parametrize("said", [*OTHER_NAMES, "web-01 web-02", "web-99", "*", "web-*", "-oProxyCommand=x", "replay:enomem/1", ""])
@pytest.mark.parametrize("host_in", [False, True])
def test_a_label_never_leads_to_a_host_that_is_not_the_inventorys(said: str, host_in: bool) -> None:
    rule = AlertRule("all", "", "x", host_in="instance") if host_in else AlertRule("all", "", "x")
    labelled = clean(Alert("one", "f", "2026-11-30T03:14:00Z", is_resolved=False, labels={"instance": said}))
    route = find_route(labelled, AlertRules({}, (rule,)), NAMES.inventory)
    assert route.host in {"", "web-01"}
    assert route.host == "" or "web-01" in said
    assert odd(route.says, "") == []


def test_a_symptom_of_a_label_cannot_choose_what_is_asked(made: IntakeWorld) -> None:
    odd_one = alert("f-symptom", runbook="../../etc", ssh="root@evil")
    odd_one["annotations"] = {"symptom": "--runbook=x\x1b[2J $(reboot)"}
    assert made.deliver(odd_one) == 202
    made.settle()
    (question,) = made.asker.asked[-1:]
    assert question.target.text == "web-01"
    assert set(question.inputs) <= {"symptom"}
    assert odd(str(question.inputs)) == []


def test_a_delivery_that_comes_again_is_stored_once(made: IntakeWorld) -> None:
    body = json.dumps({"version": "4", "alerts": [alert("f-again"), alert("f-again")]}).encode()
    for _ in range(20):
        assert made.deliver(body=body) == 202
    made.settle()
    (kept,) = [episode for episode in made.episodes() if '"f-again"' in episode.alert]
    assert (kept.repeats, kept.asks) == (0, 1)


@contextmanager
def drip(first: bytes, drop: bytes) -> Iterator[int]:
    """A receiver that takes events, and answers for ever."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(first)
                    while True:
                        connection.sendall(drop)
                        connection.settimeout(0.05)
                        try:
                            if not connection.recv(65536):
                                return
                        except TimeoutError:
                            continue
                except OSError:
                    return

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(GUARD_S)


ENDLESS = {
    "status line": (b"", b"H", "TrustError"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", "taken"),  # it said that it has the event
    "refusal": (b"HTTP/1.1 500 No\r\n", b"x: y\r\n", "TrustError"),
    "interim answers": (b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n", "TrustError"),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_receiver_that_answers_for_ever_holds_up_nobody(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, drop, expected = ENDLESS[what]
    monkeypatch.setattr(webhook, "ANSWER_S", 2.0 if expected == "taken" else 0.5)  # its first line is to come in time
    ended: list[str] = []
    with drip(first, drop) as port:
        sink = WebhookSink("ops", f"http://127.0.0.1:{port}/secret-path", SECRET.encode())

        def send() -> None:
            try:
                sink.send("E-1", "{}", NOW)
                ended.append("taken")
            except TriagebookError as error:
                ended.append(f"{type(error).__name__}: {error}")

        sending = Thread(target=send, daemon=True)
        sending.start()
        sending.join(GUARD_S)
        assert not sending.is_alive(), "the thread of a dripping receiver is held"
    assert [one.partition(":")[0] for one in ended] == [expected]
    assert "secret-path" not in ended[0]


@pytest.mark.parametrize(
    "url",
    [
        *("https://user:hunter2@ops.example/hook", "https://ops.example:0/hunter2", "https://ops.example:99999/hunter2"),
        *(
            "https://ops.example:hunter2/x",
            "https://ops.example/\u00e9hunter2",
            "http://ops.example/hunter2",
            "https://[::1/hunter2",
        ),
        *("https://@/hunter2", "gopher://127.0.0.1/hunter2", "http://127.0.0.1.evil.example/hunter2"),
        *("http://localhost@evil.example/hunter2", "https:///hunter2", "http:///hunter2"),
    ],
)
def test_an_address_that_events_cannot_go_to_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_url(url)
    assert "hunter2" not in str(refused.value)


OURS = {"id": "1", "createdBy": "triagebook", "comment": "F-1/1 x", "startsAt": "2026-11-30T03:00:00Z"}
ACTIVE = {"status": {"state": "active"}}
ODD_SILENCES = [
    *("", "null", "[1]", "[[" * 20_000, "[{}]", '[{"createdBy": "triagebook"}]'),
    *(json.dumps([OURS | ACTIVE | {"endsAt": ends}]) for ends in ("2026-11-30T04:00:00", "never", 7, None, "2026-11-30", [])),
    json.dumps([OURS | {"status": "active"}]),
]


@pytest.mark.parametrize("said", ODD_SILENCES, ids=range(len(ODD_SILENCES)))
def test_an_alertmanager_that_lists_something_else_is_one_that_does_not_answer(said: str) -> None:
    """Whatever it says is a failure of this one, which the others do not wait for."""
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode()
    with drip(answer, b" ") as port, pytest.raises(TrustError, match=r"^main: no list of silences"):
        Alertmanager("main", f"http://127.0.0.1:{port}").silences()
