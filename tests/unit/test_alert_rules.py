"""The Prometheus rules: readable, gated where they must be, and about metrics that somebody exports."""

import re
import shutil
import subprocess
from typing import Any

import pytest
from triagebook.runbooks.library.document import read_document
from triagebook.tools.watch.textfile import HELP

from tests.command import ROOT

PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / ".cache" / "prometheus" / "usr" / "bin"))
FILE = ROOT / "deploy" / "prometheus" / "rules.yaml"
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
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert "{{ $" in rule["annotations"]["summary"], name


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here (`make system-packages` gets it where apt-get is)")
def test_prometheus_itself_takes_the_rules() -> None:
    assert PROMTOOL is not None
    count = len(rules())
    checked = subprocess.run([PROMTOOL, "check", "rules", FILE], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert f"{count} rules found" in checked.stdout
