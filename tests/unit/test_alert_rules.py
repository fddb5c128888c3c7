"""The Prometheus rules: readable, gated where they must be, and about metrics that somebody exports."""

import re
import shutil
import subprocess
from typing import Any

import pytest
from triagebook.runbooks.library.document import read_document
from triagebook.tools.watch.textfile import HELP

from tests.command import ROOT
from tests.pages import anchors
from tests.runbooks import CATALOG

PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / ".cache" / "prometheus" / "usr" / "bin"))
FILE = ROOT / "deploy" / "prometheus" / "rules.yaml"
MIXIN = ROOT / "deploy" / "alerts" / "node-mixin.md"
ELSEWHERE = {
    "node_processes_threads",
    "node_processes_max_threads",
    "node_processes_pids",
    "node_processes_max_processes",
    "node_forks_total",
    "node_memory_Committed_AS_bytes",
    "node_memory_CommitLimit_bytes",
    "node_sysctl_vm_overcommit_memory",
    "node_vmstat_oom_kill",
    "container_threads",
    "container_threads_max",
}


def rules() -> dict[str, Any]:
    groups = read_document(FILE.read_text(), FILE.name).data["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_commit_alert_is_gated_on_strict_mode() -> None:
    commit = [rule["expr"] for rule in rules().values() if "CommitLimit" in rule["expr"]]
    assert commit
    assert all("and on (instance) node_sysctl_vm_overcommit_memory == 2" in expr for expr in commit)


def test_an_unlimited_container_never_alerts() -> None:
    limited = [rule["expr"] for rule in rules().values() if "container_threads_max" in rule["expr"]]
    assert len(limited) == 2
    assert all("and container_threads_max > 0" in expr for expr in limited)


def test_pid_numbers_leave_out_the_three_hundred_that_are_never_given_again() -> None:
    assert "(node_processes_max_processes - 300)" in rules()["HostNearPidMax"]["expr"]


def metrics_of_server() -> set[str]:
    """Gauges by their names, counters with `_total`."""
    source = (ROOT / "tools" / "server" / "metrics.py").read_text()
    gauges = set(re.findall(r'GaugeMetricFamily\(\s*"(triagebook_\w+)"', source))
    counters = {f"{name}_total" for name in re.findall(r'Counter\(\s*"(triagebook_\w+)"', source)}
    assert len(gauges) > 4
    assert len(counters) > 4
    return gauges | counters


def test_every_metric_is_one_that_node_exporter_cadvisor_or_the_watch_exports() -> None:
    ours = {f"triagebook_{name}" for name in HELP} | metrics_of_server()
    for name, rule in rules().items():
        named = set(re.findall(r"\b(?:node|container|triagebook)_\w+", rule["expr"]))
        assert named, name
        assert named <= ours | ELSEWHERE, name


def test_every_alert_says_what_is_wrong_and_how_urgent_it_is() -> None:
    """What refuses, soon will, or leaves nobody able to help wakes somebody; all else waits until morning."""
    urgent = set()
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert "{{ $" in rule["annotations"]["summary"], name
        urgent |= {name} if rule["labels"]["severity"] == "page" else set()
    near = {"HostNearThreadsMax", "HostNearPidMax", "ContainerNearPidsLimit", "CommitLimitNear", "LimitNear"}
    assert urgent == {"ForksRefused", *near, "TriagebookNotReady", "TriagebookFixUnknown", "TriagebookAuditBehind"}


def test_every_alert_about_a_host_names_a_runbook_and_a_symptom() -> None:
    for name, rule in rules().items():
        if not name.startswith("Triagebook"):
            assert rule["labels"]["runbook"] in {entry.id for entry in CATALOG.entries()}, name
            assert rule["labels"]["symptom"], name


PUBLIC = "https://github.com/triagebook/triagebook/blob/main/"


def test_every_alert_leads_to_a_public_page_that_says_what_to_do() -> None:
    """`runbook_url` is the link that Alertmanager, Grafana and pagers show beside an alert; `for` a host it is a cause's page."""
    for name, rule in rules().items():
        page, _, anchor = rule["annotations"]["runbook_url"].removeprefix(PUBLIC).partition("#")
        assert rule["annotations"]["runbook_url"].startswith(PUBLIC), name
        assert (ROOT / page).is_file(), name
        assert not anchor or anchor in anchors(ROOT / page), name
        if cause := rule["labels"].get("runbook"):
            assert page.startswith((f"docs/causes/{cause}/", "docs/how-to/troubleshooting.md")), name


def test_every_alert_about_the_server_is_told_on_its_page() -> None:
    ours = {name: rule for name, rule in rules().items() if name.startswith("Triagebook")}
    page = ROOT / "docs" / "how-to" / "see-what-the-server-does.md"
    told = re.findall(r"^\| `(Triagebook\w+)` \| [^|]{20,} \| [^|]{20,} \|$", page.read_text(), re.MULTILINE)
    assert told == list(ours)
    assert all(str(page.relative_to(ROOT)) in rule["annotations"]["runbook_url"] for rule in ours.values())


def test_the_table_of_the_mixin_names_runbooks_that_are_there_or_none() -> None:
    rows = [line.split("|") for line in MIXIN.read_text().splitlines() if line.startswith("| Node")]
    assert len(rows) > 10
    known = {entry.id for entry in CATALOG.entries()} | {"none"}
    for _, alerts, runbooks, says, _ in rows:
        named = {name.strip() for name in runbooks.split(",")}
        assert named <= known, alerts
        assert bool(says.strip()) is (named != {"none"}), alerts


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here (`make system-packages` gets it where apt-get is)")
def test_prometheus_itself_takes_the_rules() -> None:
    assert PROMTOOL is not None
    count = len(rules())
    checked = subprocess.run([PROMTOOL, "check", "rules", FILE], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert f"{count} rules found" in checked.stdout
