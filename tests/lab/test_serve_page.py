"""docs/how-to/serve.md on a real guest: two persons, one broken host, one fix; every command pasted as it is written.

The server's machine is this one in a mount namespace (see tests/system/fixes/serve_page.py). `web01` is an address of loopback
whose port 22 leads to the guest's sshd.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import lab
from tests.hang import GUARD_S
from tests.lab import keys
from tests.lab.machines import Machine
from tests.lab.proxy import Proxy
from tests.system.fixes import serve_page
from tests.system.fixes.serve_page import Block, blocks, file_of, is_here

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1500)]
ADDRESS = "127.77.0.1"
HELD = serve_page.MACHINE + "echo $$; read -r _end || true; rm -rf /tmp/etc.$$"
# What the person at the keyboard had before the first page: a name that resolves, and root's own way into the host.
BEFORE = f"""mountpoint -q /root || mount -t tmpfs -o mode=0700 tmpfs /root
install -D -m 600 {{key}} /root/.ssh/id_ed25519
echo 'web01 {{host_key}}' >/root/.ssh/known_hosts
echo '{ADDRESS} web01' >>/etc/hosts
"""
DATA = "/var/lib/triagebook"
FIX = "F-..."
CAUSE_FOUND = 1


class ServerMachine:
    """The namespace that holds the server's machine; commands enter it one by one, as root or as a person with an account."""

    def __init__(self, pid: str) -> None:
        self._enter = ("nsenter", "--mount", "--target", pid, "--wd=/", "env", "-i", "TERM=xterm", "LC_ALL=C.UTF-8")
        self._enter += ("PATH=/opt/triagebook-serve/bin:/usr/sbin:/usr/bin:/sbin:/bin",)

    def argv(self, line: str, person: str = "root") -> tuple[str, ...]:
        """How a line of shell is run there."""
        if person == "root":
            return (*self._enter, "HOME=/root", "sh", "-c", line)
        groups = ("--reuid", person, "--regid", person, "--init-groups")
        return (*self._enter, "HOME=/run", "setpriv", *groups, "sh", "-c", line)

    def paste(self, line: str, person: str = "root", *, says: str = "", ends: int = 0) -> str:
        """Run a line and return all it printed. `says` is typed at a terminal. Raises AssertionError: it ended otherwise."""
        if says:  # a terminal, which is asked and answered
            line = f"script -qefc '{line}' /dev/null"
        argv = self.argv(line, person)
        done = subprocess.run(argv, input=says or None, capture_output=True, text=True, timeout=2 * GUARD_S, check=False)
        print(f"\n[{person}] $ {line}\n{done.stdout}{done.stderr}")
        assert done.returncode == ends, (line, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout + done.stderr


@contextmanager
def server_machine() -> Iterator[ServerMachine]:
    """One that lasts as long as it is entered."""
    argv = ["unshare", "--mount", "sh", "-c", HELD]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        yield ServerMachine(holder.stdout.readline().strip())


@contextmanager
def started(server: ServerMachine) -> Iterator[None]:
    """The unit's own line, under the unit's account, as systemd would start it."""
    unit = "/etc/systemd/system/triagebook.service"
    line = f"""install -d -o triagebook-serve -g triagebook-serve -m 0755 /run/triagebook
groups=$(getent group triagebook-users | cut -d: -f3)
command=$(sed -n 's/^ExecStart=//p' {unit})
exec >/run/serve.log 2>&1
eval "exec setpriv --reuid triagebook-serve --regid triagebook-serve --groups $groups env HOME={DATA} $command" """
    with subprocess.Popen(server.argv(line)) as process:
        try:
            lives = f"grep -q '^State:.[^Z]' /proc/{process.pid}/status"
            server.paste(
                f"until [ -S /run/triagebook/triagebook.sock ]; do {lives} || {{ cat /run/serve.log; exit 70; }}; sleep 0.2; done"
            )
            yield
        finally:
            process.terminate()


@pytest.fixture
def guest() -> Iterator[Machine]:
    if not serve_page.can_run():
        pytest.skip("needs root and mount namespaces")
    try:
        with lab.machine("debian-12", "serve-page") as machine:
            yield machine
    except lab.NotAvailable as why:
        pytest.skip(str(why))


@pytest.fixture
def web01(guest: Machine) -> Iterator[Machine]:
    """The guest, reached at its own address by the usual port."""
    try:
        proxy = Proxy(guest.state.port, (ADDRESS, 22))
    except OSError as error:
        pytest.skip(f"{ADDRESS}:22: {error.strerror}")
    with proxy:
        yield guest


class Reader:
    """Follows the page: what it says to paste is pasted, with the id of the newest plan in the place of `F-...`."""

    def __init__(self, server: ServerMachine) -> None:
        self.server, self.fix, self.printed = server, "", ""

    def follow(self, block: Block) -> str:
        """Paste a block, line by line as the person it is for; return what was printed."""
        if block.mark.startswith("file: "):
            return self.server.paste(file_of(block))
        _run, _comma, person = block.mark.partition(", as ")
        said = [self._paste(line, person or "root") for line in block.text.splitlines()]
        return "".join(said)

    def _paste(self, line: str, person: str) -> str:
        line = line.replace(FIX, self.fix)
        said = self.server.paste(
            line, person, says="y\n" if " approve F-" in line else "", ends=CAUSE_FOUND if "diagnose --server" in line else 0
        )
        if re.search(r"fix (propose|persist|revert) ", line):
            found = re.search(r"^(F-\w+)  PROPOSED$", said, re.MULTILINE)
            assert found, said
            self.fix = found[1]
        return said


def test_a_server_two_persons_and_a_host_are_set_up_and_a_fix_is_made_and_undone_as_the_page_says(web01: Machine) -> None:
    pasted = [block for block in blocks() if block.mark and not block.mark.startswith("run: nowhere")]
    boundary = next(number for number, block in enumerate(pasted) if block.mark == "run: by systemd")
    assert all(is_here(block) for block in pasted[:boundary])
    undo = next(number for number, block in enumerate(pasted) if "fix revert" in block.text)
    with server_machine() as server:
        server.paste(BEFORE.format(key=keys.client_key(), host_key=keys.public(keys.host_key())))
        reader = Reader(server)
        for block in pasted[:boundary]:
            reader.follow(block)
        with started(server):
            context = web01.inject("unit-tasksmax")
            fixes, live = [], {}
            for block in pasted[boundary + 1 : undo]:
                said = reader.follow(block)
                if "fix apply" in block.text:
                    assert f"{reader.fix}  VALIDATED" in said
                    fixes.append(reader.fix)
                    live[reader.fix] = web01.agent.do("read", f"{web01.cgroup_directory(context.cgroup)}/pids.max").strip()
            assert list(live.values()) == ["400", "400"]
            web01.agent.check("kill", "-USR1", str(context.pid))  # the load is gone
            for fix in reversed(fixes):
                reader.fix = fix
                said = "".join(reader.follow(block) for block in pasted[undo:])
                assert f"{reader.fix}  VALIDATED" in said
                assert f"{fix}  REVERTED" in server.paste(f"triagebook fix show {fix}", "ben")
            assert web01.agent.do("read", f"{web01.cgroup_directory(context.cgroup)}/pids.max").strip() == "24"
            assert "triagebook" not in web01.agent.check("find", "/etc/systemd/system", "-name", "*.conf")
