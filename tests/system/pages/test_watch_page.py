"""docs/how-to/watch.md pasted as it is written: three watches, one with metrics, and the service beside the approval server."""

import pytest

from tests.hang import GUARD_S
from tests.system.fixes.serve_page import file_of
from tests.system.pages import machine

pytestmark = pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not())
# What the person who reads the page has: an inventory of their own.
BEFORE = """mkdir -p /run/me/.config/triagebook
printf 'groups:\\n  web: [web01, db01]\\n  watched: [web01]\\n' >/run/me/.config/triagebook/inventory.yaml
export HOME=/run/me
"""


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    assert machine.unmarked("watch.md") == []


def test_the_watches_and_the_service_run_as_the_page_says() -> None:
    script = [BEFORE]
    for block in machine.pasted("watch.md"):
        if block.mark.startswith("file: "):
            script.append(file_of(block))
        elif block.mark == "run: each until Ctrl-C":
            script += [f"until_said '{line.partition('#')[0].strip()}' web01 db01\n" for line in block.text.splitlines()]
        elif block.mark == "run: by systemd":
            script.append("rm /var/lib/node_exporter/triagebook.prom\nstart_unit triagebook-watch.service\n")
        else:
            script.append(block.text)
    script.append(
        "await triagebook-watch.service \"grep 'triagebook_watch_up{host=.web01.} 1' /var/lib/node_exporter/triagebook.prom\"\n"
    )
    script.append("stat -c '%U %a' /var/lib/node_exporter/triagebook.prom\n")
    done = machine.run("".join(script), 10 * GUARD_S)
    assert done.returncode == 0, (done.stdout[-1500:], done.stderr[-3000:])
    assert done.stdout.count("DONE: ") == 4, done.stdout[-3000:]
    assert done.stdout.endswith("triagebook-serve 644\n"), done.stdout[-3000:]
