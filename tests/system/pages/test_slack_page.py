"""docs/how-to/slack.md pasted as it is written, with an independent emulator of Slack in the place of slack.com."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.system.fixes.serve_page import Block, file_of
from tests.system.pages import machine, relay
from tests.system.slack import emulator, gate
from tests.system.slack.driver import Driver, Socket
from tests.system.slack.gate import Gate
from tests.system.slack.workspace import TOKEN
from tests.system.slack.world import Channels, until

WHY_NOT = machine.why_not() or emulator.NO_SLACK or ""
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
APPROVALS = "C0123456789"
ACCOUNT = "persons:\\n  ana: {name: Ana Ruiz, accounts: [{os: ana}"
CONFIG = "/var/lib/triagebook/.config/triagebook"


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    assert machine.unmarked("slack.md") == []


def script_of(block: Block, slack: Gate) -> str:
    """A block as the person pastes it who has this workspace."""
    if block.mark == machine.TYPED:
        tokens = (TOKEN, "xapp-1")
        lines = block.text.splitlines()
        return "".join(f"printf '%s\\n' {token} | {line}\n" for token, line in zip(tokens, lines, strict=True))
    if block.mark.startswith("file: "):
        text = file_of(block).replace(APPROVALS, slack.workspace.channels["approvals"])
        return text.replace("'CONTENT'\n", f"'CONTENT'\nSLACK_API_URL={slack.url}/api/\n", 1) if "SLACK_BOT" in text else text
    return "start_unit triagebook.service\n" if block.mark == "run: by systemd" else block.text


def test_the_server_of_the_page_answers_in_slack(tmp_path: Path) -> None:
    blocks = machine.pasted("slack.md")
    by_systemd = next(block for block in blocks if block.mark == "run: by systemd")
    blocks.sort(key=lambda block: block is by_systemd)  # the settings of the third part are there at that start
    with emulator.running(tmp_path) as workspace, gate.running(workspace) as slack:
        port, ana = slack.url.rpartition(":")[2], workspace.users["ann"]
        path = tmp_path / "slack.sock"
        script = [
            f'{sys.executable} {relay.__file__} {port} {path} & running="$running $!"\n',
            f"sed -i 's|accounts: \\[{{os: ana}}|&, {{slack: {workspace.team}/{ana}}}|' /etc/triagebook-serve/policy.yaml\n",
            f"install -d -o triagebook-serve {shlex.quote(CONFIG)}\n",
            *(script_of(block, slack) for block in blocks),
        ]
        with relay.opened(str(path), int(port)), machine.held("".join(script)) as said:
            until(lambda: slack.is_connected, "Socket Mode")
            assert "\nok      bot token: " in said()
            channels, driver = Channels(slack), Driver(slack, Socket(slack))
            driver.command("ann", 'web01 symptom="fork: retry"', command="/memory")  # of the page's config.yaml
            channels.card("incidents", "INCONCLUSIVE · web01")
