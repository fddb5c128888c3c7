"""Other systems are told of an answer by a signed webhook: at least once, in order, and through a receiver that is away."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.sinks.webhook import check_url
from triagebook.tools.store import jobs

from tests.command import ROOT
from tests.system.fixes import samples
from tests.system.jobs.steps import until

from .intake_world import RULES, SECRET, IntakeWorld, alert, intake_world


@dataclass
class Receiver:
    """A real HTTP server that checks signatures, and takes notes as PagerDuty does. `status` is what it answers."""

    status: int = 204
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tries: int = 0
    port: int = 0

    notes: list[tuple[str, str, str, str]] = field(default_factory=list)

    def take(self, path: str, headers: Any, body: bytes) -> None:
        self.tries += 1
        if path.startswith("/incidents/"):  # as PagerDuty takes notes
            if self.status < 300:
                self.notes.append((path, headers["Authorization"], headers["From"], json.loads(body)["note"]["content"]))
            return
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        if headers["webhook-signature"] != wanted:
            self.wrong.append(headers["webhook-id"])
        elif self.status < 300:
            self.got.append(json.loads(body))


@contextmanager
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.take(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(state.status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def told(current_database_url: str, tmp_path: Path) -> Iterator[tuple[IntakeWorld, Receiver]]:
    with receiver() as state:
        sinks = f"sinks:\n  ops: {{url: 'http://127.0.0.1:{state.port}/hook', secret_file: token}}\nrules:"
        with intake_world(current_database_url, tmp_path, RULES.replace("rules:", sinks)) as made:
            yield made, state


def send(made: IntakeWorld, *alerts: dict[str, Any]) -> None:
    made.deliver(*alerts)
    made.settle()
    made.events._claims.wake()


def test_an_answer_is_told_once_and_again_when_it_changed_or_the_alert_resolved(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    send(made, alert(), alert("f2", host="nosuch"))
    until(lambda: len(state.got) == 2 and not _open(made), "two events")  # none is under way when the clock goes on
    send(made, alert())  # the same again
    sound = replace(samples.diagnosis("web-01"), id="later", status="healthy", verdict=None, headline="No limit is reached.")
    made.world.diagnoser.edit["web-01"] = sound
    made.world.clock.pass_(minutes=1)
    send(made, alert(state="resolved"))
    until(lambda: len(state.got) == 3, "the third event")
    events = {event["type"]: event for event in state.got}
    assert state.wrong == []
    for event in state.got:
        Draft202012Validator(json.loads((ROOT / "docs" / "schema" / "event.json").read_text())).validate(event)
    answered, resolved, unasked = events["alert.answered"], events["alert.resolved"], events["alert.not_asked"]
    assert (answered["schema"], answered["host"], answered["cause"]) == ("triagebook/event/v1", "web-01", "pids_cgroup")
    assert answered["content"]["answer"]["schema"] == "triagebook/diagnosis/v1"
    assert (resolved["status"], resolved["subject"], resolved["headline"].split(",")[0]) == (
        "healthy",
        answered["subject"],
        "The alert resolved",
    )
    assert unasked["headline"].startswith("The alert names no host of the inventory")


def test_an_alert_whose_host_could_not_be_asked_is_told_with_the_reason(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    made.asker.fails = UsageError("web-01: cannot be asked", reason="busy")
    send(made, alert(), alert("f2", host="db-01"))
    until(lambda: len(state.got) == 2, "two events")
    found = {event["host"]: (event["type"], event["status"], event["content"]["alert"]["problem"]) for event in state.got}
    assert found == {"web-01": ("alert.not_asked", "failed", "busy"), "db-01": ("alert.not_asked", "failed", "refused")}


PAGER = """\
apiVersion: triagebook/alerts/v1
sources:
  prometheus: {type: alertmanager, bearer_files: [token]}
  pager: {type: pagerduty, secret_files: [token]}
sinks:
  notes: {type: pagerduty, source: pager, from: bot@ops.example, token_file: token, url: URL}
