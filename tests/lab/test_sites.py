"""A broken guest that only the worker of its site reaches: from Slack's click to the validated change, and back."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from triagebook.bot.cli.serve import parts
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.settings import Credentials, slack_settings
from triagebook.tools.diagnosis import setup
from triagebook.tools.host_setup import layout
from triagebook.tools.server.options import ServeOptions, server_hosts
from triagebook.tools.server.run import open_server
from triagebook.tools.settings import SiteSettings

from tests import lab, nats
from tests.lab.approval_server import install, time_for_logins
from tests.lab.test_slack import SLOW_S, LabSlack, over_http
from tests.system.sites.conftest import Network
from tests.system.slack import gate, workspace
from tests.system.slack.driver import SECRET, Driver
from tests.system.slack.paths import fix_of, form, proposed, reason
from tests.system.slack.workspace import TOKEN
from tests.system.slack.world import policy, until

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def guest() -> Iterator[lab.Machine]:
    if nats.WHY_NOT:
        pytest.skip(nats.WHY_NOT)
    try:
        machine = lab.up("debian-12", "site")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    yield machine
    lab.down(machine.name)


def test_from_the_click_to_the_validated_change_and_back_behind_a_site(guest: lab.Machine, tmp_path: Path) -> None:
    installed = install(guest, tmp_path)
    context = guest.inject("unit-tasksmax")
    limit_file = f"{guest.cgroup_directory(context.cgroup)}/pids.max"
    before = guest.agent.do("read", limit_file)
    nobody = tmp_path / "no_ssh_config"  # the server's own: it reaches no host by itself
    nobody.write_text("")
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(time_for_logins())
        bus = enter(nats.nats(tmp_path, "eu1"))
        fixes = ("--fix-ssh-config", str(installed.fix_config), "--fix-account", layout.FIXER)
        enter(Network(bus, installed.config, tmp_path).worker("eu1", *fixes, settings="timeout: 60\n"))

        (tmp_path / "inventory.yaml").write_text(f"hosts: {{web-01: {{ssh: {guest.alias()}, site: eu1}}}}\n")
        sites = SiteSettings(bus.url, bus.creds["server"], bus.authority)
        hosts = server_hosts(
            replace(setup.settings(), inventory=(str(tmp_path / "inventory.yaml"),), sites=sites, timeout_s=60.0), nobody
        )
        stack.callback(lambda: hosts.sites.client().close())
        through = enter(gate.running(enter(workspace.in_memory())))
        (tmp_path / "policy.yaml").write_text(policy(through))
        options = ServeOptions(data=installed.data, socket=tmp_path / "socket", policy=tmp_path / "policy.yaml")
        place = enter(open_server(options, parts(hosts, nobody, layout.FIXER)))
        settings = slack_settings({"approvals": through.workspace.channels["approvals"]}, (hosts.default_runbook(),))
        face = faces.build(place, hosts, settings, Credentials(TOKEN, "xapp-test", SECRET, f"{through.url}/api/"))
        world = LabSlack(through, driver=Driver(through, over_http(stack, face, through)))
        until(lambda: face.context.ourselves.team, "auth.test")

        card = proposed(world, timeout_s=SLOW_S, limit="400")
        world.driver.click("bob", card, names.APPROVE)
        done = world.card("approvals", "DONE AND VALIDATED: web-01", SLOW_S)
        assert (done["ts"], fix_of(done)) == (card["ts"], fix_of(card))
        assert guest.agent.do("read", limit_file).strip() == "400"

        guest.agent.run("systemctl", "stop", context.scenario.unit)  # below its present use nothing is put back
        world.driver.click("ann", done, names.REVERT)
        world.driver.submit("ann", form(through, names.REVERT_VIEW), reason("shown to work"))
        back = world.card("approvals", "APPROVAL NEEDED: web-01", SLOW_S)
        world.driver.click("cid", back, names.APPROVE)
        assert world.card("approvals", "REVERTED: web-01", SLOW_S)["ts"] == card["ts"]
        guest.agent.run("systemctl", "start", context.scenario.unit)
        assert guest.agent.do("read", limit_file) == before
