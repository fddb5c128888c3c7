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
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.sinks.webhook import check_url
from triagebook.tools.store import jobs

from tests.system.fixes import samples
from tests.system.jobs.steps import until

from .intake_world import RULES, SECRET, IntakeWorld, alert, intake_world


@dataclass
class Receiver:
    """A real HTTP server that checks signatures. `status` is what it answers."""

    status: int = 204
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tries: int = 0
    port: int = 0

    def take(self, headers: Any, body: bytes) -> None:
        self.tries += 1
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
            state.take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
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
    until(lambda: len(state.got) == 2, "two events")
    send(made, alert())  # the same again
    sound = replace(samples.diagnosis("web-01"), id="later", status="healthy", verdict=None, headline="No limit is reached.")
    made.world.diagnoser.edit["web-01"] = sound
    made.world.clock.pass_(minutes=1)
    send(made, alert(state="resolved"))
    until(lambda: len(state.got) == 3, "the third event")
    events = {event["type"]: event for event in state.got}
    assert state.wrong == []
    answered, resolved, unasked = events["alert.answered"], events["alert.resolved"], events["alert.not_asked"]
    assert (answered["schema"], answered["host"], answered["cause"]) == ("triagebook/event/v1", "web-01", "pids_cgroup")
    assert answered["content"]["answer"]["schema"] == "triagebook/diagnosis/v1"
    assert (resolved["status"], resolved["subject"], resolved["headline"].split(",")[0]) == (
        "healthy",
        answered["subject"],
        "The alert resolved",
    )
    assert unasked["headline"].startswith("The alert names no host of the inventory")


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
    of_first = [event["type"] for event in state.got if event["host"] == "web-01"]
    assert of_first == ["alert.answered", "alert.resolved"]


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
    made.events._claims.wake()
    until(lambda: not _open(made), "the event to be given up")


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
