"""What alerts.yaml says, what is refused in it, and what is asked about an alert."""

from datetime import timedelta
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.alerts.routing import find_route
from triagebook.tools.alerts.rules import AlertRules
from triagebook.tools.inventory.inventory import Inventory, InventoryHost

RUNBOOKS = ("enomem", "oom")
INVENTORY = Inventory(
    {
        "web01": InventoryHost("web01"),
        "web02": InventoryHost("web02", ssh="admin@10.0.0.7:2222"),
        "db01": InventoryHost("db01", ssh="10.0.0.9"),
        "db01-old": InventoryHost("db01-old", ssh="root@10.0.0.9"),
    }
)
TEXT = """\
apiVersion: triagebook/alerts/v1
sources:
  prometheus: {type: alertmanager, bearer_files: [token]}
  pager: {type: pagerduty, secret_files: [token]}
rules:
  - name: not these
    when: "labels.alertname == 'Watchdog'"
    ignore: true
  - name: pages
    when: "source == 'pager'"
    host_in: alertname
    symptom: alertname
  - name: memory
    when: "labels.severity == 'critical' && labels.alertname.startsWith('Host')"
    runbooks: [enomem]
    hosts: {bastion: web02}
    hold: 2m
    channel: C024BE91L
  - name: the rest
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    (tmp_path / "token").chmod(0o600)
    return tmp_path


def load(folder: Path, text: str = TEXT) -> AlertRules:
    (folder / "alerts.yaml").write_text(text)
    return load_rules(folder / "alerts.yaml", RUNBOOKS, INVENTORY.hosts)


def alert(source: str = "prometheus", **labels: str) -> Alert:
    return Alert(source, "f1", "2026-11-30T03:10:05.000Z", is_resolved=False, labels=labels, annotations={"symptom": "fork: no"})


def test_the_first_rule_that_fits_decides(folder: Path) -> None:
    rules = load(folder)
    memory = alert(alertname="HostTasks", severity="critical", instance="web01:9100")
    route = find_route(memory, rules, INVENTORY)
    assert (route.host, route.runbooks, route.symptom, route.problem) == ("web01", ("enomem",), "fork: no", "")
    assert route.rule is not None
    assert (route.rule.name, route.rule.hold, route.rule.channel) == ("memory", timedelta(minutes=2), "C024BE91L")
    other = find_route(alert(alertname="HostTasks", instance="web01"), rules, INVENTORY)
    assert other.rule is not None
    assert other.rule.name == "the rest"  # it has no severity, which fits no condition about one


@pytest.mark.parametrize(
    ("labels", "host", "problem"),
    [
        ({"instance": "web01"}, "web01", ""),
        ({"instance": "web01:9100"}, "web01", ""),
        ({"instance": "10.0.0.7:9100"}, "web02", ""),
        ({"instance": "bastion:9100"}, "", "unknown_host"),
        ({"instance": "bastion:9100", "severity": "critical", "alertname": "Host"}, "web02", ""),
        ({"instance": "10.0.0.9"}, "", "ambiguous_host"),
        ({"instance": "WEB01"}, "", "unknown_host"),
        ({"instance": "web01.example.net"}, "", "unknown_host"),
        ({"instance": "localhost"}, "", "unknown_host"),
        ({"instance": "root@web01"}, "", "unknown_host"),
        ({"instance": "web01\nweb02"}, "", "unknown_host"),
        ({"instance": "-oProxyCommand=x"}, "", "unknown_host"),
        ({"instance": "w" * 10_000}, "", "unknown_host"),
        ({"instance": "replay:unit-tasksmax"}, "", "unknown_host"),
        ({"instance": ""}, "", "no_host"),
        ({}, "", "no_host"),
        ({"alertname": "Watchdog", "instance": "web01"}, "", "ignored"),
    ],
)
def test_a_host_is_found_in_the_inventory_or_not_at_all(folder: Path, labels: dict[str, str], host: str, problem: str) -> None:
    route = find_route(alert(**labels), load(folder), INVENTORY)
    assert (route.host, route.problem) == (host, problem)
    assert bool(route.says) == bool(problem)
    assert len(route.says) < 400


@pytest.mark.parametrize(
    ("title", "host", "problem"),
    [
        ("web01: Cannot allocate memory", "web01", ""),
        ("Cannot allocate memory on web01.", "web01", ""),
        ("web01 and web02 are out of memory", "", "ambiguous_host"),
        ("something is wrong", "", "unknown_host"),
    ],
)
def test_a_title_names_a_host_where_exactly_one_of_the_inventory_stands_in_it(
    folder: Path, title: str, host: str, problem: str
) -> None:
    route = find_route(alert("pager", alertname=title), load(folder), INVENTORY)
    assert (route.host, route.problem) == (host, problem)


def test_an_alert_that_no_rule_is_about_is_said(folder: Path) -> None:
    rules = load(folder, TEXT.replace("  - name: the rest\n", ""))
    assert find_route(alert(instance="web01"), rules, INVENTORY).problem == "no_rule"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("type: alertmanager", "type: alertmanger", r"alerts.yaml:3: .*did you mean 'alertmanager'"),
        ("type: alertmanager, ", "", r"alerts.yaml:3: .*'type' is missing"),
        ("bearer_files: [token]", "bearer_file: token", r"unknown key.*did you mean 'bearer_files'"),
        (", bearer_files: [token]", "", "expected one of bearer_files, basic, certificate_names: without a secret anybody"),
        ("bearer_files: [token]", "certificate_names: []", "name at least one certificate"),
        ("bearer_files: [token]", "certificate_names: ['*.example']", "expected a DNS name in small letters"),
        ("bearer_files: [token]", "bearer_files: []", "names? at least one file"),
        ("bearer_files: [token]", "bearer_files: [nothing]", r"alerts.yaml:3: .*nothing"),
        ("secret_files: [token]", "bearer_files: [token]", "unknown key"),
        ("runbooks: [enomem]", "runbooks: [enomen]", r"no runbook 'enomen' \(did you mean 'enomem'\?\)"),
        ("runbooks: [enomem]", "runbooks: []", "leave the key out"),
        ("{bastion: web02}", "{bastion: web03}", "no host 'web03' in the inventory"),
        ("hold: 2m", "hold: 2h", "from 1s to 60m, got '2h'"),
        ("hold: 2m", "quiet: 25h", "from 1s to 24h, got '25h'"),
        ("hold: 2m", "quiet: 2 hours", "expected a time such as 90s, 15m, 12h or 7d, from 1s to 24h, got '2 hours'"),
        ("labels.severity ==", "label.severity ==", r"unknown name 'label' \(did you mean 'labels'\?\)"),
        ("startsWith", "beginsWith", "unknown function 'beginsWith'"),
        ("labels.severity ==", "labels.severity = =", "not CEL"),
        ("name: the rest", "name: memory", "another rule is named 'memory'"),
        ("host_in: alertname", "host_in: alertname\n    host: instance", "either 'host' or 'host_in'"),
        ("ignore: true", "ignore: 'yes'", "expected true or false"),
        ("channel: C024BE91L", "channel: '#alerts'", "a channel id"),
        ("  prometheus:", "  Prometheus:", "no name for a source"),
        ("channel: C024BE91L", "silence: main", "no Alertmanager 'main'"),
        ("sources:", "alertmanagers: {main: {url: 'http://am.example'}}\nsources:", "expected an https address"),
        (
            "sources:",
            "alertmanagers: {main: {url: 'https://am.example', token: x}}\nsources:",
            r"alertmanagers.main.token: unknown key .did you mean 'token_file'",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(folder: Path, before: str, after: str, says: str) -> None:
    assert before in TEXT
    with pytest.raises(UsageError, match=says):
        load(folder, TEXT.replace(before, after, 1))


def test_a_secret_that_others_may_read_or_guess_is_refused_and_not_shown(folder: Path) -> None:
    (folder / "token").chmod(0o644)
    with pytest.raises(UsageError) as refused:
        load(folder)
    (folder / "token").chmod(0o600)
    (folder / "token").write_text("hunter2\n")
    with pytest.raises(UsageError, match="at least 16 characters") as short:
        load(folder)
    assert "0123456789abcdef" not in str(refused.value)
    assert "hunter2" not in str(short.value)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("fingerprint: 'a..b'", "a path such as event.id"),
        ("labels: {'a b': x}", "no name for a label"),
        ("labels: {a: '$.x'}", "a path such as event.id"),
        ("resolved: OK", "a list of values"),
    ],
)
def test_paths_that_cannot_be_read_stop_the_start(folder: Path, option: str, says: str) -> None:
    good = {"fingerprint": "id", "starts_at": "at", "state": "state", "resolved": "[OK]", "labels": "{host: h}"}
    key, _, value = option.partition(": ")
    lines = "".join(f"\n    {name}: {text}" for name, text in {**good, key: value}.items())
    text = TEXT.replace("sources:", f"sources:\n  zabbix:\n    type: mapped\n    bearer_files: [token]{lines}")
    with pytest.raises(UsageError, match=says):
        load(folder, text)


def test_a_mapped_source_that_lacks_a_path_is_refused(folder: Path) -> None:
    text = TEXT.replace("sources:", "sources:\n  zabbix: {type: mapped, bearer_files: [token]}")
    with pytest.raises(UsageError, match="'fingerprint' is missing"):
        load(folder, text)
