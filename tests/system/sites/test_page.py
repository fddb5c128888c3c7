"""The commands of docs/how-to/sites.md, with the nats-server.conf that is delivered: as written, but for addresses and folders."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from triagebook.tools.sites.transport import HOLD_S

from tests import nats, sshd
from tests.command import ROOT, Triagebook, environment
from tests.hang import GUARD_S
from tests.system.sites.conftest import READ, START, until

PAGE = (ROOT / "docs" / "how-to" / "sites.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("triagebook ")]
CONFIGURATION, INVENTORY = (next(block for block in BLOCKS if block.startswith(word)) for word in ("sites:", "hosts:"))
PUBLIC = "nats.example.com:4222"
RELOADED = "Reloaded server configuration"


@contextmanager
def nats_server(folder: Path) -> Iterator[nats.Nats]:
    """A nats-server with the delivered configuration, in which nobody is known yet."""
    if nats.PROGRAM is None:
        pytest.skip(str(nats.WHY_NOT))
    made = nats.Nats(folder, sshd.free_port())
    nats.make_certificate(folder)
    text = (ROOT / "deploy" / "nats" / "nats-server.conf").read_text()
    changed = text.replace("port: 4222", f"host: 127.0.0.1\nport: {made.port}").replace("/etc/nats/", f"{folder}/")
    assert changed.count(str(folder)) == 2
    (folder / "nats-server.conf").write_text(changed)
    made.start()
    try:
        yield made
    finally:
        assert made.process
        sshd.end(made.process)


def set_users(bus: nats.Nats, lines: str) -> None:
    """Write the users into the configuration and have it read: `nats-server --signal reload`, which needs a pid beside others."""
    file = bus.folder / "nats-server.conf"
    before, rest = file.read_text().split("users: [\n", 1)
    file.write_text(f"{before}users: [\n{lines}  ]{rest.partition('  ]')[2]}")
    assert "`nats-server --signal reload`" in PAGE
    assert nats.PROGRAM
    assert bus.process
    log = bus.folder / "nats.log"
    reloads = log.read_text().count(RELOADED)
    subprocess.run([nats.PROGRAM, "--signal", f"reload={bus.process.pid}"], check=True, capture_output=True)
    until(lambda: log.read_text().count(RELOADED) > reloads, "the nats-server does not read its configuration again")


def command(starts: str) -> list[str]:
    """The one command of the page that begins so, as words."""
    (found,) = [line for line in COMMANDS if line.startswith(f"triagebook {starts}")]
    return shlex.split(found)[1:]


def test_the_page_leads_from_nothing_to_a_host_of_another_network(tmp_path: Path, place: sshd.Ground) -> None:
    home = tmp_path / "home"
    config = home / ".config" / "triagebook"
    config.mkdir(parents=True)
    person = Triagebook(home)
    with nats_server(tmp_path) as bus, place.sshd(alias="web09") as box:
        printed = [person(*command(starts)) for starts in ("site init", "site add")]
        assert [run.status for run in printed] == [0, 0], printed
        set_users(bus, "".join(run.out for run in printed))

        for name in ("server.creds", "eu1.creds"):
            assert (home / name).stat().st_mode & 0o777 == 0o600
        (home / "server.creds").rename(config / "server.creds")
        (config / "ca.pem").write_bytes(bus.authority.read_bytes())
        (config / "config.yaml").write_text(CONFIGURATION.replace(PUBLIC, f"127.0.0.1:{bus.port}"))
        (config / "inventory.yaml").write_text(INVENTORY)
        run = person(*command("site list"))
        assert (run.status, run.out) == (4, "eu1  3 hosts  no worker (none has answered yet)\n"), run.err

        site = tmp_path / "site"
        site.mkdir(mode=0o700)
        (home / "eu1.creds").rename(site / "eu1.creds")
        (site / "ca.pem").write_bytes(bus.authority.read_bytes())
        (site / "ssh_config").write_text(box.config.read_text())
        words = [word.replace(PUBLIC, f"127.0.0.1:{bus.port}") for word in command("worker")]
        with (site / "log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-c", START, *words], cwd=site, env=environment(site), stdout=log, stderr=log
            )
        try:
            until(lambda: "sites.connected" in (site / "log").read_text(), (site / "log").read_text())
            run = person(*command("site list"))
            assert (run.status, run.out.splitlines()[0]) == (0, "eu1  3 hosts  1 worker"), run
            run = person(*command("diagnose"), "--json", "-r", "enomem", "--accept-unknown", "max_map_count")
            (said,) = run.json()
            assert (said["status"] in READ, said["target"]["transport"]) == (True, "ssh:one-flight via site eu1"), run.err

            given_back = lambda: " 0 of 200 hosts in hand" in person(*command("site list")).out  # noqa: E731
            until(given_back, "the command ended, and its session did not", HOLD_S / 2)
            set_users(bus, printed[0].out)  # the key of the site is taken away
            until(lambda: "sites.not_connected" in (site / "log").read_text(), "the worker is still connected")
            run = person(*command("diagnose"))
            assert run.status == 4
            assert "no worker for site eu1 since " in run.out
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(GUARD_S)


def test_the_unit_of_the_worker_runs_the_command_of_the_page() -> None:
    unit = (ROOT / "deploy" / "systemd" / "triagebook-worker.service").read_text()
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)
    folder = "/etc/triagebook-worker/"
    assert shlex.split(line.replace(folder, "")) == command("worker")


def test_every_message_of_the_page_is_one_that_is_said() -> None:
    said = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE) + re.findall(r"^\| `\(([^`]+)\)` \|", PAGE, re.MULTILINE)
    code = "".join(path.read_text() for path in (ROOT / "tools" / "sites").glob("*.py"))
    assert len(said) >= 6
    for words in said:
        pieces = [piece for piece in re.split(r"eu1|14:02|[()]", words) if piece.strip()]
        assert all(piece.strip() in code for piece in pieces), words
