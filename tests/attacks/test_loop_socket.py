"""Malformed requests on the server's socket: it lives on, answers the next one, and its audit log holds."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from triagebook.tools.server import requests

from tests import postgres
from tests.attacks.budget import Attack, mutated
from tests.hang import GUARD_S
from tests.system.fixes import test_kill
from tests.system.fixes.policies import TEXT
from tests.system.fixes.server import Server, Starter

REQUESTS: tuple[dict[str, Any], ...] = (
    {"do": "propose", "host": "web-01", "remediation": "raise_tasks_max", "parameters": {"limit": 200}, "reason": "pages"},
    {"do": "approve", "fix": "F-00000000", "digest": "a" * 64, "break_glass": "x"},
    {"do": "apply", "fix": "F-00000000"},
    {"do": "list", "states": ["proposed"], "limit": 3},
    {"do": "audit_list", "limit": 2, "host": "web-01"},
    {"do": "audit_show", "index": 0},
    {"do": "break_lock", "host": "web-01", "reason": "mine"},
    {"do": "policy_check", "action": "propose", "host": "web-01", "who": "os:ann"},
    {"do": "record", "diagnosis": {"id": "D-1"}},
    {"do": "diagnose", "host": "web-01", "runbook": "forks", "inputs": {"pid": "7", "symptom": "fork: retry"}},
    {"do": "history", "host": "web-01", "days": 30},
    {"do": "alerts", "host": "", "limit": 20},
    {"do": "get_diagnosis", "diagnosis": "20261130T000000-00000000"},
    {"do": "give_feedback", "answer": "20261130T000000-00000000", "was": "wrong", "it_was": "a leak"},
    {"do": "feedback", "host": "web-01", "limit": 20},
    {"do": "get_case", "answer": "20261130T000000-00000000"},
    {"do": "bind_host", "host": "web-01", "why": "reinstalled"},
    {"do": "show", "fix": "F-00000000"},
    {"do": "deny", "fix": "F-00000000", "digest": "a" * 64, "why": "x"},
    {"do": "withdraw", "fix": "F-00000000"},
    {"do": "revert", "fix": "F-00000000", "reason": "x"},
    {"do": "persist", "fix": "F-00000000", "reason": "x"},
    {"do": "locks"},
    {"do": "audit_verify", "checkpoints": [], "since": 1},
    {"do": "audit_repair", "what": "columns"},
    {"do": "audit_export", "from": 1},
    {"do": "note_refusal", "action": "diagnose", "reason": "inventory", "says": "x"},
)
ODD = (
    "",
    "\0",
    "\ud800",
    "x" * 70000,
    "F-" + "9" * 300,
    -1,
    2**63,
    1e308,
    None,
    True,
    [],
    {},
    [[[[]]]],
    {"a": {"b": {}}},
    "\u202e",
    "-x",
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server on either database."""
    folder = tmp_path_factory.mktemp("socket")
    (folder / "policy.yaml").write_text(TEXT)
    (folder / "effects").mkdir()
    starter = Starter(folder)
    url = ""
    if request.param == "postgresql":
        found: postgres.Server = request.getfixturevalue("postgres_server")
        url = found.new_database()
    started = starter.start(policy=test_kill._policy(starter), effects=str(folder / "effects"), database=url)
    assert started.said == "ready"
    yield started
    starter.end()


def _request(random: Random) -> bytes:
    """A request that is a little, or wholly, wrong."""
    asked = json.loads(json.dumps(random.choice(REQUESTS)))
    kind = random.randrange(4)
    if kind < 2:
        for _ in range(random.randint(1, 3)):
            asked[random.choice([*asked, "do", "channel", "checkpoints", "more"])] = random.choice(ODD)
    line = json.dumps(asked, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    if kind >= 2:
        line = mutated(random, line)
    return line if random.random() < 0.1 else line.replace(b"\n", b" ") + b"\n"


def _answers(path: Path, lines: list[bytes]) -> int:
    """How many answers come for these lines; each is an object that says whether it went well."""
    count = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GUARD_S)
        connection.connect(str(path))
        with suppress(OSError):  # it refused an earlier line and hung up: what it said of that is still to be read
            connection.sendall(b"".join(lines))
            connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers, suppress(ConnectionResetError):
            for line in answers:
                assert "ok" in json.loads(line) or "item" in json.loads(line), line[:200]
                count += 1
    assert count or not lines[0].endswith(b"\n"), f"no answer to {lines[0][:300]!r}"
    return count


def test_every_request_that_there_is_is_attacked() -> None:
    assert {asked["do"] for asked in REQUESTS} >= {*requests.REQUESTS, requests.DIAGNOSE}


def test_a_malformed_request_is_answered_and_harms_nobody(attack: Attack, server: Server) -> None:
    sent = 0
    for number in attack.rounds(25):
        with attack.round(number) as random:
            lines = [_request(random) for _ in range(random.randint(1, 8))]
            attack.figure("answers", _answers(server.socket, lines))
            sent += len(lines)
            if number % 25 == 0:
                assert server.process.poll() is None
                server.ask("list")
    attack.figure("requests", sent)
    assert server.ask("audit_verify")["holds"]
