"""What a person sees: every recorded case as text, a table of many, and that nothing of a host moves the cursor."""

import re
from dataclasses import replace

import pytest
from triagebook.bot.render.fleet import render_table, row_of
from triagebook.bot.render.text import Style, gauge, render
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.library.catalog import catalog
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

SERVICE = Service(catalog(), lambda _target: LocalTransport())
CASES = [file.stem for file in SERVICE.catalog.find("enomem").cases]


def replay(case: str) -> Diagnosis:
    return SERVICE.diagnose(Question(parse_target(f"replay:{case}"), "enomem")).diagnosis


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_told_whole_and_plain(case: str) -> None:
    diagnosis = replay(case)
    text = render(diagnosis, Style(explain=True))
    assert re.sub(r"\s+", " ", diagnosis.headline) in re.sub(r"\s+", " ", text)
    for verdict in (diagnosis.verdict, *diagnosis.also[:6]):
        assert verdict is None or verdict.cause in text
        assert verdict is None or re.sub(r"\s+", " ", verdict.summary) in re.sub(r"\s+", " ", text)
    for unknown in diagnosis.unknown:
        assert unknown.check in text
    assert "Unreadable(" not in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) < 260


def test_the_verdict_stands_before_the_evidence_and_the_changes_last() -> None:
    text = render(replay("unit-tasksmax"), Style())
    order = [
        text.index(part) for part in ("CAUSE FOUND", "A limit, not a shortage", "Culprit", "Evidence", "Ruled out", "Changes that")
    ]
    assert order == sorted(order)
    assert "by hand:  systemctl set-property --runtime worker.service TasksMax=64" in text
    assert "undo:     rm /run/systemd/system.control/worker.service.d/50-TasksMax.conf" in text


def test_memory_and_commit_figures_carry_their_units() -> None:
    text = render(replay("overcommit-full"), Style())
    assert "92 MiB of 94 MiB" in text
    assert "375 MiB are available" in text


@pytest.mark.parametrize(
    ("used", "limit", "shown"),
    [
        (24.0, 24.0, "[########################] 100 %  "),
        (30.0, 24.0, "[########################] 125 %  "),
        (None, 24.0, ""),
        (1.0, 0.0, ""),
    ],
)
def test_a_gauge_is_never_more_than_full(used: float | None, limit: float, shown: str) -> None:
    assert gauge(used, limit, Style()) == shown


def test_many_hosts_are_grouped_by_verdict_worst_first() -> None:
    diagnoses = [
        replay(case) for case in ("healthy", "unit-tasksmax", "unit-tasksmax-now", "pids-near", "max-map-count-unreadable")
    ]
    diagnoses += [replace(diagnoses[0], host=replace(diagnoses[0].host, name=f"web{number:02}")) for number in range(20)]
    table = render_table([row_of(diagnosis) for diagnosis in diagnoses], Style())
    lines = table.splitlines()
    assert lines[0].split()[:2] == ["1", "INCONCLUSIVE"]
    assert "   21  HEALTHY" in table
    assert "and 9 more" in table
    assert table.index("CAUSE FOUND") < table.index("WARNING") < table.index("HEALTHY")