rules: [{name: all, host_in: alertname}]
"""


def test_the_incident_of_pagerduty_that_an_alert_is_about_gets_a_note(current_database_url: str, tmp_path: Path) -> None:
    now = samples.NOW.isoformat()
    data = {"type": "incident", "id": "P/1", "created_at": now, "title": "web-01: cannot fork", "urgency": "high"}
    event = {"event_type": "incident.triggered", "occurred_at": now, "data": data}
    with (
        receiver() as state,
        intake_world(current_database_url, tmp_path, PAGER.replace("URL", f"http://127.0.0.1:{state.port}")) as made,
    ):
        state.status = 429
        source = made.answerer.rules.sources["pager"]
        made.deliver(alert(name="web-02 cannot fork"))  # of another source: it has no incident
        assert made.intake.store(source, json.dumps({"event": event}).encode())[0] == 202
        made.settle()
        made.events._claims.wake()
        until(lambda: state.tries, "a try")
        assert state.notes == []
        state.status = 201
        until(lambda: _wake(made, state) or state.notes, "the note")
        until(lambda: not _open(made), "the other event to be dropped")
        ((path, proof, author, says),) = set(state.notes)  # at least once: the clock leapt over the lease of who sent it
    assert (path, proof, author) == ("/incidents/P%2F1/notes", f"Token token={SECRET}", "bot@ops.example")
    assert says.startswith("triagebook on web-01: ")


def test_notes_need_a_source_that_has_incidents(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    wrong = PAGER.replace("URL", "https://api.eu.pagerduty.com").replace("source: pager", "source: prometheus")
    (tmp_path / "alerts.yaml").write_text(wrong)
    with pytest.raises(UsageError, match=r"alerts\.yaml:6: sinks\.notes\.source: 'prometheus' is no source of PagerDuty"):
        load_rules(tmp_path / "alerts.yaml", ["forks"], [])


def test_a_receiver_that_is_away_for_an_hour_misses_nothing_and_gets_it_in_order(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    state.status = 503
    send(made, alert(), alert("f2", host="web-02"))
    until(lambda: state.tries >= 2, "a try")
    made.world.clock.pass_(minutes=30)
    send(made, alert(state="resolved"))
    for _ in range(4):
        made.world.clock.pass_(minutes=10)
        made.events._claims.wake()
    assert state.got == []
    assert {episode.asks for episode in made.episodes()} == {1, 2}  # nobody waited for the receiver
    state.status = 204
    until(lambda: _wake(made, state) == 3, "all events")
    of_first = dict.fromkeys((event["id"], event["type"]) for event in state.got if event["host"] == "web-01")
    assert [kind for _id, kind in of_first] == ["alert.answered", "alert.resolved"]  # at least once, as above


def _wake(made: IntakeWorld, state: Receiver) -> int:
    made.world.clock.pass_(minutes=1)
    made.events._claims.wake()
    return len({event["id"] for event in state.got})


def test_a_receiver_that_wants_no_more_or_sends_us_elsewhere_is_not_followed(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    state.status = 410
    send(made, alert())
    until(lambda: not _open(made), "the event to be dropped")
    assert state.tries == 1
    state.status = 302
    send(made, alert("f2", host="web-02"))
    until(lambda: state.tries >= 2, "a try")
    assert _open(made) == 1  # it is tried again here, and nothing went to the address in the answer


def test_after_a_day_an_event_is_given_up(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    state.status = 503
    send(made, alert())
    until(lambda: state.tries >= 1, "a try")
    made.world.clock.now += timedelta(days=1, minutes=1)
    until(lambda: _wake(made, state) or not _open(made), "the event to be given up")  # it may be put off at this moment
    assert state.got == []


def _open(made: IntakeWorld) -> int:
    with made.world.store.read() as transaction:
        query = "SELECT count(*) FROM jobs WHERE done_at = 0 AND kind = 'event'"
        return int(transaction.connection.exec_driver_sql(query).scalar_one())


@pytest.mark.parametrize("url", ["http://ops.example/hook", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://", "x"])
def test_an_address_that_is_neither_https_nor_this_machine_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected an https address"):
        check_url(url)
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "alerts.yaml").write_text(RULES.replace("rules:", f"sinks:\n  ops: {{url: '{url}', secret_file: token}}\nrules:"))
    with pytest.raises(UsageError, match=r"alerts\.yaml:5: sinks\.ops\.url"):
        load_rules(tmp_path / "alerts.yaml", ["forks"], [])


def test_the_jobs_of_events_are_in_the_database_of_the_rows_they_tell_of(told: tuple[IntakeWorld, Receiver]) -> None:
    made, state = told
    state.status = 503
    send(made, alert())
    until(lambda: state.tries >= 1, "a try")
    with made.world.store.read() as transaction:
        (episode,) = made.episodes()
        assert jobs.is_known(transaction, "event", f"ops/{episode.id}-1")
