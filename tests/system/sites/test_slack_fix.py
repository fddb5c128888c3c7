"""From Slack's click to the validated change, of a host in a closed network that only the workers of its site reach.

The host is a real sshd and the real helper in a network and a mount namespace of their own, where the limit of mappings is a file:
the collector reads what the helper wrote.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from triagebook.bot.cli.serve import parts
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.inbound.http import Endpoint
from triagebook.bot.slack.settings import Credentials, slack_settings
from triagebook.tools.actions.orders import OrderKey
from triagebook.tools.diagnosis import setup
from triagebook.tools.files import private_directory
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.server.options import ServeOptions, server_hosts
from triagebook.tools.server.run import open_server
from triagebook.tools.server.web import listen
from triagebook.tools.settings import SiteSettings

from tests import nats, sshd
from tests.namespaces import HUB, Namespace, closed_networks, why_not
from tests.system.helper.scratch_host import ScratchHost
from tests.system.sites.conftest import Network
from tests.system.slack import gate, workspace
from tests.system.slack.driver import SECRET, Driver, Http
from tests.system.slack.workspace import TOKEN
from tests.system.slack.world import Channels, policy, until

LIMIT, MORE = 20_000, 40_000
VALUE = "vm/max_map_count"
FILLER = f"""
import ctypes, time
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
have = sum(1 for _ in open("/proc/self/maps"))
for n in range({LIMIT} - have + 8):
    libc.mmap(None, 4096, 1 if n % 2 else 3, 0x22, -1, 0)
print(sum(1 for _ in open("/proc/self/maps")), flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True)
class WithFile(Namespace):
    """A network namespace, and in it a mount namespace where a kernel value is a file."""

    file: Path

    def argv(self, *command: str) -> list[str]:
        bind = f'mount --bind {self.file} /proc/sys/{VALUE} && exec "$@"'
        return super().argv("unshare", "--mount", "sh", "-c", bind, "sh", *command)


@contextmanager
def full_process() -> Iterator[None]:
    """A process with as many mappings as the limit lets one have."""
    process = subprocess.Popen([sys.executable, "-c", FILLER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert int(process.stdout.readline()) >= LIMIT
        yield
    finally:
        process.kill()
        process.communicate()


def prepare(host: ScratchHost) -> None:
    """Let the host be this machine, with a helper that `sudo` starts."""
    host.write(f"proc/sys/{VALUE}", f"{LIMIT}\n")
    host.write("proc/sys/kernel/random/boot_id", Path("/proc/sys/kernel/random/boot_id").read_text())
    host.write("bin/sudo", f"#!/bin/sh\nexec env -i {' '.join(host.shell)} {host.helper}\n", 0o755)


def test_from_the_click_to_the_validated_change_behind_a_site(place: sshd.Ground, tmp_path: Path) -> None:
    if why := why_not() or nats.WHY_NOT:
        pytest.skip(why)
    if int(Path(f"/proc/sys/{VALUE}").read_text()) < LIMIT:
        pytest.skip("this machine allows fewer mappings")
    nobody = tmp_path / "no_ssh_config"  # the server's own: it reaches no host by itself
    nobody.write_text("")
    with ExitStack() as stack:
        enter = stack.enter_context
        a, b = enter(closed_networks("a", "b"))
        host = enter(ScratchHost())
        prepare(host)
        bus = enter(nats.nats(tmp_path, "eu1", "us1", address=HUB))
        path = f"{host.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        within = WithFile(a.name, a.address, host.path(f"proc/sys/{VALUE}"))
        box = enter(place.sshd({"PermitRootLogin": "yes", "SetEnv": f"PATH={path}"}, alias="box", within=within))
        box.config.write_text(box.config.read_text().replace(f"User {place.user}", "User root"))
        network = Network(bus, box.config, tmp_path)
        for site, space in (("eu1", a), ("us1", b)):
            fixes = ("--fix-ssh-config", str(box.config), "--fix-account", "root", "-v")
            enter(network.worker(site, *fixes, within=space))
        enter(full_process())

        (tmp_path / "inventory.yaml").write_text("hosts: {web-01: {ssh: box, site: eu1}}\n")
        site_settings = SiteSettings(bus.url, bus.creds["server"], bus.authority)
        hosts = server_hosts(replace(setup.settings(), inventory=(str(tmp_path / "inventory.yaml"),), sites=site_settings), nobody)
        stack.callback(lambda: hosts.sites.client().close())
        through = enter(gate.running(enter(workspace.in_memory())))
        (tmp_path / "policy.yaml").write_text(policy(through))
        data = private_directory(tmp_path / "data")
        options = ServeOptions(data=data, socket=tmp_path / "socket", policy=tmp_path / "policy.yaml")
        server = enter(open_server(options, parts(hosts, nobody, "triagebook-fix")))
        host.trust(OrderKey(server.keys.orders).public())
        settings = slack_settings({"approvals": through.workspace.channels["approvals"]}, (hosts.default_runbook(),))
        face = faces.build(server, hosts, settings, Credentials(TOKEN, "xapp-test", SECRET, f"{through.url}/api/"))
        endpoint = Endpoint()
        enter(faces.run(face, endpoint=endpoint))
        driver = Driver(through, Http(enter(listen("127.0.0.1:0", endpoint, "slack-http"))))
        until(lambda: face.context.ourselves.team, "auth.test")
        channels = Channels(through)

        proposal = Proposal("web-01", "raise_max_map_count", runbook="enomem", parameters={"value": MORE})
        fix = server.service.propose(Actor(Account("os", "", "ann"), "cli"), proposal)
        card = channels.card("approvals", "APPROVAL NEEDED: web-01")
        assert host.sysctl(VALUE) == str(LIMIT)
        driver.click("bob", card, names.APPROVE)
        done = channels.card("approvals", "DONE AND VALIDATED: web-01")
        assert (done["ts"], fix.id in done["text"]) == (card["ts"], True)
        assert host.sysctl(VALUE) == str(MORE)
