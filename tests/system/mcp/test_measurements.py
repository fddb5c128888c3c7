"""The figures that are promised, measured in one run beside what they are compared with."""

from pathlib import Path

import pytest

from tests import sshd
from tests.system.mcp import measure


@pytest.mark.alone
@pytest.mark.timeout(400)
@pytest.mark.skipif(sshd.WHY_NOT is not None, reason=str(sshd.WHY_NOT))
def test_a_warm_server_adds_little_and_fifty_calls_leave_it_answering(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = measure.measured(tmp_path, rounds=3)
    assert found["pairs"] > 0, found
    assert found["through_ms"] <= 1.3 * found["own_ms"], found
    assert found["idle_mb"] < 100, found
    assert found["other_call_meanwhile_ms"] < found["fifty_s"] * 1000, found
    if found["peer_first_answer_s"] is not None:
        assert found["first_answer_s"] < found["peer_first_answer_s"], found
