"""A real `triagebook serve` as its administrator sees it: the log's lines, the probes, the metrics."""

import contextlib
import json
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, UsageError
from triagebook.tools.server.client import ask

from tests.command import Triagebook, environment
from tests.hang import GUARD_S
from tests.system.fixes import policies

ME = pwd.getpwuid(os.geteuid()).pw_name
HOST = "replay:unit-tasksmax"
COMMAND = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "serve")


@dataclass
class Serving:
    """One process of `triagebook serve --status`, and where it writes its log."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    address: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def log(self) -> list[str]:
        """The lines so far, without their times."""
        return [re.sub(r"^\S+Z ", "", line) for line in (self.folder / "log").read_text().splitlines()]

    def ask(self, do: str, **members: object) -> Any:
        return ask(self.folder / "socket", {"do": do, **members})

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=GUARD_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> tuple[int, dict[str, str]]:
        status, body = self.get("/readyz")
        told = json.loads(body)
        assert told["ready"] == (status == 200)
        return status, {name: state for name, state in told["checks"].items() if state != "ok"}

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(GUARD_S) == 0


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that comes; fail where it does not."""
    deadline = time.monotonic() + GUARD_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def serve(folder: Path, *options: str) -> Iterator[Serving]:
    """A server whose policy knows this account as ann."""
    policy = policies.TEXT.replace("{os: ann}", f"{{os: {ME}}}").replace("runbooks: [forks]", "runbooks: [enomem]")
    (folder / "policy.yaml").write_text(policy)
    (folder / "policy.yaml").chmod(0o644)
    words = ("--data", folder / "data", "--socket", folder / "socket", "--policy", folder / "policy.yaml")
    with open(folder / "log", "wb") as log:
        argv = (*COMMAND, *words, "--status", "127.0.0.1:0", *options)
        made = Serving(subprocess.Popen(argv, stderr=log, env=environment(folder)), folder)
    try:
        until(lambda: any("server.ready" in line for line in made.log()) or made.process.poll() is not None)
        (said,) = [line for line in made.log() if "server.listening" in line]
        made.address = re.sub(r'.*address="?([\d.:]+).*', r"\1", said)
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """For tests that spoil nothing."""
    with serve(tmp_path_factory.mktemp("serve")) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """One to be spoiled."""
    with serve(tmp_path) as made:
        yield made


