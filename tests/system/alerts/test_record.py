"""The record of an incident: all that was found and done, each line proven, checked without the server."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from triagebook.bot.cli.record import parse_since
from triagebook.bot.render.record import find_difference, read_record, render_record
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.audit.record import check_record
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.requests import REQUESTS

from tests.command import Triagebook
from tests.databases import current_postgresql
from tests.system.fixes import policies, samples

from .intake_world import IntakeWorld, alert, intake_world

FORMS = ("markdown", "html", "json")
EVIL = "x|y`<script>alert(1)</script> [a](https://evil.example) \x1b[31m"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeWorld]:
    """An alert, the fix that cured it, and an alert of another host."""
    folder = tmp_path_factory.mktemp("record")
    url = f"sqlite:///{folder / 'triagebook.db'}"
    if request.param == "postgresql":
        url = current_postgresql(request.getfixturevalue("postgres_server"))
    with intake_world(url, folder) as made:
        made.deliver(alert(name=EVIL), alert("f2", host="web-02"))
        made.settle()
        made.world.clock.pass_(minutes=3)
        fix = made.world.approved()
        assert made.world.apply(fix) == "validated"
        made.world.clock.pass_(minutes=3)
        sound = replace(samples.diagnosis("web-01"), id="sound", status="healthy", verdict=None, headline="No limit is reached.")
        made.world.diagnoser.edit["web-01"] = sound
        made.deliver(alert(name=EVIL, state="resolved"))
        made.settle()
        yield made


@pytest.fixture(scope="module", autouse=True)  # before any test adds a line to the log
def record(kept: IntakeWorld) -> dict[str, Any]:
    """As the client gets it, through JSON."""
    return of(kept, "web-01")


def of(made: IntakeWorld, subject: str, who: str = "dan", **members: str) -> dict[str, Any]:
    call = REQUESTS["record"](made.world.service, policies.actor(who), Members({"subject": subject, **members}))
    found: dict[str, Any] = json.loads(json.dumps(call()))
    return found


def actions(record: dict[str, Any]) -> list[str]:
    return [json.loads(line["leaf"])["action"] for line in record["lines"]]


def problems(text: str, key: str) -> list[str]:
    form, found = read_record(text)
    return [*check_record(found, key).problems, *filter(None, [find_difference(text, found, form)])]


def test_a_record_of_a_host_tells_its_alert_its_fix_and_every_line_of_the_log(record: dict[str, Any]) -> None:
    assert actions(record) == ["diagnose", "propose", "approve", "apply", "result", "diagnose"]
    assert {json.loads(line["leaf"])["host"] for line in record["lines"]} == {"web-01"}
    (told,) = record["alerts"]
    assert (told["state"], told["host"], told["says"].split(",")[0]) == ("resolved", "web-01", "The alert resolved")
    (fix,) = record["fixes"]
    assert (fix["state"], fix["votes"][0]["person"]) == ("validated", "bob")
    report = check_record(record, record["vkey"])
    assert (report.holds, report.lines, report.size) == (True, 6, record["seal"]["index"] + 1)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_verified_without_the_server(record: dict[str, Any], form: str) -> None:
    text = render_record(record, form)
    assert read_record(text) == (form, record)
    assert problems(text, record["vkey"]) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("old", "new"), [("bob", "eve"), ("validated", "denied"), ("pids_cgroup", "no_cause"), ("2026-11-23T14:03", "2026-11-23T15:03")]
)
def test_a_change_anywhere_in_a_record_is_noticed(record: dict[str, Any], form: str, old: str, new: str) -> None:
    text = render_record(record, form)
    assert text.count(old) > 1 or form == "json"
    assert problems(text.replace(old, new), record["vkey"])  # everywhere: what is shown fits the data, and is not what was sealed
    assert problems(text.replace(old, new, 1), record["vkey"])


def test_one_line_that_was_changed_is_named(record: dict[str, Any]) -> None:
    lines = [dict(line) for line in record["lines"]]
    lines[2]["leaf"] = lines[2]["leaf"].replace("bob", "eve")
    (changed,) = check_record({**record, "lines": lines}, record["vkey"]).problems
    assert changed.startswith("line 3 was changed: row ")


@pytest.mark.parametrize("member", ["subject", "host", "since", "until", "left_out", "alerts", "fixes", "lines"])
def test_what_no_line_proves_is_sealed(record: dict[str, Any], member: str) -> None:
    other = {"left_out": 7, "alerts": [], "fixes": [], "lines": record["lines"][1:]}.get(member, "2026-11-23T00:00:00Z")
    (says,) = check_record({**record, member: other}, record["vkey"]).problems
    assert "was changed" in says


def test_a_record_of_another_log_and_another_file_are_refused(kept: IntakeWorld, record: dict[str, Any], tmp_path: Path) -> None:
    with intake_world(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path) as other:
        other.deliver(alert())
        other.settle()
        foreign = of(other, "web-01")
    swapped = {**record, "checkpoint": foreign["checkpoint"]}
    assert len(check_record(swapped, record["vkey"]).problems) == len(record["lines"]) + 1
    assert check_record(record, "triagebook.example+00000000+" + "A" * 44).problems
    for text in (
        "",
        "{",
        "[]",
        "# Incident record\n",
        "```json\n{}\n```\n",
        "<!doctype html>",
        '{"schema": "triagebook/record/v1"}',
    ):
        with pytest.raises(UsageError, match="no incident record"):
            check_record(read_record(text)[1], record["vkey"])


def test_a_record_of_a_fix_and_of_an_alert_are_of_these_alone(kept: IntakeWorld, record: dict[str, Any]) -> None:
    fix = of(kept, record["fixes"][0]["id"])
    assert actions(fix) == ["propose", "approve", "apply", "result"]
    episode = next(episode for episode in kept.episodes() if episode.host == "web-02")
    told = of(kept, episode.id[:12])
    assert (told["subject"], [item["id"] for item in told["alerts"]], actions(told)) == (episode.id, [episode.id], ["diagnose"])
    assert told["alerts"][0]["evidence"][0].startswith("pids[worker].current = 100 tasks")
    assert actions(of(kept, "web-01", since="2026-11-23T14:05:00Z")) == ["diagnose"]


def test_only_who_may_read_the_log_of_a_host_gets_its_record(kept: IntakeWorld) -> None:
    assert kept.world.refused(kept.world.service.record, policies.actor("ann"), "web-01") == "no_rule"
    assert kept.world.refused(kept.world.service.record, policies.actor("dan"), "nosuch") in {"inventory", "host_name"}
    last = kept.world.last()
    assert (last.action, last.outcome) == ("record", "refused")


class Page(HTMLParser):
    """The tags of a page and the texts of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_a_page_has_no_scripts_and_loads_nothing_and_strangers_words_are_text(record: dict[str, Any]) -> None:
    text = render_record(record, "html")
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "a", "object", "form"} == set()
    assert not {name for _, attributes in page.tags for name in attributes} - {
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "scope",
        "id",
    }
    assert any("<script>alert(1)</script>" in cell for cell in page.cells)
    assert "@media print" in text
    assert "\x1b" not in text
    shown = render_record(record, "markdown")
    assert "<script>" not in shown.partition("```json")[0].replace("\\<", "")


