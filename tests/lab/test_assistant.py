"""An assistant that nobody here wrote, a server as it is started, a person at a terminal, and a host that is really broken."""

import subprocess
from pathlib import Path

import pytest

from tests import lab
from tests.lab.approval_server import install
from tests.peers import peers
from tests.system.mcp import persons


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(peers.NO_FASTMCP is not None, reason=str(peers.NO_FASTMCP))
@pytest.mark.skipif(persons.NOT_ROOT is not None, reason=str(persons.NOT_ROOT))
def test_an_assistant_goes_from_the_verdict_to_a_validated_fix(tmp_path: Path) -> None:
    try:
        guest = lab.up("debian-12", "assistant")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    try:
        installed = install(guest, tmp_path)
        context = guest.inject("unit-tasksmax")
        inventory = tmp_path / "inventory.yaml"
        inventory.write_text(f"hosts: {{worker01: {{ssh: {guest.alias()}}}}}\n")  # the name here is not the one ssh has
        policy = tmp_path / "policy.yaml"
        policy.write_text(persons.POLICY)
        policy.chmod(0o644)
        socket, config = tmp_path / "socket", str(guest.ssh_config)
        command = [*persons.COMMAND, "serve", "--data", str(installed.data), "--socket", str(socket), "--socket-mode", "0666"]
        command += ["--policy", str(policy), "--inventory", str(inventory), "--ssh-config", config]
        server = subprocess.Popen([*command, "--fix-ssh-config", str(installed.fix_config)], stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            assert any("server.ready" in line for line in server.stderr)
            asked = {
                "command": [*persons.COMMAND, "mcp", "--socket", str(socket), "--inventory", str(inventory), "-F", config],
                "environment": persons.home(tmp_path),
                "diagnosed": "worker01",
                "wish": {"host": "worker01", "remediation": "raise_tasks_max", "parameters": {"limit": 400}},
            }
            first, done = peers.driven(socket, asked, timeout_s=120)
        finally:
            server.terminate()
            server.wait(30)
        assert (first["status"], done["state"]) == ("cause_found", "validated"), done
        assert "not_approved" in first["early"]
        limit = guest.agent.do("read", f"{guest.cgroup_directory(context.cgroup)}/pids.max")
        assert int(limit) == 400
    finally:
        lab.down(guest.name)