def test_the_process_answers_and_is_ready(shared: Serving) -> None:
    assert shared.get("/healthz") == (200, "ok\n")
    assert shared.ready() == (200, {})
    assert json.loads(shared.get("/readyz")[1])["checks"].keys() == {"database", "audit_log", "policy", "keys"}
    assert shared.get("/")[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(urllib.request.Request(f"http://{shared.address}/healthz", data=b"x"), timeout=GUARD_S)


def test_a_request_is_one_line_and_so_is_each_decision(shared: Serving) -> None:
    before = len(shared.log())
    fix = shared.ask("propose", host=HOST, remediation="raise_tasks_max", parameters={"limit": 200})
    with pytest.raises(RefusedError, match="always another person decides"):
        shared.ask("approve", fix=fix["id"], digest=fix["digest"])
    said = [re.sub(r" ms=[\d.]+| id=\S+| sha256=\S+|F-\w{8}", "", line) for line in shared.log()[before:]]
    found = [" ".join(re.findall(r"^info \S+|(?:action|asked|outcome|allowed|status|after)=\S+", line)) for line in said]
    assert found == [
        "info policy.decision action=propose asked=diagnose allowed=yes",
        "info diagnosis.concluded status=cause_found",
        "info policy.decision action=propose asked=propose allowed=yes",
        "info fix.moved after=proposed",
        "info server.request action=propose outcome=ok",
        "info policy.decision action=approve asked=approve allowed=no",
        "info server.request action=approve outcome=refused",
    ]
    assert f"account=os:{ME} fix={fix['id']} outcome=refused reason=self_approval" in shared.log()[-1]


def test_what_a_stranger_sends_is_one_harmless_line(shared: Serving) -> None:
    hostile = "web-01\x1b[2J\ninfo server.ready password=hunter2 \u202egnp"
    with pytest.raises(TriagebookError):
        shared.ask("propose", host=hostile, remediation="raise_tasks_max")
    with pytest.raises(UsageError):
        shared.ask("no\nsuch\x1b[0m")
    text = (shared.folder / "log").read_text()
    assert "\\x1b[2J" in text
    assert not {"\x1b", "\u202e"} & set(text)
    assert "hunter2" not in text
    assert sum("server.ready" in line.split(" ")[1] for line in shared.log()) == 1


def test_metrics_count_what_happened_and_name_no_host(shared: Serving) -> None:
    shared.ask("propose", host=HOST, remediation="raise_tasks_max", parameters={"limit": 201})
    status, text = shared.get("/metrics")
    series = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert status == 200
    assert float(series['triagebook_requests_total{action="propose",channel="cli",outcome="ok"}']) >= 1
    assert float(series['triagebook_decisions_total{allowed="yes",asked="propose",reason="allowed"}']) >= 1
    assert float(series['triagebook_diagnoses_total{runbook="enomem@1.2.0",status="cause_found"}']) >= 1
    assert float(series['triagebook_diagnosis_seconds_bucket{le="+Inf",runbook="enomem@1.2.0"}']) >= 1
    assert float(series['triagebook_fixes{state="proposed"}']) >= 1
    assert {series[f'triagebook_ready{{check="{check}"}}'] for check in ("database", "audit_log", "policy", "keys")} == {"1.0"}
    assert series["triagebook_audit_rows"] == series["triagebook_audit_checkpoint_rows"]
    assert float(series["triagebook_audit_checkpoint_age_seconds"]) >= 0
    assert "process_cpu_seconds_total" in series
    assert not {"unit-tasksmax", ME, "ann"} & set(re.findall(r"[\w.-]+", " ".join(series)))


def test_silent_clients_do_not_keep_a_probe_from_its_answer(shared: Serving) -> None:
    host, port = shared.address.split(":")
    with contextlib.ExitStack() as silent:
        for _ in range(15):
            silent.enter_context(socket.create_connection((host, int(port)), GUARD_S))
        assert shared.get("/healthz") == (200, "ok\n")


def test_a_database_that_was_moved_away_is_not_ready(server: Serving) -> None:
    database = server.data / "triagebook.db"
    database.rename(server.data / "elsewhere.db")
    until(lambda: server.ready() == (503, {"database": "database"}))
    assert server.get("/healthz")[0] == 200
    assert 'triagebook_ready{check="database"} 0.0' in server.get("/metrics")[1]
    (server.data / "elsewhere.db").rename(database)
    until(lambda: server.ready() == (200, {}))
    said = [line for line in server.log() if "ready" in line and "check=database" in line]
    assert [line.split(" ")[1] for line in said] == ["server.not_ready", "server.ready_again"]  # not one line a probe


def test_a_database_that_somebody_keeps_locked_is_not_ready(server: Serving) -> None:
    with contextlib.closing(sqlite3.connect(server.data / "triagebook.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(lambda: server.ready() == (503, {"database": "database"}))
        other.execute("ROLLBACK")
    until(lambda: server.ready() == (200, {}))


def test_an_audit_log_that_was_cut_is_not_ready(server: Serving) -> None:
    with contextlib.closing(sqlite3.connect(server.data / "triagebook.db", isolation_level=None)) as other:
        triggers = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            other.execute(f"DROP TRIGGER {name}")
        other.execute("UPDATE tree_head SET last_leaf = zeroblob(32), edge = zeroblob(length(edge))")
    until(lambda: server.ready() == (503, {"audit_log": "audit_broken"}))
    server.process.kill()  # it refuses to write down that it ends
    server.process.wait(GUARD_S)


def test_keys_that_are_gone_are_not_ready(server: Serving) -> None:
    (server.data / "keys").rename(server.data / "spare")
    until(lambda: server.ready() == (503, {"keys": "key"}))
    (server.data / "spare").rename(server.data / "keys")
    until(lambda: server.ready() == (200, {}))


def test_a_collector_may_have_json_lines(tmp_path: Path) -> None:
    with serve(tmp_path, "--log-format", "json", "-v") as server:
        server.ask("list")
        lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines][-2:] == ["fix.request", "server.request"]  # -v adds the first
    assert {"at", "level", "event", "action", "account", "outcome", "ms"} <= lines[-1].keys()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--status", "9464"), "expected HOST:PORT"),
        (("--status", "127.0.0.1:99999"), "expected HOST:PORT"),
        (("--log-format", "xml"), "expected text or json"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_served(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    run = Triagebook(tmp_path)("serve", "--data", str(tmp_path / "data"), "--socket", str(tmp_path / "socket"), *options)
    assert (run.status, run.out) == (2, "")
    assert says in run.err.splitlines()[-1]


def test_an_address_in_use_is_told(shared: Serving, tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("serve", "--data", str(tmp_path / "d"), "--socket", str(tmp_path / "s"), "--status", shared.address)
    assert run.status != 0
    assert "cannot listen on this address" in run.err.splitlines()[-1]
