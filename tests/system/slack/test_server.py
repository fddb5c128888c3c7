"""The face in a server process of its own: decided at the command line's socket, killed in the middle, started again."""

import contextlib
import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import names
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.server.client import ask

from tests import sshd
from tests.command import Triagebook
from tests.hang import GUARD_S
from tests.system.slack import test_usergroups as usergroups
from tests.system.slack import world as worlds

from .driver import SECRET, Driver, Http, Socket, buttons
from .gate import Gate
from .paths import fix_of, form, wish
from .server_process import environment, started
from .world import Channels, until

COMMAND = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()")


@contextmanager
def served(directory: Path, gate: Gate, policy_text: str = "", lease_s: int = 60) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """A server on this directory, whose policy knows this account; its socket."""
    policy = policy_text or worlds.policy(gate)
    policy = policy.replace("{os: dan}", f"{{os: {getpass.getuser()}}}").replace("[ann, bob, cid,", "[ann, bob, cid, dan,")
    with started(directory, gate, policy, environment(gate), lease_s=lease_s) as (process, _port):
        until(lambda: gate.is_connected, "Socket Mode")
        yield directory / "socket", process


def test_decided_at_the_command_line_killed_in_the_change_and_told_after_the_restart(tmp_path: Path, through: Gate) -> None:
    channels, driver = Channels(through), Driver(through, Socket(through))
    with served(tmp_path, through, lease_s=2) as (socket, process):
        driver.command("ann", "web-01")
        card = channels.card("incidents", "CAUSE FOUND · web-01")
        driver.click("ann", card, names.PROPOSE)
        driver.submit("ann", form(through, names.PROPOSE_VIEW), wish())
        card = channels.card("approvals", "APPROVAL NEEDED: web-01")
        fix = fix_of(card)
        shown = ask(socket, {"do": "show", "fix": fix})
        assert ask(socket, {"do": "approve", "fix": fix, "digest": shown["digest"]})["state"] == "approved"
        approved = channels.card("approvals", "APPROVED, NOT YET APPLIED")
        (tmp_path / "die").write_text("execute.before_effect")
        with contextlib.suppress(ConnectionError):  # it may die before it has answered
            driver.click("cid", approved, names.APPLY)
        assert process.wait(GUARD_S) == -9
    (tmp_path / "die").unlink()
    through.forget_sockets()
    with served(tmp_path, through) as (socket, process):
        failed = channels.card("approvals", "FAILED: web-01")
        assert (failed["ts"], buttons(failed)) == (card["ts"], [])
        assert ask(socket, {"do": "show", "fix": fix})["state"] == "failed"
        assert process.poll() is None
        assert list((tmp_path / "effects").iterdir()) == []
        text = f"Not done: apply {fix}"
        until(lambda: any(text in told for told in through.whispers("cid")), "what became of the click")


def test_a_user_group_decides_at_the_command_line_too_while_slack_is_served(tmp_path: Path, through: Gate) -> None:
    channels, driver = Channels(through), Driver(through, Socket(through))
    through.groups[usergroups.GROUP] = [through.workspace.users["bob"]]
    with served(tmp_path, through, usergroups.policy_of(through)) as (socket, _process):
        driver.command("ann", "web-01")
        driver.click("ann", channels.card("incidents", "CAUSE FOUND · web-01"), names.PROPOSE)
        driver.submit("ann", form(through, names.PROPOSE_VIEW), wish())
        fix = fix_of(channels.card("approvals", "APPROVAL NEEDED: web-01"))
        wanted = {"do": "approve", "fix": fix, "digest": ask(socket, {"do": "show", "fix": fix})["digest"]}
        with pytest.raises(TriagebookError, match="dan is not among the approvers"):
            ask(socket, wanted)
        through.groups[usergroups.GROUP].append(through.workspace.users["dan"])
        through.is_down = True
        with pytest.raises(TriagebookError, match="nothing was decided; try again"):
            ask(socket, wanted)
        through.is_down = False
        assert ask(socket, wanted)["state"] == "approved"
        channels.card("approvals", "APPROVED, NOT YET APPLIED")


@pytest.mark.parametrize("arguments", [("--slack-http", "127.0.0.1:0"), ("--slack",)])
def test_the_product_refuses_to_start_without_what_proves_slack(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    triagebook = Triagebook(tmp_path)
    run = triagebook(
        "serve", "--data", str(tmp_path / "data"), "--socket", str(tmp_path / "s"), *arguments, SLACK_BOT_TOKEN="xoxb-1"
    )
    assert run.status == 2
    assert ("SLACK_SIGNING_SECRET" if "http" in arguments[0] else "SLACK_APP_TOKEN") in run.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "at the address of MCP"])
def test_the_product_diagnoses_a_real_host_for_a_channel(tmp_path: Path, through: Gate, place: sshd.Ground, shared: bool) -> None:
    config = tmp_path / ".config" / "triagebook"
    config.mkdir(parents=True)
    (config / "inventory.yaml").write_text("hosts: [box]\n")
    (config / "config.yaml").write_text(f"slack: {{approvals: {through.workspace.channels['approvals']}}}\n")
    policy = tmp_path / "policy.yaml"
    policy.write_text(worlds.policy(through))
    policy.chmod(0o644)
    port = sshd.free_port()
    with place.sshd() as server:
        argv = (*COMMAND, "serve", "--data", str(tmp_path / "data"), "--socket", str(tmp_path / "s"), "--policy", str(policy))
        argv += ("-F", str(server.config), "--slack-http", f"127.0.0.1:{port}")
        argv += ("--mcp", f"127.0.0.1:{port}") if shared else ()
        env = environment(through, HOME=str(tmp_path), SLACK_SIGNING_SECRET=SECRET)
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env)
        try:
            assert process.stderr is not None
            until(lambda: "server.ready" in process.stderr.readline(), "serve")  # type: ignore[union-attr]
            channels, driver = Channels(through), Driver(through, Http(port))
            until(lambda: through.of("auth.test"), "auth.test")
            assert driver.command("ann", 'box symptom="fork: retry"').status == 200
            card = channels.card("incidents", " · box: ")
            assert "Ruled out" in card["text"]
            if shared:
                assert Http(port).post(b"{}", {"content-type": "application/json"}).status == 401
        finally:
            process.terminate()
            process.wait(GUARD_S)
            assert process.stderr is not None
            process.stderr.close()
