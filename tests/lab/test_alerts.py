"""A unit of a guest reaches its limit: a real Prometheus and Alertmanager tell, and what follows is seen in one channel.

The card with the cause is there before anybody asks. One person proposes the fix that it offers, another approves it; the alert
resolves, and the card says so.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from triagebook.bot.cli.serve import hosts_of, parts
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.settings import Credentials, slack_settings
from triagebook.tools.alerts.face import alerts_face
from triagebook.tools.server.options import ServeOptions
from triagebook.tools.server.run import open_server

from tests import lab
from tests.command import ROOT
from tests.lab.approval_server import install, time_for_logins
from tests.lab.test_slack import SLOW_S, LabSlack, over_http
from tests.system.alerts.intake_world import SECRET as TOKEN_OF_PROMETHEUS
from tests.system.alerts.prometheus import WHY_NOT, monitoring
from tests.system.scenario.watch_process import watching
from tests.system.slack import gate, workspace
from tests.system.slack.driver import SECRET, Driver
from tests.system.slack.paths import fix_of, proposed_from_card
from tests.system.slack.test_alerts import said
from tests.system.slack.workspace import TOKEN
from tests.system.slack.world import Channels, policy, until

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]
LOOKS = "  - {name: alerts look, allow: [diagnose], who: [alerts]}\n"


@pytest.fixture
def guest() -> Iterator[lab.Machine]:
    try:
        machine = lab.up("debian-12", "alerts")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    yield machine
    lab.down(machine.name)


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_from_the_alert_to_the_validated_change_and_the_end_of_the_alert(guest: lab.Machine, tmp_path: Path) -> None:
    installed = install(guest, tmp_path)
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    files = {
        ".config/triagebook/inventory.yaml": f"hosts: {{web-01: {{ssh: {guest.alias('diag')}}}}}\n",
        "alerts.yaml": (ROOT / "deploy" / "alerts" / "alerts.yaml").read_text(),
        "prometheus.token": TOKEN_OF_PROMETHEUS,
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    inventory = tmp_path / ".config" / "triagebook" / "inventory.yaml"
    with ExitStack() as stack:
        stack.enter_context(time_for_logins())
        through = stack.enter_context(gate.running(stack.enter_context(workspace.in_memory())))
        (tmp_path / "policy.yaml").write_text(policy(through).replace("rules:\n", f"rules:\n{LOOKS}", 1))
        hosts = hosts_of(guest.ssh_config, inventory)
        options = ServeOptions(data=installed.data, socket=tmp_path / "socket", policy=tmp_path / "policy.yaml")
        place = stack.enter_context(open_server(options, parts(hosts, installed.fix_config, "triagebook-fix")))
        channels = {name: through.workspace.channels[name] for name in ("approvals", "alerts")}
        settings = slack_settings(channels, (hosts.default_runbook(),))
        face = faces.build(place, hosts, settings, Credentials(TOKEN, "xapp-test", SECRET, f"{through.url}/api/"))
        world = LabSlack(through, driver=Driver(through, over_http(stack, face, through)))
        until(lambda: face.context.ourselves.team, "auth.test")
        intake = alerts_face("127.0.0.1:0", tmp_path / "alerts.yaml", hosts, [face.alerts.show])
        port = stack.enter_context(intake(place))
        looks = ("--every=3", "--host-cpu=50", f"--textfile={metrics / 'watch.prom'}")
        stack.enter_context(watching(tmp_path, "web-01", "-F", str(guest.ssh_config), *looks))
        token = tmp_path / "prometheus.token"
        prometheus = stack.enter_context(monitoring(tmp_path / "monitoring", port, token, metrics))
        until(lambda: prometheus.query("triagebook_watch_up == 1"), "the watch's metrics")

        context = guest.inject("unit-tasksmax")
        card = until(lambda: card_of(world, "is firing", "CAUSE FOUND · web-01"), "the card of the alert")
        name = said(card).removesuffix(" is firing")
        assert "worker.service" in str(card)
        approval = proposed_from_card(world, "alerts", "web-01", timeout_s=SLOW_S, limit="400")
        world.driver.click("bob", approval, names.APPROVE)
        done = world.card("approvals", "DONE AND VALIDATED: web-01", SLOW_S)
        assert (done["ts"], fix_of(done)) == (approval["ts"], fix_of(approval))
        assert guest.agent.do("read", f"{guest.cgroup_directory(context.cgroup)}/pids.max").strip() == "400"
        ended = until(lambda: card_of(world, f"{name} resolved"), "the end of the alert")
        assert ended["ts"] == card["ts"]
        until(lambda: not prometheus.firing(), "every alert to resolve")


def card_of(world: Channels, state: str, words: str = "") -> dict[str, Any] | None:
    """The oldest card of an alert in that state whose text has these words."""
    told = [card for card in world.messages("alerts") if said(card).endswith(state) and words in card["text"]]
    return told[0] if told else None
