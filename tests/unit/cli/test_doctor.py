"""`triagebook doctor` says what is in use, and of what is missing or broken the command that mends it."""

import re
import socket
from pathlib import Path
from typing import Any

from tests.command import ROOT, Run, Triagebook


def by_part(run: Run) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in run.json():
        found.setdefault(line["part"], []).append(line)
    return found


def test_on_a_new_machine_nothing_is_broken_and_each_part_has_its_line(tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("doctor", "--json", TRIAGEBOOK_SOCKET=str(tmp_path / "none.sock"))
    found = by_part(run)
    assert (run.status, run.err) == (0, "")
    assert not [line for lines in found.values() for line in lines if line["state"] == "broken"]
    assert found["config"][0] == {
        "part": "config",
        "state": "absent",
        "says": f"none at {tmp_path}/.config/triagebook/config.yaml; the defaults are used",
        "cure": "triagebook config edit",
    }
    assert found["serve"][0]["says"] == f"no approval server at {tmp_path}/none.sock"
    assert f"enomem@1.2.0 released (used by -r enomem): {ROOT}/runbooks/enomem/1.2.0" in [line["says"] for line in found["runbook"]]
    assert {line["says"].partition(":")[0] for line in found["extra"]} == {"alerts", "mcp", "sites", "slack", "postgresql"}
    assert set(found) >= {"version", "inventory", "ssh_config", "known_hosts", "login", "cache", "state", "watch"}


def test_what_is_missing_has_a_command_on_a_line_of_its_own(tmp_path: Path) -> None:
    said = Triagebook(tmp_path)("doctor").out
    assert re.search(r"^-       config  .*(\n {21}\S.*)*\n {23}triagebook config edit\n", said, re.MULTILINE), said


def test_what_is_set_up_and_does_not_work_is_broken_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "triagebook"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("inventory: [hosts.yaml]\nssh_config: nosuch\n")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    run = Triagebook(tmp_path)(
        "doctor", "--json", TRIAGEBOOK_SOCKET=str(tmp_path / "dead.sock"), SSH_AUTH_SOCK="/nonexistent/agent"
    )
    found = by_part(run)
    assert run.status == 4
    broken = {part for part, lines in found.items() for line in lines if line["state"] == "broken"}
    assert broken == {"inventory", "ssh_config", "known_hosts", "login", "serve"}
    assert all(line["cure"] for lines in found.values() for line in lines if line["state"] == "broken")
    assert found["serve"][0]["says"] == f"{tmp_path}/dead.sock: Connection refused"


def test_a_configuration_with_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "triagebook"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("nosuch: 1\n")
    run = Triagebook(tmp_path)("doctor", "--json")
    assert run.status == 4
    assert by_part(run)["config"][0]["says"].startswith(f"{folder}/config.yaml:1: nosuch: unknown key")


def test_a_server_that_answers_and_a_watch_are_found(tmp_path: Path) -> None:
    (tmp_path / "run" / "triagebook").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as watch:
        for listening, path in ((server, tmp_path / "serve.sock"), (watch, tmp_path / "run" / "triagebook" / "watch-1.sock")):
            listening.bind(str(path))
            listening.listen()
        env = {"TRIAGEBOOK_SOCKET": str(tmp_path / "serve.sock"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
        found = by_part(Triagebook(tmp_path)("doctor", "--json", **env))
    assert found["serve"][0]["state"] == "ok"
    assert found["watch"][0]["says"].startswith("1 host is watched by this account")