def test_the_command_line_verifies_a_record(record: dict[str, Any], tmp_path: Path) -> None:
    file, triagebook = tmp_path / "incident.html", Triagebook(tmp_path)
    file.write_text(render_record(record, "html"))
    good = triagebook("audit", "verify", "--record", str(file), "--key", record["vkey"])
    assert (good.status, good.out) == (0, "The record is intact: each of its 6 lines is in the signed log of 8 rows.\n"), good
    file.write_text(file.read_text().replace("bob", "eve", 1))
    bad = triagebook("audit", "verify", "--record", str(file), "--key", record["vkey"])
    assert (bad.status, bad.out.splitlines()[0]) == (1, "THE RECORD FAILS VERIFICATION"), bad
    keyless = triagebook("audit", "verify", "--record", str(file))
    assert (keyless.status, "a key taken from the same file would prove nothing" in keyless.err) == (2, True)


def test_since_is_a_time_or_how_long_ago() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert parse_since("90m", now) == now - timedelta(minutes=90)
    assert parse_since("7d", now) == now - timedelta(days=7)
    assert parse_since("2026-11-30T03:00:00+01:00", now) == datetime(2026, 11, 30, 2, tzinfo=UTC)
    for wrong in ("yesterday", "7", "-7d", "0h", "2026-11-30T03:00:00", "7w", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(UsageError, match="--since"):
            parse_since(wrong, now)
