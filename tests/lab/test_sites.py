"""A broken guest that only the worker of its site reaches: from Slack's click to the validated change, and back."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from triagebook.bot.cli.serve import parts
from triagebook.tools.diagnosis import setup
from triagebook.tools.host_setup import layout
from triagebook.tools.server.options import ServeOptions, server_hosts
from triagebook.tools.server.run import open_server
from triagebook.tools.settings import SiteSettings

from tests import lab, nats
from tests.lab.approval_server import install, time_for_logins
from tests.lab.test_slack import fix_and_put_back, over_http, shown
from tests.system.sites.conftest import Network
from tests.system.slack import gate, workspace
from tests.system.slack.world import policy

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
        fix_and_put_back(guest, context, shown(stack, through, place, hosts, over_http))
