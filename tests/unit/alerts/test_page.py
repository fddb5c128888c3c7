"""The files that docs/how-to/alerts.md and deploy/alerts show are read as they stand."""

import re
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.library.document import read_document
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.alerts.rules import AlertRules

from tests.command import ROOT
from tests.runbooks import CATALOG

PAGE = (ROOT / "docs" / "how-to" / "alerts.md").read_text()
RULES, ZABBIX, POLICY, SINKS, SILENCE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
DEPLOY = ROOT / "deploy" / "alerts"
RUNBOOKS = [entry.id for entry in CATALOG.entries()]


def load(folder: Path, text: str) -> AlertRules:
    for name in ("prometheus.token", "zabbix.token", "ops.secret", "pagerduty.api", "pager.secret", "alertmanager.token"):
        (folder / name).write_text("0123456789abcdef")
        (folder / name).chmod(0o600)
    (folder / "alerts.yaml").write_text(text)
    return load_rules(folder / "alerts.yaml", RUNBOOKS, ["web01", "web02"])


def test_the_rules_of_the_page_are_read(tmp_path: Path) -> None:
    assert [rule.name for rule in load(tmp_path, RULES).rules] == ["the dead man's switch", "hosts"]


def test_the_other_sources_and_sinks_of_the_page_are_read(tmp_path: Path) -> None:
    pager = "  pager: {type: pagerduty, secret_files: [pager.secret]}\n"
    text = RULES.replace("rules:", f"{ZABBIX}{pager}{SINKS}rules:", 1)
    found = load(tmp_path, text)
    assert list(found.sources) == ["prometheus", "zabbix", "pager"]
    assert list(found.sinks) == ["ops", "notes"]
    assert found.rules[1].sinks == ("ops", "notes")


def test_the_silences_of_the_page_are_read(tmp_path: Path) -> None:
    top, _, rule = SILENCE.partition("rules:\n")
    found = load(tmp_path, RULES.replace("rules:", f"{top}rules:", 1) + rule.replace("hosts", "others"))
    assert found.alertmanagers["main"].url == "https://alertmanager.example.net"
    assert found.rules[-1].silence == "main"


def test_every_key_of_a_rule_that_the_page_shows_is_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'quiet'"):
        load(tmp_path, RULES.replace("    quiet:", "    quite:"))


@pytest.mark.parametrize(
    ("labels", "rule", "host"),
    [
        ({"alertname": "Watchdog"}, "the dead man's switch", "instance"),
        ({"alertname": "TriagebookNotReady", "instance": "ops:9101"}, "triagebook itself", "instance"),
        ({"alertname": "LimitNear", "host": "web01", "runbook": "enomem"}, "the watch", "host"),
        ({"alertname": "OomKills", "instance": "web01:9100", "runbook": "oom"}, "kills for memory", "instance"),
        ({"alertname": "HostNearThreadsMax", "instance": "web01:9100", "runbook": "enomem"}, "hosts", "instance"),
        ({"alertname": "NodeMemoryHighUtilization", "instance": "web01:9100"}, "hosts", "instance"),
    ],
)
def test_the_rules_of_deploy_decide_about_our_alerts(tmp_path: Path, labels: dict[str, str], rule: str, host: str) -> None:
    rules = load(tmp_path, (DEPLOY / "alerts.yaml").read_text())
    found = rules.first(Alert("prometheus", "f", "2026-11-30T03:10:05Z", is_resolved=False, labels=labels))
    assert found is not None
    assert (found.name, found.host) == (rule, host)


def test_alertmanager_posts_to_a_source_of_ours_and_tells_of_the_end() -> None:
    told = read_document((DEPLOY / "alertmanager.yaml").read_text(), "alertmanager.yaml").data
    (ours,) = [one["webhook_configs"][0] for one in told["receivers"] if one["name"] == "triagebook"]
    assert ours["url"].endswith("/alerts/prometheus")
    assert ours["send_resolved"] is True
