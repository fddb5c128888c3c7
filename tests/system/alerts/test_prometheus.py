"""A real Prometheus and Alertmanager with our rules notice a limit that is reached here: a card says so, and when it is over."""

from pathlib import Path
from typing import Any

import pytest

from tests import sshd
from tests.command import ROOT
from tests.system.scenario.test_real_faults_here import empty, forker_in, limited_cgroup, refused
from tests.system.scenario.watch_process import watching
from tests.system.slack import gate as gates
from tests.system.slack import workspace
from tests.system.slack.test_alerts import said
from tests.system.slack.world import Channels, until

from .measure import served
from .prometheus import WHY_NOT, monitoring

pytestmark = [pytest.mark.long, pytest.mark.alone]  # the whole machine has the fault


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_limit_that_is_reached_comes_as_an_alert_with_its_cause_and_goes_as_one(tmp_path: Path, place: sshd.Ground) -> None:
    """Watch, node-exporter, Prometheus, Alertmanager, server, card: nobody asks for anything."""
    rules = (ROOT / "deploy" / "alerts" / "alerts.yaml").read_text()
    metrics, home = tmp_path / "metrics", tmp_path / "server"
    metrics.mkdir()
    home.mkdir()
    with (
        workspace.in_memory() as slack,
        gates.running(slack) as gate,
        place.sshd() as box,
        limited_cgroup("triagebook-alerts", 8) as group,
        served(home, gate, box, ["box"], rules=rules) as server,
        watching(home, "box", "-F", str(box.config), "--every=1", "--host-cpu=50", f"--textfile={metrics / 'watch.prom'}"),
        monitoring(tmp_path / "monitoring", server.port, home / "prometheus.token", metrics) as prometheus,
    ):
        channels = Channels(gate)
        until(lambda: prometheus.query("triagebook_watch_up == 1"), "the watch's metrics")
        with forker_in(group) as forker:
            refused(forker)
            card = until(lambda: card_of(channels, "ForksRefused is firing"), "the card of the alert")
            assert "CAUSE FOUND · box" in card["text"]
            assert "/triagebook-alerts" in str(card["blocks"])
        empty(group)
        done = until(lambda: card_of(channels, "ForksRefused resolved"), "the end of the alert")
        assert done["ts"] == card["ts"]


def card_of(channels: Channels, notice: str) -> dict[str, Any] | None:
    """The card of an alert whose host has answered and that says so of the alert."""
    told = [card for card in channels.messages("alerts") if said(card) == f"🔔 {notice}" and "Diagnosing" not in card["text"]]
    return told[0] if told else None
