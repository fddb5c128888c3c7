"""`triagebook serve --mcp` as it is started: one process, one inventory, one ssh configuration for every face."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import anyio
from mcp import Client

from tests import sshd
from tests.command import environment
from tests.hang import GUARD_S

POLICY = """\
apiVersion: triagebook/policy/v1
persons: {ann: {accounts: [{os: ann}]}}
rules: [{name: everybody, allow: [diagnose], who: [unmapped]}]
"""


@contextmanager
def served(directory: Path, *options: str) -> Iterator[str]:
    """A server with a home of its own; gives its address."""
    (directory / "data").mkdir(mode=0o700)
    (directory / "policy.yaml").write_text(POLICY)
    (directory / "policy.yaml").chmod(0o644)
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "serve", "--mcp", "127.0.0.1:0", *options]
    command += ["--data", str(directory / "data"), "--socket", str(directory / "socket"), "--socket-mode", "0600"]
    command += ["--policy", str(directory / "policy.yaml")]
    with Popen(command, env=environment(directory / "home"), stderr=PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "server.listening face=mcp" in line)
            yield f"http://{said.split('address=')[1].strip()}"
        finally:
            process.terminate()
            process.wait(GUARD_S)


def diagnosed(address: str, host: str) -> Any:
    async def main() -> Any:
        async with Client(address) as client:
            return await client.call_tool("diagnose", {"host": host})

    return anyio.run(main)


def test_a_host_is_reached_by_the_servers_own_files_and_never_by_a_persons(tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    (tmp_path / "home" / ".ssh" / "config").write_text("Host box\n  HostName 127.0.0.1\n  Port 1\n")
    (tmp_path / "inventory.yaml").write_text("hosts: {db01: {ssh: box}}\n")
    with sshd.ground() as ground, ground.sshd() as box:
        options = ("--ssh-config", str(box.config), "--inventory", str(tmp_path / "inventory.yaml"))
        with served(tmp_path, *options) as address:
            answer = diagnosed(address, "db01")
            assert not answer.is_error, answer
            assert answer.structured_content["status"] != "unreachable"
            assert diagnosed(address, "box").is_error  # what ssh calls it is no name of the inventory
