"""docs/how-to/alerts.md pasted as it is written: rules, a real Alertmanager with the delivered route, an alert, its record."""

import json
import shlex

import pytest

from tests.command import ROOT
from tests.hang import GUARD_S
from tests.system.alerts.prometheus import PROGRAMS, UNPACKED, UNSHARED, WHY_NOT
from tests.system.fixes.serve_page import blocks, file_of
from tests.system.pages import machine

pytestmark = pytest.mark.skipif(bool(machine.why_not() or WHY_NOT), reason=machine.why_not() or WHY_NOT)
(POLICY,) = (block.text for block in blocks(machine.PAGES / "alerts.md") if block.text.startswith("rules:\n  - {name: alerts look"))
ALERT = {
    "labels": {"alertname": "HostNearThreadsMax", "job": "node", "instance": "web01:9100", "severity": "critical"},
    "annotations": {"symptom": "fork: retry: Resource temporarily unavailable"},
}
# Alertmanager as its package starts it: its own account, port 9093.
PROMETHEUS = """id -u prometheus >/dev/null 2>&1 || useradd --system prometheus
mkdir -p /etc/prometheus
"""
ALERTMANAGER = f"""install -d -o prometheus /run/alertmanager
{shlex.join(UNSHARED)} {UNPACKED / "share"} setpriv --reuid prometheus --regid prometheus --clear-groups \\
  {PROGRAMS["prometheus-alertmanager"]} \\
  --config.file={ROOT}/deploy/alerts/alertmanager.yaml --storage.path=/run/alertmanager --cluster.listen-address= \\
  --web.listen-address=127.0.0.1:9093 >/run/alertmanager.log 2>&1 & running="$running $!"
until curl -sf -o /dev/null -H 'Content-Type: application/json' -d {shlex.quote(json.dumps([ALERT]))} \\
  http://127.0.0.1:9093/api/v2/alerts; do sleep 0.2; done
"""
KEY = """KEY=$(as_ana 'triagebook audit verify' | sed -n 's/.*\\(triagebook[^ ]*+[0-9a-f]*+[^ ]*\\).*/\\1/p' | head -1)
export KEY
"""


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    assert machine.unmarked("alerts.md") == []


def test_an_alert_of_a_real_alertmanager_is_answered_and_recorded_as_the_page_says() -> None:
    allow = POLICY.removeprefix("rules:\n").strip()
    script = [f"sed -i '/^rules:/a \\  {allow}' /etc/triagebook-serve/policy.yaml\n", PROMETHEUS]
    for block in machine.pasted("alerts.md"):
        if block.mark.startswith("file: "):
            script.append(file_of(block))
        elif block.mark == "run: here":
            script.append(block.text)
        elif block.mark == "run: by systemd":
            script += ["start_unit triagebook.service\n", "await triagebook.service '[ -S /run/triagebook/triagebook.sock ]'\n"]
        else:
            if block.text.startswith("triagebook alerts"):
                script.append(ALERTMANAGER)
                script.append("await triagebook.service 'grep -q \"alert.answered host=web01\" /run/triagebook.service.log'\n")
            script += [KEY if "$KEY" in block.text else "", *(f"as_ana {shlex.quote(line)}\n" for line in block.text.splitlines())]
    done = machine.run("".join(script), 10 * GUARD_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    alerts, history = done.stdout[done.stdout.index("FIRING  web01") :].split("  answer  ", 1)
    assert "HostNearThreadsMax" in alerts.splitlines()[0]
    assert "by alert:prometheus" in history.splitlines()[0]
    assert history.splitlines()[-1].startswith("The record is intact: its line is in the signed log of ")
