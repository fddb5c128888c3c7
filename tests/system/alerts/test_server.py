"""A real `triagebook serve --alerts`, a real sshd behind an inventory name, and a sender on the other side of HTTP."""

import contextlib
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.server.client import ask

from tests import sshd
from tests.hang import GUARD_S
from tests.system.jobs.steps import until

from .intake_world import SECRET, alert

ME = pwd.getpwuid(os.geteuid()).pw_name
COMMAND = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "serve")
POLICY = f"""\
apiVersion: triagebook/policy/v1
persons:
  ann: {{accounts: [{{os: {ME}}}]}}
rules:
  - {{name: ann reads, allow: [diagnose, read_audit], who: [ann]}}
  - {{name: alerts look, allow: [diagnose], who: [alerts]}}
"""
RULES = """\
apiVersion: triagebook/alerts/v1
sources:
  prometheus: {type: alertmanager, bearer_files: [token]}
rules:
  - {name: all}
"""


@dataclass
class Serving:
    """One process of the server."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    port: int = 0

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def post(self, *alerts: dict[str, Any], body: bytes = b"", source: str = "prometheus", token: str = SECRET) -> int:
        content = body or json.dumps({"version": "4", "alerts": list(alerts)}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/alerts/{source}", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=GUARD_S) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(self.folder / "socket", {"do": "alerts", "limit": 500})
        return found

    def answered(self) -> list[dict[str, Any]]:
        return [view for view in self.alerts() if view["status"]]


def start(folder: Path, box: sshd.Server) -> Serving:
    """The server on a folder that may have been used before."""
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    for name, text in {"policy.yaml": POLICY, "alerts.yaml": RULES, "token": SECRET, "inventory.yaml": "hosts: [box]\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    words = [f"--{name}={folder / name}" for name in ("data", "socket")] + [f"--policy={folder / 'policy.yaml'}"]
    words += [f"--inventory={folder / 'inventory.yaml'}", f"--alert-rules={folder / 'alerts.yaml'}", "--alerts=127.0.0.1:0"]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen((*COMMAND, *words, "-F", str(box.config)), stderr=log, env=environment)
    made = Serving(folder, process)
    until(lambda: "server.ready" in made.log() or process.poll() is not None, "the server")
    assert process.poll() is None, made.log()
    found = re.search(r'face=alerts address="?127\.0\.0\.1:(\d+)', made.log())
    assert found is not None
    made.port = int(found[1])
    return made


def await_answers(made: Serving, least: int) -> None:
    """Wait until so many alerts have an answer."""
    until(lambda: len(made.answered()) >= least, f"{least} answers")


@pytest.fixture(scope="module")
def box(place: sshd.Ground) -> Iterator[sshd.Server]:
    with place.sshd() as server:
        yield server


@pytest.fixture
def serving(tmp_path: Path, box: sshd.Server) -> Iterator[Serving]:
    made = start(tmp_path, box)
    yield made
    if made.process.poll() is None:
        made.process.terminate()
        assert made.process.wait(GUARD_S) == 0


@pytest.mark.parametrize("what", ["alerts", "feedback"])
def test_a_host_that_nobody_knows_is_said_where_nothing_is_kept_of_it(serving: Serving, what: str) -> None:
    socket = serving.folder / "socket"
    assert ask(socket, {"do": what, "host": "box"}) == []
    with pytest.raises(TriagebookError, match=r"'bax' is not in the inventory \(did you mean 'box'\?\)"):
        ask(socket, {"do": what, "host": "bax"})


def test_an_alert_posted_over_http_has_its_host_diagnosed_over_ssh(serving: Serving) -> None:
    assert serving.post(alert(host="box"), alert("f2", host="nosuch")) == 202
    until(lambda: (len(serving.answered()), len(serving.alerts())) == (1, 2), "the answer, and what is said of the other")
    views = {view["host"]: view for view in serving.alerts()}
    assert views["box"]["status"] in {"healthy", "warning", "inconclusive", "cause_found"}
    assert views["box"]["says"]
    assert views[""]["problem"] == "unknown_host"
    (answer,) = [entry for entry in ask(serving.folder / "socket", {"do": "history", "host": "box"}) if entry["kind"] == "answer"]
    assert answer["by"] == "alert:prometheus"
    until(lambda: "alert.answered host=box" in serving.log(), "the line of the log")


def test_nothing_is_taken_from_who_proves_nothing(serving: Serving) -> None:
    assert serving.post(alert(), token="") == 401
    assert serving.post(alert(), token="wrong-wrong-wrong") == 401
    assert serving.post(alert(), source="nosuch") == 401
    assert serving.post(alert(), source="../policy") == 401
    assert serving.post(body=b"{") == 400
    assert serving.post(body=b" " * ((1 << 20) + 1)) == 413
    assert serving.post(alert(host="box")) == 202
    assert SECRET not in serving.log()
    assert serving.log().count("alert.refused") == 6


def test_a_dripping_body_takes_nothing_from_others(serving: Serving) -> None:
    header = (
        f"POST /alerts/prometheus HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 100\r\n\r\n".encode()
    )
    with contextlib.ExitStack() as stack:
        for _ in range(70):
            drip = stack.enter_context(socket.create_connection(("127.0.0.1", serving.port), GUARD_S))
            with contextlib.suppress(OSError):
                drip.sendall(header + b"{")
        assert serving.post(alert(host="box")) == 202
    assert len(serving.alerts()) <= 1


def test_a_server_killed_with_alerts_under_way_has_one_answer_for_each_afterwards(tmp_path: Path, box: sshd.Server) -> None:
    """Twenty alerts, killed while they are noted and while they are answered: each has one row, and in the end an answer.

    Not three times: what three workers died of is given up.
    """
    made = start(tmp_path, box)
    wanted = [alert(f"f{number}", f"A{number}", "box") for number in range(20)]
    assert made.post(*wanted) == 202
    for answers in (0, 1):
        await_answers(made, answers)
        made.process.send_signal(signal.SIGKILL)
        made.process.wait(GUARD_S)
        made = start(tmp_path, box)
        made.post(*wanted)  # the sender repeats what it is not sure of
    try:
        await_answers(made, 20)
        views = made.alerts()
        assert len({view["id"] for view in views}) == len(views) == 20
        assert [view["problem"] for view in views if view["problem"]] == []
    finally:
        made.process.terminate()
        assert made.process.wait(GUARD_S) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "alerts.yaml:1: (top): empty"),
        (RULES.replace("alertmanager", "alertmanger"), "did you mean 'alertmanager'?"),
        (None, "alerts.yaml: No such file or directory"),
    ],
)
def test_a_wrong_alerts_yaml_stops_the_start_and_says_where(tmp_path: Path, text: str | None, says: str) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    if text is not None:
        (tmp_path / "alerts.yaml").write_text(text)
    words = ("--data", tmp_path / "data", "--socket", tmp_path / "socket", "--alerts", "127.0.0.1:0")
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    argv = (*COMMAND, *map(str, words), "--alert-rules", str(tmp_path / "alerts.yaml"))
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=GUARD_S, check=False)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
