"""A key that was lost is never replaced in silence."""

import os
import pwd
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.server.keys import AUDIT_FILE, ORDER_FILE, fingerprint, open_keys

from tests.system.fixes.server import Starter


@pytest.mark.parametrize("lost", [AUDIT_FILE, ORDER_FILE])
def test_a_key_missing_beside_the_other_stops_the_start(tmp_path: Path, lost: str) -> None:
    directory = tmp_path / "keys"
    open_keys(directory)
    (directory / lost).unlink()
    for _ in range(2):
        with pytest.raises(TrustError, match="missing") as refused:
            open_keys(directory)
        assert refused.value.reason == "key"
    assert not (directory / lost).exists()


def test_each_start_records_which_keys_it_uses(starter: Starter) -> None:
    policy = starter.directory / "policy.yaml"
    me = pwd.getpwuid(os.geteuid()).pw_name
    policy.write_text(policy.read_text().replace("{os: dan}", f"{{os: {me}}}"))
    server = starter.start(policy=str(policy))
    keys = open_keys(starter.directory / "data" / "keys")
    (row,) = [row for row in server.ask("audit_list") if row["action"] == "serve_start"]
    assert row["detail"]["orders_key"] == fingerprint(keys.orders)
    assert row["detail"]["audit_key"].startswith("triagebook/")
