"""`triagebook watch` of a host of a site: one session at a worker, and another worker where that one dies."""

from pathlib import Path
from typing import Any

from tests.hang import GUARD_S
from tests.system.scenario.watch_process import watching
from tests.system.sites.conftest import Network


def came(lines: list[dict[str, Any]]) -> int:
    """How many samples came whole."""
    return sum("did not come" not in line["headline"] and line["status"] != "unreachable" for line in lines)


def test_a_watch_goes_on_over_another_worker_when_its_own_dies(network: Network, tmp_path: Path) -> None:
    person = network.person("hosts:\n  box: {site: eu1}\n", name="watching")
    where = {"XDG_RUNTIME_DIR": str(tmp_path), "USER": "somebody"}
    with network.worker("eu1") as first, watching(person.home, "box", "-r", "enomem", "--every", "1", **where) as watch:
        lines = watch.wait(lambda lines: came(lines) >= 3, GUARD_S)
        assert [line["sample"] for line in lines[:3]] == [1, 2, 3]
        assert {line["host"] for line in lines} == {"box"}
        assert lines[2]["cost"]["cpu_ms"] > lines[0]["cost"]["cpu_ms"] > 0, "another session"
        first.process.kill()
        first.process.wait()
        with network.worker("eu1"):
            seen = len(watch.lines)
            watch.wait(lambda lines: came(lines[seen:]) >= 2, GUARD_S)
