"""What a person sees: every recorded case as text, a table of many, and that nothing of a host moves the cursor."""

import io
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from triagebook.bot.render.fleet import HostRow, login_text, render_table, row_of
from triagebook.bot.render.markdown import render_markdown
from triagebook.bot.render.style import Style, style_of
from triagebook.bot.render.text import check_name, check_titles, gauge, local_time, render
from triagebook.runbooks.engine.diagnosis import Culprit, Diagnosis, LoginResult, Recurrence
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

from tests.quick import quick_share
from tests.runbooks import CATALOG

SERVICE = Service(CATALOG, lambda _target: LocalTransport())
CASES = [file.stem for file in SERVICE.catalog.find("enomem").cases]


def replay(case: str) -> Diagnosis:
    return SERVICE.diagnose(Question(parse_target(f"replay:{case}"), "enomem")).diagnosis


@pytest.mark.parametrize("case", quick_share(CASES))
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
    assert "by hand, as root on that host:\n        systemctl set-property --runtime worker.service TasksMax=64\n" in text
    assert "to undo it:\n" in text
    assert "\n        rm /run/systemd/system.control/worker.service.d/50-TasksMax.conf\n" in text


@pytest.mark.parametrize("show", [lambda found: render(found, Style()), render_markdown])
def test_a_culprit_whose_name_could_not_be_read_is_said_to_have_none(show: Callable[[Diagnosis], str]) -> None:
    found = replay("unit-tasksmax")
    assert found.verdict is not None
    nameless = replace(found, verdict=replace(found.verdict, culprit=Culprit("container", "")))
    assert re.search(r"^\W*Culprit\W+container \(its name could not be read\)\W*$", show(nameless), re.MULTILINE)


def test_what_was_found_before_stands_below_the_cause() -> None:
    says = "Third time in 9 days, first on 21 November."
    found = replace(replay("unit-tasksmax"), recurrence=Recurrence(3, "2026-11-21T00:00:00Z", says))
    text = render(found, Style())
    assert f"\nBefore    {says}\n" in text
    assert text.index("Culprit") < text.index("Before  ") < text.index("Ruled out")


def test_what_was_ruled_out_is_told_by_what_people_call_it_and_never_by_a_name_of_the_cause() -> None:
    found = replay("unit-tasksmax")
    titles = check_titles(found.checks, "cleared")
    assert {"kernel.threads-max", "nproc (RLIMIT_NPROC)", "locked memory (RLIMIT_MEMLOCK)"} <= set(titles)
    assert len(titles) == len(set(titles))
    other = tuple(replace(check, outcome="matched") if check.id == "user_nproc" else check for check in found.checks)
    assert "user_nproc_latent [nproc (RLIMIT_NPROC)]" in check_titles(other, "cleared")


@pytest.mark.parametrize("width", [24, 60, 80])
def test_the_first_line_fits_the_terminal(width: int) -> None:
    found = replay("debian-13-unit-tasksmax")
    for colour in (False, True):
        text = render(replace(found, host=replace(found.host, name="web01")), Style(width=width, colour=colour))
        title = re.sub(r"\x1b\[[0-9;]*m", "", text.partition("\n\n")[0])
        assert " ".join(title.split()) == "CAUSE FOUND web01 (host01, Linux 6.12.117+deb13-cloud-amd64)"
        assert max(map(len, title.splitlines())) <= max(width, len("  6.12.117+deb13-cloud-amd64)"))


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
    assert lines[1].split() == ["1", "CAUSE", "FOUND", "pids_cgroup,", "being", "refused", "now"]
    assert "   21  HEALTHY" in table
    assert "and 9 more" in table
    order = [table.index(word) for word in ("refused now", "at the limit", "WARNING", "INCONCLUSIVE", "HEALTHY")]
    assert order == sorted(order)
    assert "25 hosts: 2 cause found, 1 warning, 1 inconclusive, 21 healthy." in table
    assert table.endswith("To look closer:\n    triagebook diagnose replay:unit-tasksmax-now\n")


def test_hosts_that_failed_alike_get_one_sentence_and_stand_below_the_causes() -> None:
    rows = [
        HostRow(f"app{number}", "unreachable", "connect: refused", f"app{number} gave no session") for number in range(52, 0, -1)
    ]
    rows.append(HostRow("db01", "cause_found", "pids_cgroup, at the limit", "db01 is full", "at_limit"))
    table = render_table(rows, Style(), asked=60, retry_file="left.txt")
    assert table.index("db01") < table.index("52  UNREACHABLE")
    assert "app1, app2, app3," in table
    assert table.count("gave no session") == 1
    assert "53 hosts: 1 cause found, 52 unreachable. Stopped: 7 of 60 hosts had not answered yet." in table
    assert "\n    triagebook diagnose --hosts-from left.txt\n" in table


@pytest.mark.parametrize(
    ("phase", "outcome", "shown"),
    [
        ("host_key", "host_key", "host key not trusted"),
        ("resolve", "refused", "no address for this name"),
        ("auth", "refused", "auth: refused"),
    ],
)
def test_how_a_login_failed_is_said_once_and_in_words(phase: str, outcome: str, shown: str) -> None:
    assert login_text(LoginResult(phase, outcome)) == shown


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 110])
@pytest.mark.parametrize("case", ["unit-tasksmax", "pid-max-full", "healthy", "max-map-count-unreadable"])
def test_text_fits_the_width_and_a_command_is_never_broken(case: str, columns: int) -> None:
    diagnosis = replay(case)
    style = Style(explain=True, width=columns)
    shown = render(diagnosis, style).splitlines()
    commands = [line for offer in diagnosis.remediations for line in (*offer.commands, *offer.undo_commands)]
    assert [line for line in commands if f"        {line}" not in shown] == []
    breakable = [line for line in shown[:-1] if len(line) > columns and " " in line.strip() and line.strip() not in commands]
    assert breakable == [] or columns < 80


def test_a_command_between_backticks_gets_a_line_of_its_own() -> None:
    lines = Style(width=40).wrap(
        "The key is unknown. Compare it, then: `ssh-keyscan -p 42201 -t ed25519 127.0.0.1 >> known_hosts` and ask again.",
        "  - ",
        "    ",
    )
    assert lines == [
        "  - The key is unknown. Compare it,",
        "    then:",
        "        ssh-keyscan -p 42201 -t ed25519 127.0.0.1 >> known_hosts",
        "    and ask again.",
    ]
    assert Style().wrap("Ask as `root`; a ` alone is text.") == ["Ask as `root`; a ` alone is text."]


def test_explain_shows_a_figure_for_each_check_of_a_healthy_host() -> None:
    diagnosis = replay("healthy")
    text = render(diagnosis, Style(explain=True))
    assert render(diagnosis, Style()) != text
    for check in diagnosis.checks:
        word = "not looked at" if check.outcome == "skipped" else "ruled out"
        assert re.search(rf"^  {re.escape(check_name(check))}  {word}: \S", text, re.MULTILINE), check.id
        assert check.says != "cleared"
    assert re.search(
        r"threads_max \[kernel.threads-max\]  ruled out: \d+ of [\d ]+ tasks\n    kernel.tasks +\d+ tasks   /proc/loadavg", text
    )


def test_a_time_is_shown_in_the_readers_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert local_time("2026-11-29T21:14:17.123Z") == "2026-11-29 16:14:17 EST"
    finally:
        monkeypatch.undo()
        time.tzset()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("140", 110), ("5", 20), ("", 110)])
def test_the_width_is_the_terminals_and_at_most_what_is_easy_to_read(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert style_of(_Terminal()).width == width
    assert style_of(io.StringIO()).width == 110
