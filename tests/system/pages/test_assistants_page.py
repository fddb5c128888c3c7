"""docs/how-to/assistants.md pasted as it is written: an assistant's own file, and the server over HTTP with each set of options."""

import json

import pytest

from tests.hang import GUARD_S
from tests.system.pages import machine

pytestmark = pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not())
PASTED = [block for block in machine.pasted("assistants.md") if not block.mark.startswith("run: nowhere")]
SERVED = [block.text for block in PASTED if block.mark == machine.OPTIONS]
FILE = "/etc/triagebook-serve/environment"


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    assert machine.unmarked("assistants.md") == []
    assert len(SERVED) == 2


def test_an_assistant_is_given_triagebook_as_the_page_says() -> None:
    (line,) = [block.text.strip() for block in PASTED if block.mark == "run: here, as ana"]
    done = machine.run(
        f"as_ana '{line}'\n[ ! -e /run/ana/.claude.json ]\nas_ana '{line} --write'\ncat /run/ana/.claude.json\n", 10 * GUARD_S
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    entry = json.loads(done.stdout[done.stdout.rindex("\n{\n") :])["mcpServers"]["triagebook"]
    assert entry["args"] == ["mcp"]


@pytest.mark.parametrize(("command", "path"), list(zip(SERVED, ("/mcp", "/mcp/slack"), strict=True)), ids=["OAuth", "Slackbot"])
def test_the_server_refuses_who_has_no_token_with_the_options_of_the_page(command: str, path: str) -> None:
    options = "--mcp " + command.strip().partition(" --mcp ")[2]
    ask = f"curl -s -o /run/answer -w %{{http_code}} -X POST http://127.0.0.1:8765{path}"
    script = f"""printf '%s\\n' 'SLACK_SIGNING_SECRET=0123456789abcdef' 'TRIAGEBOOK_OPTIONS={options}' >{FILE}
start_unit triagebook.service
await triagebook.service 'grep -q "face=mcp" /run/triagebook.service.log'
await triagebook.service '{ask} -H "Host: triage.example" | grep -q .'
[ "$({ask} -H 'Host: triage.example')" = 401 ] || {{ {ask} -H 'Host: triage.example'; cat /run/answer; exit 70; }}
"""
    done = machine.run(script, 10 * GUARD_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
