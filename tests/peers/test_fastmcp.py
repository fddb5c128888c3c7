"""An independent client goes from the verdict to a validated fix; a person approves by the command line in between."""

from pathlib import Path

import pytest

from tests.hang import GUARD_S
from tests.peers import peers
from tests.system.mcp import persons


@pytest.mark.timeout(2 * GUARD_S)
@pytest.mark.skipif(peers.NO_FASTMCP is not None, reason=str(peers.NO_FASTMCP))
@pytest.mark.skipif(persons.NOT_ROOT is not None, reason=str(persons.NOT_ROOT))
def test_fastmcps_client_drives_the_order_and_a_person_approves(tmp_path: Path) -> None:
    starter, server = persons.start(tmp_path)
    command = [*persons.COMMAND, "mcp", "--socket", str(server.socket)]
    hosts = {"diagnosed": "replay:unit-tasksmax", "wish": {"host": "web-01", "remediation": "raise_tasks_max"}}
    try:
        first, done = peers.driven(server.socket, {"command": command, "environment": persons.home(tmp_path), **hosts})
    finally:
        starter.end()
    assert len(first["tools"]) == 9
    assert (first["status"], first["prompt"]) == ("cause_found", 1)
    assert "not_approved" in first["early"]
    assert done["state"] == "validated"
