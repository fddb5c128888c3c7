"""What each kind of sender posts, read as alerts: by recorded bodies, and by ones that are wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.alert import Alert, AlertBatch, load
from triagebook.tools.alerts.sender import kinds, parse_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "alerts"
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
ZABBIX: Mapping[str, object] = {
    "fingerprint": "id",
    "starts_at": "time",
    "state": "value",
    "resolved": ["OK"],
    "list": "events",
    "labels": {"host": "host.name", "severity": "severity", "nothing": "not.there"},
    "annotations": {"symptom": "text"},
}


def body(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def read(kind: str, of: object, options: Mapping[str, object] | None = None) -> AlertBatch:
    return kinds()[kind].read(of, "src", options or {})


def test_every_kind_of_sender_lies_in_the_folder() -> None:
    assert list(kinds()) == ["alertmanager", "grafana", "mapped", "pagerduty"]


def test_alertmanager_posts_a_group() -> None:
    found = read("alertmanager", body("alertmanager"))
    assert found.left_out == 3
    assert found.alerts == (
        Alert(
            "src",
            "9b7e4b1f6f7a9c1d",
            "2026-11-30T03:10:05.120Z",
            is_resolved=False,
            labels={"alertname": "HostTasksNearLimit", "instance": "web01:9100", "job": "node", "severity": "critical"},
            annotations={"summary": "web01 has nearly no tasks left", "symptom": "fork: Resource temporarily unavailable"},
            reason="new alerts added",
        ),
        Alert(
            "src",
            "1c2d3e4f5a6b7c8d",
            "2026-11-30T01:00:00.000Z",
            is_resolved=True,
            labels={"alertname": "HostTasksNearLimit", "instance": "web02:9100", "job": "node", "severity": "warning"},
            reason="new alerts added",
        ),
    )


def test_grafana_posts_the_same_shape_with_a_version_of_its_own() -> None:
    (alert,) = read("grafana", body("grafana")).alerts
    assert (alert.name, alert.word("host"), alert.starts_at) == ("Fork failures", "web01", "2026-11-30T03:10:00.000Z")
    assert alert.word("symptom") == "fork: Cannot allocate memory"


def test_pagerduty_posts_an_incident_and_says_when() -> None:
    found = read("pagerduty", body("pagerduty"))
    (alert,) = found.alerts
    assert found.sent_at == "2026-11-30T03:10:07.000Z"
    assert (alert.fingerprint, alert.name, alert.is_critical) == ("PGR0VU2", "web01: Cannot allocate memory", True)


@pytest.mark.parametrize("event", ["incident.acknowledged", "incident.annotated", "pagey.ping"])
def test_what_changes_nothing_of_an_incident_is_no_alert(event: str) -> None:
    given = body("pagerduty")
    given["event"]["event_type"] = event
    assert read("pagerduty", given).alerts == ()


def test_any_other_json_is_read_by_paths() -> None:
    first, second = read("mapped", body("zabbix"), ZABBIX).alerts
    assert (first.fingerprint, first.is_resolved, dict(first.labels)) == ("1042", False, {"host": "web01", "severity": "High"})
    assert first.word("symptom").startswith("fork: retry:")
    assert (second.fingerprint, second.is_resolved, second.starts_at) == ("1043", True, "2026-11-30T00:55:00.000Z")


def test_an_alert_that_is_one_object_needs_no_list() -> None:
    options = {name: value for name, value in ZABBIX.items() if name != "list"}
    (alert,) = read("mapped", body("zabbix")["events"][0], options).alerts
    assert alert.fingerprint == "1042"


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("alertmanager", {"version": "3"}, "version: Input should be '4'"),
        ("alertmanager", {"alerts": None}, "alerts: Input should be a valid list"),
        ("alertmanager", {"alerts": [{"status": "odd"}]}, "alerts.0.status"),
        ("grafana", {"version": "x"}, "version"),
        ("pagerduty", {"event": {}}, "event.event_type: Field required"),
    ],
)
def test_a_body_of_another_form_is_refused_and_the_place_is_named(kind: str, change: Mapping[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        read(kind, {**body(kind), **change})
    assert refused.value.reason == "alert_body"


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-30T03:10:05", "9999-12-31T23:59:59-23:00"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    given = body("grafana")
    given["alerts"][0]["startsAt"] = time
    with pytest.raises(UsageError):
        read("grafana", given)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(UsageError, match="no JSON"):
        parse_body(raw)


def test_a_path_that_leads_nowhere_is_named() -> None:
    with pytest.raises(UsageError, match="id: nothing stands there"):
        read("mapped", {"events": [{"time": 1796000000, "value": "OK"}]}, ZABBIX)


def test_a_strangers_words_are_bounded_and_act_on_no_screen() -> None:
    given = body("alertmanager")
    given["alerts"][0]["labels"] = {f"l{number}": "x" for number in range(500)}
    given["alerts"][0]["annotations"] = {
        "symptom": "\x1b[2J" + "y" * 10_000,
        "key": "token=ghp_0123456789abcdefghijABCDEFGHIJ012345",
    }
    alert = read("alertmanager", given).alerts[0]
    assert len(alert.labels) == 64
    assert alert.word("symptom").startswith("\\x1b[2Jyyy")
    assert len(alert.word("symptom")) == 1000
    assert "ghp_" not in alert.dump()


def test_more_alerts_than_anybody_sends_are_refused() -> None:
    given = body("alertmanager")
    given["alerts"] = given["alerts"][:1] * 5001
    with pytest.raises(UsageError, match="at most 5000"):
        read("alertmanager", given)


def test_an_alert_is_one_from_its_start_to_its_resolution() -> None:
    first, second = read("alertmanager", body("alertmanager")).alerts
    over = Alert(first.source, first.fingerprint, first.starts_at, is_resolved=True)
    assert first.episode == over.episode != second.episode
    assert (first.key, over.key) == (f"{first.episode}/firing", f"{first.episode}/resolved")
    assert load(first.dump()) == first
