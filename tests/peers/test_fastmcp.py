"""An independent client goes from the verdict to a validated fix; a person approves by the command line in between."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.mcp import persons
from tests.peers import peers


@pytest.mark.timeout(180)
@pytest.mark.skipif(peers.NO_FASTMCP is not None, reason=str(peers.NO_FASTMCP))
@pytest.mark.skipif(persons.NOT_ROOT is not None, reason=str(persons.NOT_ROOT))
def test_fastmcps_client_drives_the_order_and_a_person_approves(tmp_path: Path) -> None:
    starter, server = persons.start(tmp_path)
    command = [*persons.COMMAND, "mcp", "--socket", str(server.socket)]
    asked = json.dumps({"command": command, "environment": persons.home(tmp_path)})
    client = Path(__file__).with_name("fastmcp_client.py")
    try:
        with subprocess.Popen(
            [str(peers.FASTMCP), str(client), asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            assert len(first["tools"]) == 9
            assert (first["status"], first["prompt"]) == ("cause_found", 1)
            assert "not_approved" in first["early"]
            assert persons.approve(server.socket, first["fix"]["fix_id"], first["fix"]["digest"]) == 0
            rest, _ = process.communicate("go\n", timeout=60)
        assert json.loads(rest)["state"] == "validated"
    finally:
        starter.end()
