"""A site without a worker, on the card in Slack: which site, and since when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import diagnosis as cards
from triagebook.bot.slack.cards.wording import Origin
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import Settings, SiteSettings
from triagebook.tools.sites.last_contact import SeenSites, since_words
from triagebook.tools.sites.reach import Sites

from tests.system.sites.conftest import Network


@pytest.mark.parametrize("runbook", ["", "enomem"])
def test_a_card_says_which_site_has_no_worker_and_since_when(network: Network, tmp_path: Path, runbook: str) -> None:
    heard = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)
    SeenSites(tmp_path / "sites.json").mark("us1", heard)
    sites = Sites(SiteSettings(network.bus.url, network.bus.creds["server"], network.bus.authority), tmp_path)
    try:
        service = setup.service(Settings(), sites=sites)
        answer = service.diagnose(Question(TargetName("web01", "remote", "web01", site="us1"), runbook))
    finally:
        sites.client().close()
    card = cards.verdict(answer.result, Origin("U1", "2026-11-30T14:02:00Z"), {})
    assert f"no worker for site us1 {since_words(heard, datetime.now(UTC))}" in str(card)
