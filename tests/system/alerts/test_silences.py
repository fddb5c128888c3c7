"""A real Alertmanager is silent about an alert for as long as a fix is carried out on its host, and no longer."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from triagebook.tools.alerts.silences import Silencer
from triagebook.tools.sinks.alertmanager import LENGTH, Alertmanager

from tests import sshd
from tests.hang import GUARD_S

from .intake_world import RULES, IntakeWorld, alert, intake_world
from .prometheus import WHY_NOT, alertmanager

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
ROUTE = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
SILENT = RULES.replace("{name: all}", "{name: all, silence: main}").replace(
    "rules:", "alertmanagers: {main: {url: 'URL'}}\nrules:", 1
)


@dataclass
class Silent:
    """A world whose alerts may be silenced, and the Alertmanager as anybody can ask it."""

    made: IntakeWorld
    silencer: Silencer
    url: str

    def api(self, method: str, path: str, body: Any = None) -> Any:
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", content, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=GUARD_S) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def active(self) -> list[dict[str, Any]]:
        """The silences that hold."""
        return [item for item in self.api("GET", "silences") if item["status"]["state"] == "active"]

    def is_silent(self, labels: dict[str, str]) -> bool:
        """Whether Alertmanager would call nobody for an alert with these labels."""
        self.api("POST", "alerts", [{"labels": labels}])
        (found,) = [item for item in self.api("GET", "alerts") if item["labels"] == labels]
        return bool(found["status"]["silencedBy"])

    @contextmanager
    def running(self, fix_id: str) -> Iterator[None]:
        """A fix that is being carried out, and has ended after the block."""
        reached, go_on = threading.Event(), threading.Event()

        def step(name: str) -> None:
            if name == "execute.before_effect":
                reached.set()
                go_on.wait(GUARD_S)

        self.made.world.executor.step = step
        applying = threading.Thread(target=self.made.world.apply, args=(fix_id,))
        applying.start()
        try:
            assert reached.wait(GUARD_S)
            yield
        finally:
            go_on.set()
            applying.join(GUARD_S)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), ROUTE) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def silent(url: str, tmp_path: Path) -> Iterator[Silent]:
    with intake_world(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path, SILENT.replace("URL", url)) as made:
        made.world.clock.now = datetime.now(UTC)  # Alertmanager has a clock of its own
        yield Silent(made, Silencer(made.world.trust, made.answerer.rules), url)


def test_an_alert_is_silent_while_the_fix_of_its_host_runs_and_others_are_not(silent: Silent) -> None:
    told = alert(pid="7")
    silent.made.deliver(told, alert("f2", host="web-02"))
    silent.made.settle()
    fix_id = silent.made.world.approved("web-01")
    silent.silencer.step()
    assert silent.active() == []  # it is approved: nobody is at the host yet
    with silent.running(fix_id):
        silent.silencer.step()
        silent.silencer.step()
        (silence,) = silent.active()
        assert silence["createdBy"] == "triagebook"
        assert silence["comment"].startswith(f"{fix_id}/")
        assert {item["name"]: item["value"] for item in silence["matchers"]} == told["labels"]
        assert datetime.fromisoformat(silence["endsAt"]) - datetime.fromisoformat(silence["startsAt"]) <= LENGTH
        assert silent.is_silent(told["labels"])
        assert not silent.is_silent(told["labels"] | {"instance": "web-02:9100"})
        silent.made.world.clock.pass_(minutes=6)
        silent.silencer.step()
        (prolonged,) = silent.active()
        assert prolonged["endsAt"] > silence["endsAt"]
    assert silent.made.world.state(fix_id) == "unknown"  # its lease had expired: all the more somebody is to be called
    silent.silencer.step()
    assert silent.active() == []


def test_the_silence_of_a_server_that_died_is_ended_and_that_of_a_person_is_not(silent: Silent) -> None:
    labels = {"alertname": "Tasks", "instance": "web-03:9100"}
    left = silent.made.answerer.rules.alertmanagers["main"]
    over = silent.made.world.approved("web-03")
    left.silence(f"{over}/1", "is being carried out on web-03", labels, silent.made.world.clock())
    matchers = [{"name": "alertname", "value": "Tasks", "isRegex": False}]
    ends = silent.active()[0]["endsAt"]
    person = {"matchers": matchers, "startsAt": ends[:10] + "T00:00:00Z", "endsAt": ends, "createdBy": "ann", "comment": "lunch"}
    theirs = silent.api("POST", "silences", person)["silenceID"]
    silent.silencer.step()
    assert [item["id"] for item in silent.active()] == [theirs]
    silent.api("DELETE", f"silence/{theirs}")


def test_an_alert_whose_host_is_no_label_is_not_silenced(silent: Silent) -> None:
    """Its silence would be one of the same alert of every other host."""
    told = alert()
    silent.made.deliver({**told, "labels": {"alertname": "Tasks"}, "annotations": {"instance": "web-01"}})
    silent.made.settle()
    with silent.running(silent.made.world.approved("web-01")):
        silent.silencer.step()
        assert silent.active() == []


def test_an_alert_without_its_name_is_not_silenced(silent: Silent) -> None:
    """Its silence would be one of every alert of the host, whatever it is about: a sender could ask for that."""
    told = alert()
    silent.made.deliver({**told, "labels": {"instance": "web-01:9100"}}, {**told, "labels": told["labels"] | {"alertname": ""}})
    silent.made.settle()
    with silent.running(silent.made.world.approved("web-01")):
        silent.silencer.step()
        assert silent.active() == []
        assert not silent.is_silent({"alertname": "DiskDying", "instance": "web-01:9100"})


def test_the_silence_of_another_installation_is_left_alone(silent: Silent) -> None:
    """Two of them may ask one Alertmanager: neither knows the fixes of the other."""
    labels = {"alertname": "Tasks", "instance": "web-03:9100"}
    theirs = silent.made.answerer.rules.alertmanagers["main"]
    theirs.silence("F-another1/1", "is being carried out on web-03", labels, silent.made.world.clock())
    silent.silencer.step()
    (silence,) = silent.active()
    assert silence["comment"].startswith("F-another1/")
    silent.api("DELETE", f"silence/{silence['id']}")


def test_an_alertmanager_that_is_away_holds_up_nothing_and_is_asked_again(silent: Silent) -> None:
    rules = silent.made.answerer.rules
    away = Alertmanager("main", f"http://127.0.0.1:{sshd.free_port()}")
    silent.made.deliver(alert())
    silent.made.settle()
    silent.silencer.rules = replace(rules, alertmanagers={"main": away})
    with silent.running(silent.made.world.approved("web-01")):
        silent.silencer.step()
        silent.silencer.rules = rules
        silent.silencer.step()
        assert len(silent.active()) == 1
        silent.silencer.rules = replace(rules, alertmanagers={"main": away})
    silent.silencer.step()
    assert len(silent.active()) == 1
    silent.silencer.rules = rules
    silent.silencer.step()
    assert silent.active() == []
