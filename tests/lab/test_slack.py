"""A broken guest is diagnosed and fixed from Slack: one asks, another approves, the helper changes it, and it is put back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from triagebook.bot.cli.serve import hosts_of, parts
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.face import Face
from triagebook.bot.slack.inbound.http import Endpoint
from triagebook.bot.slack.settings import Credentials, slack_settings
from triagebook.tools.server.options import Hosts, ServeOptions
from triagebook.tools.server.run import RunningServer, open_server
from triagebook.tools.server.web import listen

from tests import lab
from tests.lab.approval_server import install
from tests.lab.scenario import Context
from tests.system.slack import emulator, gate
from tests.system.slack.driver import SECRET, Driver, Http, Socket
from tests.system.slack.emulator import NO_SLACK
from tests.system.slack.gate import Gate
from tests.system.slack.paths import fix_of, form, proposed, reason
from tests.system.slack.workspace import TOKEN
from tests.system.slack.world import Channels, policy, until

Way = Callable[[ExitStack, Face, Gate], Http | Socket]
SLOW_S = 180  # a guest without hardware virtualisation


@dataclass(kw_only=True)
class LabSlack(Channels):
    """What Slack shows, and who clicks."""

    driver: Driver


@pytest.fixture(scope="module")
def guest() -> Iterator[lab.Machine]:
    try:
        machine = lab.up("debian-12", "slack")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    yield machine
    lab.down(machine.name)


def over_http(stack: ExitStack, face: Face, _through: Gate) -> Http:
    endpoint = Endpoint()
    stack.enter_context(faces.run(face, endpoint=endpoint))
    return Http(stack.enter_context(listen("127.0.0.1:0", endpoint, "slack-http")))


def over_socket(stack: ExitStack, face: Face, through: Gate) -> Socket:
    stack.enter_context(faces.run(face, Credentials(TOKEN, "xapp-test", "", f"{through.url}/api/")))
    until(lambda: through.is_connected, "Socket Mode")
    return Socket(through)


def shown(stack: ExitStack, through: Gate, place: RunningServer, hosts: Hosts, way: Way) -> LabSlack:
    """A server's face in that Slack, and the people who click there."""
    settings = slack_settings({"approvals": through.workspace.channels["approvals"]}, (hosts.default_runbook(),))
    face = faces.build(place, hosts, settings, Credentials(TOKEN, "xapp-test", SECRET, f"{through.url}/api/"))
    world = LabSlack(through, driver=Driver(through, way(stack, face, through)))
    until(lambda: face.context.ourselves.team, "auth.test")
    return world


def fix_and_put_back(guest: lab.Machine, context: Context, world: LabSlack) -> None:
    """From the command to the validated change of a unit at its task limit, and back; each is approved by another person."""
    limit_file = f"{guest.cgroup_directory(context.cgroup)}/pids.max"
    before = guest.agent.do("read", limit_file)
    card = proposed(world, timeout_s=SLOW_S, limit="400")
    world.driver.click("bob", card, names.APPROVE)
    done = world.card("approvals", "DONE AND VALIDATED: web-01", SLOW_S)
    assert (done["ts"], fix_of(done)) == (card["ts"], fix_of(card))
    assert guest.agent.do("read", limit_file).strip() == "400"

    guest.agent.run("systemctl", "stop", context.scenario.unit)  # below its present use nothing is put back
    world.driver.click("ann", done, names.REVERT)
    world.driver.submit("ann", form(world.gate, names.REVERT_VIEW), reason("shown to work"))
    back = world.card("approvals", "APPROVAL NEEDED: web-01", SLOW_S)
    world.driver.click("cid", back, names.APPROVE)
    assert world.card("approvals", "REVERTED: web-01", SLOW_S)["ts"] == card["ts"]
    guest.agent.run("systemctl", "start", context.scenario.unit)
    assert guest.agent.do("read", limit_file) == before


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(bool(NO_SLACK), reason=str(NO_SLACK))
@pytest.mark.parametrize("way", [over_http, over_socket], ids=["http", "socket"])
def test_from_the_command_to_the_validated_change_and_back(guest: lab.Machine, tmp_path: Path, way: Way) -> None:
    installed = install(guest, tmp_path)
    context = guest.inject("unit-tasksmax")
    try:
        with ExitStack() as stack:
            through = stack.enter_context(gate.running(stack.enter_context(emulator.running(tmp_path))))
            (tmp_path / "inventory.yaml").write_text(f"hosts: {{web-01: {{ssh: {guest.alias()}}}}}\n")
            (tmp_path / "policy.yaml").write_text(policy(through))
            hosts = hosts_of(guest.ssh_config, tmp_path / "inventory.yaml")
            options = ServeOptions(data=installed.data, socket=tmp_path / "socket", policy=tmp_path / "policy.yaml")
            place = stack.enter_context(open_server(options, parts(hosts, installed.fix_config, "triagebook-fix")))
            fix_and_put_back(guest, context, shown(stack, through, place, hosts, way))
    finally:
        guest.clear()
