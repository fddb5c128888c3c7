"""A host where nothing can fork any more, diagnosed through the session of a watch that began before."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import lab
from tests.lab.judgement import wrong_with
from tests.system.scenario.watch_process import watching


@pytest.fixture(scope="module")
def guest() -> Iterator[list[lab.Machine]]:
    """A guest, in a list so that a test may put a fresh one in its place."""
    try:
        machine = lab.up("debian-12", "watch")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    kept = [machine]
    yield kept
    lab.down(kept[0].name)


def diagnosed(home: Path, machine: lab.Machine, symptom: str) -> dict[str, Any]:
    """What `triagebook diagnose` says, by a process of its own."""
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "diagnose", machine.alias("diag")]
    done = subprocess.run(
        [*command, "-F", str(machine.ssh_config), "--json", "--symptom", symptom],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario_id", ["threads-max", "pid-max"])
def test_a_host_exhausted_after_the_watch_began_is_diagnosed_in_full(
    guest: list[lab.Machine], tmp_path: Path, scenario_id: str
) -> None:
    machine = guest[0] = lab.reset(guest[0])
    scenario = lab.SCENARIOS[scenario_id]
    arguments = (machine.alias("diag"), "-F", str(machine.ssh_config), "--every", "5")
    with watching(tmp_path, *arguments, XDG_RUNTIME_DIR=str(tmp_path)) as watch:
        watch.wait(lambda lines: any(line["status"] != "unreachable" for line in lines), 120)
        machine.inject(scenario_id)
        assert machine.ssh("diag", "true").returncode != 0, "a new login still works: nothing is exhausted"
        answer = diagnosed(tmp_path, machine, scenario.symptom)
        assert answer["target"]["transport"] == "watch", answer["headline"]
        assert wrong_with(answer, scenario) == []
        assert answer["verdict"]["consumers"], "who uses it up"
        assert {check["id"]: check["outcome"] for check in answer["checks"]}[answer["verdict"]["cause"]] == "matched"
        seen = watch.wait(lambda lines: lines[-1]["status"] == "cause_found", 120)
        assert seen[-1]["verdict"]["cause"] == answer["verdict"]["cause"]
        assert "unreachable" not in {line["status"] for line in seen}
        machine.clear()
        watch.wait(lambda lines: lines[-1]["status"] not in {"cause_found", "unreachable"}, 180)


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_leak_is_told_with_the_time_that_is_left(guest: list[lab.Machine], tmp_path: Path) -> None:
    """By default a watch would look once a minute at a guest whose emulated processor takes 0.7 s for a sample."""
    machine = guest[0] = lab.reset(guest[0])
    arguments = (machine.alias("diag"), "-F", str(machine.ssh_config), "--every", "3", "--host-cpu", "50")
    with watching(tmp_path, *arguments) as watch:
        watch.wait(lambda lines: any(line["status"] != "unreachable" for line in lines), 120)
        machine.inject("leak")
        seen = watch.wait(lambda lines: any(trend["check"] == "pids_cgroup" for trend in lines[-1]["trends"]), 300)
    (told,) = [trend for trend in seen[-1]["trends"] if trend["check"] == "pids_cgroup"]
    trend, leaked_a_second = told["trend"], 2
    assert "leaky.service" in told["what"]
    assert told["limit"]["value"] == 300
    assert trend["readings"] >= 6
    assert trend["slope_per_s"] == pytest.approx(leaked_a_second, rel=0.35)
    assert trend["seconds_to_limit"] == pytest.approx((300 - trend["used"]) / trend["slope_per_s"], rel=0.3)
    if trend["seconds_to_limit"] < 24 * trend["span_s"]:
        assert (seen[-1]["status"], seen[-1]["verdict"]["active"]) == ("warning", "trend")
        assert seen[-1]["verdict"]["culprit"]["unit"] == "leaky.service"
