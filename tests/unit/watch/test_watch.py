"""A watch without a network: its memory, its lines, its metrics, its chart, and how it keeps or renews a session."""

import io
import itertools
import queue
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from triagebook.bot.render.chart import chart
from triagebook.bot.render.style import Style
from triagebook.bot.render.watch import Screen, events
from triagebook.runbooks.engine.diagnosis import Culprit, LimitValue
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.heading import Use, sentence
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.trend import Trend
from triagebook.runbooks.probes.records import Record, Sample
from triagebook.tools.collector.collect import Cost
from triagebook.tools.transport.base import Login, LoginFailed, Route
from triagebook.tools.watch import host_watch
from triagebook.tools.watch.host_watch import SILENT_SAMPLES, HostWatch, WatchRequest
from triagebook.tools.watch.observation import WatchUpdate
from triagebook.tools.watch.series import FORGOTTEN_AFTER, LONG, MOST_SERIES, RECENT, Course
from triagebook.tools.watch.textfile import MOST_USES, Textfile, metrics
from triagebook.tools.watch.watched_runbook import WatchedRunbook

from tests.runbooks import CATALOG

RUNBOOK = CATALOG.load("enomem")
BOOKS = [WatchedRunbook(RUNBOOK)]


def use(name: str = "x.service", used: float = 10, limit: float = 100, refused: int | None = None) -> Use:
    return Use(("check", name), Culprit("unit", name, name), LimitValue("TasksMax", limit, "tasks", "/x"), used, refused)


def sample(n: int, *, tasks: int = 500, refused: int = 0, is_complete: bool = True) -> Sample:
    """What a collector prints of a host with one limited cgroup."""
    records = (
        Record("kernel_limits", ("are", "threads_max=1000", "pid_max=32768", f"ids_from_300={tasks}", "forks=1")),
        Record("walk", (f"tasks={tasks}", f"total={tasks}")),
        Record("meminfo", ("is", "MemTotal=1000000", "MemAvailable=900000", "SwapTotal=0", "SwapFree=0")),
        Record("pids_cgroups", ("at", "/system.slice/w.service", "100", "60", str(refused), "?", "60")),
        Record("pids_cgroups", ("all", "mode=v2", "meaning=local", "mount=/sys/fs/cgroup", "root=/", "whole=1")),
        Record("end", ("printed=1", f"cpu_us={n * 5000}")),
    )
    return Sample(n, records if is_complete else records[:1], is_complete)


class FakeCollection:
    """A session whose samples are given; an OSError ends it."""

    def __init__(self, samples: Sequence[Sample | OSError]) -> None:
        self.coming = list(samples)
        self.kinds: tuple[str, ...] = ()
        self.samples: tuple[Sample, ...] = ()
        self.has_ended = self.is_closed = False
        self.breaths = 0
        self.session = SimpleNamespace(route=Route("ssh:stock"))
        self.take_sample()

    def take_sample(self, suspects: Sequence[int] = (), *, asked: Sequence[str] = (), is_brief: bool = False) -> None:
        item = self.coming.pop(0) if self.coming else OSError("over")
        if isinstance(item, OSError):
            self.has_ended = True
            item = Sample(99, (), is_complete=False)
        self.samples = (*self.samples, item)

    def drop_old_samples(self, keep: int = 2) -> None:
        self.samples = self.samples[-keep:]

    def poll_keepalive(self) -> None:
        self.breaths += 1

    @property
    def cost(self) -> Cost:
        return Cost(bytes=1, cpu_ms=float(self.samples[-1].end.get("cpu_us", 0)) / 1000, awk="mawk", collector="awk")

    def close(self) -> None:
        self.is_closed = True


def watched(*sessions: Any, every_s: float = 0.0, looks: int = 0) -> tuple[list[WatchUpdate], list[Any]]:
    """The observations of a watch whose connects give these sessions, or fail with these errors."""
    seen: list[WatchUpdate] = []
    coming = list(sessions)

    def connect() -> Any:
        item = coming.pop(0) if coming else LoginFailed(Login("connect", "refused", "nobody there"))
        if isinstance(item, LoginFailed):
            raise item
        return item

    watch = HostWatch("web01", BOOKS, connect, seen.append, every_s=every_s, now=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    watch._pace = lambda _collection: every_s  # type: ignore[method-assign]
    watch._retry_s = 0.0
    watch.run(looks)
    return seen, coming


def test_a_rise_over_eight_samples_becomes_a_trend_verdict_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # a clock that no busy machine holds up
    monkeypatch.setattr(host_watch, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    session = FakeCollection([sample(n, tasks=400 + 40 * n) for n in range(1, 9)])
    seen, _ = watched(session, every_s=0.02, looks=8)
    first, last = seen[0].observation, seen[-1].observation
    assert (first.status, first.trends) == ("inconclusive", ())
    causes = {(verdict.cause, verdict.active) for verdict in (last.verdict, *last.also) if verdict}
    assert ("threads_max", "trend") in causes
    heading = next(item for item in last.trends if item.check == "threads_max")
    assert heading.trend.used == 720
    assert heading.trend.seconds_to_limit < 1
    assert any("heading for kernel.threads-max" in change for one in seen for change in one.observation.changes)


def test_refusals_are_told_when_they_are_counted_and_once() -> None:
    counts = (0, 0, 7, 7)
    seen, _ = watched(FakeCollection([sample(n, refused=count) for n, count in enumerate(counts, 1)]), looks=4)
    told = [[(item.what, item.count) for item in one.observation.refusals] for one in seen]
    assert told == [[], [], [("w.service", 7)], []]
    assert "REFUSED  7 refused: w.service" in "\n".join(events(seen[2].observation, is_first=False))


def test_a_broken_session_is_told_and_opened_again() -> None:
    first, second = FakeCollection([sample(1), OSError("cut")]), FakeCollection([sample(1)])
    seen, _ = watched(first, second, looks=3)
    assert [one.observation.status for one in seen] == ["inconclusive", "unreachable", "inconclusive"]
    assert first.is_closed
    assert seen[1].observation.changes == ("inconclusive -> unreachable",)


def test_a_login_that_fails_is_evidence_and_is_tried_again_ever_more_seldom() -> None:
    refused = LoginFailed(Login("auth", "no_session", "no shell"))
    seen, left = watched(refused, FakeCollection([sample(1)]), looks=2)
    assert [one.observation.login.outcome for one in seen] == ["no_session", "ok"]
    assert not left


def test_a_session_that_only_goes_silent_is_kept_where_no_other_comes() -> None:
    silent = [sample(n, is_complete=False) for n in range(2, 2 + SILENT_SAMPLES)]
    session = FakeCollection([sample(1), *silent, sample(9)])
    seen, _ = watched(session, looks=SILENT_SAMPLES + 2)
    assert "the session is kept" in seen[1].observation.headline
    assert seen[-1].observation.headline == seen[0].observation.headline
    assert session.breaths == 0


def test_a_silent_session_is_replaced_where_another_comes() -> None:
    silent = [sample(n, is_complete=False) for n in range(2, 2 + SILENT_SAMPLES)]
    dead, fresh = FakeCollection([sample(1), *silent]), FakeCollection([sample(1), sample(2)])
    seen, _ = watched(dead, fresh, looks=SILENT_SAMPLES + 2)
    assert dead.is_closed
    assert "No reached limit" in seen[-1].observation.headline


def test_a_sample_that_costs_the_host_more_than_its_share_slows_the_watch() -> None:
    session: Any = FakeCollection([sample(1), sample(2), sample(3)])
    watch = HostWatch("web01", BOOKS, lambda: session, lambda _seen: None, every_s=1.0, now=lambda: datetime.now(UTC))
    paces = []
    for _ in range(3):
        paces.append(watch._pace(session))
        session.take_sample()
    assert paces == [1.0, 5.0, 5.0]  # 5 ms a sample: every 5 s is a thousandth of a CPU
    watch._sample_ms = 900.0
    assert watch._pace(session) == 60.0


def test_an_ask_is_answered_between_samples_and_a_malformed_one_refused() -> None:
    session: Any = FakeCollection([sample(1), sample(2), sample(3)])
    watch = HostWatch("web01", BOOKS, lambda: session, lambda _seen: None, every_s=9.0, now=lambda: datetime.now(UTC))
    watch.collection = session
    session.session = type("S", (), {"route": type("P", (), {"host_key": "SHA256:x"})})
    good = watch._answer({"ask": "sample", "n": 1, "tag": "abcdefabcdef", "program": "", "suspects": [1, -5, "x"]})
    assert str(good["text"]).startswith("triagebook/1 abcdefabcdef\nabcdefabcdef\t1\tkernel_limits\tare\t")
    for bad in (
        {"ask": "sample", "n": "1", "tag": "aa"},
        {"ask": "sample", "n": 1, "tag": "a\tb"},
        {"ask": "sample", "n": 1, "tag": "aa", "program": "another"},
        {"ask": "run", "argv": ["sh", "-c", "id"]},
        {"ask": "run", "argv": ["systemctl", "show", "--no-pager", "--property=Id", "--", "x.service"]},
        {"ask": "run", "argv": "id"},
        {"ask": "shutdown"},
        {},
    ):
        assert "error" in watch._answer(bad), bad
    watch.collection = None
    assert watch._answer({"ask": "sample"}) == {"error": "it has no session at this time"}


def test_an_ask_waits_in_the_queue_of_the_one_thread() -> None:
    ask = WatchRequest({})
    assert isinstance(ask.reply, queue.Queue)
    assert ask.reply.maxsize == 1


def test_the_course_stays_bounded_over_days_and_forgets_what_is_gone() -> None:
    course = Course()
    many = tuple(use(f"u{number}") for number in range(MOST_SERIES + 50))
    course.add(0.0, many)
    assert len(course._series) == MOST_SERIES
    for number in range(1, 20_000):
        course.add(number * 10.0, (use("u0", used=number % 7),))
    assert list(course._series) == [("check", "u0")]
    (series,) = course._series.values()
    assert (len(series.recent), len(series.long)) == (RECENT, LONG)
    assert FORGOTTEN_AFTER < 100


def test_a_leak_of_hours_is_seen_though_its_minutes_are_flat() -> None:
    course = Course()
    for number in range(60 * 12):
        course.add(number * 10.0, (use(used=100 + number // 60 * 3, limit=1000),))
    trend = course.trends()[("check", "x.service")]
    assert trend.span_s > 3600
    assert trend.slope_per_s * 3600 == pytest.approx(18, rel=0.1)


@pytest.mark.parametrize(
    ("culprit", "limit", "said"),
    [
        (Culprit("host", "memory"), "memory", "memory"),
        (Culprit("host", "kernel.pid_max"), "kernel.pid_max less the 300 reserved", "kernel.pid_max less the 300 reserved"),
        (Culprit("host", "10.0.0.7:443"), "net.ipv4.ip_local_port_range", "10.0.0.7:443, net.ipv4.ip_local_port_range"),
        (Culprit("unit", "/system.slice/x.service", "x.service"), "TasksMax", "x.service, TasksMax"),
    ],
)
def test_a_limit_of_the_host_is_named_once(culprit: Culprit, limit: str, said: str) -> None:
    """Not "web01: memory, memory, 10 % in use", nor "kernel.threads-max is heading for kernel.threads-max"."""
    one = Use(("check", ""), culprit, LimitValue(limit, 100.0, "tasks", "/x"), 10.0)
    assert one.title == said
    course = Trend(slope_per_s=1, r2=1, readings=8, span_s=60, used=10, limit=100, seconds_to_limit=90)
    who = "The host" if said == limit else one.label
    assert sentence(culprit, one.limit, None, course).startswith(f"{who} is heading for {limit}: 10 of 100 tasks, ")


def test_the_picture_of_a_watch_says_once_what_is_drawn() -> None:
    (seen,), _ = watched(FakeCollection([sample(1, tasks=990)]), looks=1)
    assert seen.course_of == "kernel.threads-max"


def seen_with(uses: tuple[Use, ...], host: str = "web01") -> WatchUpdate:
    (seen,), _ = watched(FakeCollection([sample(1)]), looks=1)
    return WatchUpdate(type(seen.observation)(**{**vars(seen.observation), "host": host}), uses, ((10.0, 100.0),), "x")


def test_metrics_are_escaped_capped_and_the_refusing_come_first() -> None:
    uses = (*tuple(use(f"u{number}", used=50) for number in range(MOST_USES + 10)), use('we"ird\n\\', used=1, refused=3))
    text = metrics([seen_with(uses)], {"web01": 1700000000.5})
    assert (
        'triagebook_refusals_total{host="web01",check="check",what="we\\"ird\\n\\\\",element="we\\"ird\\n\\\\",limit="TasksMax"} 3'
        in text
    )
    assert text.count("triagebook_used{") == MOST_USES
    assert 'triagebook_series_dropped{host="web01"} 11' in text
    assert 'triagebook_watch_sample_timestamp_seconds{host="web01"} 1700000000.5' in text
    assert text.endswith("\n")


def test_the_metrics_file_is_replaced_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file = Textfile(tmp_path / "triagebook.prom")
    file.put(seen_with((use(),)), 1.0)
    file.put(seen_with((use(),), "db01"), 2.0)
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["triagebook.prom"]
    assert 'host="db01"' in (tmp_path / "triagebook.prom").read_text()
    with pytest.raises(UsageError, match="there is no folder"):
        Textfile(tmp_path / "absent" / "x.prom").put(seen_with(()), 1.0)


def test_a_chart_is_never_higher_than_its_limit_and_never_wider_than_the_screen() -> None:
    lines = chart([(0, 100), (50, 100), (100, 100), (130, 100)], 40, 4)
    assert lines == ["100 % |  ##", "      |  ##", " 50 % | ###", "  0 % | ###"]
    assert max(len(line) for line in chart([(1, 1)] * 500, 60)) <= 60
    assert chart([], 60) == []
    assert all(character.isascii() for line in lines for character in line)


def test_the_screen_draws_its_state_anew_below_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    seen, _ = watched(FakeCollection([sample(1), sample(2)]), looks=2)
    screen = Screen(sys.stdout, Style())
    screen.show(seen[0], ["first line"])
    screen.show(seen[1], ["second line"])
    out = capsys.readouterr().out
    assert out.index("first line") < out.index("\x1b[") < out.index("second line")
    erased = re.search(r"\x1b\[(\d+)A\x1b\[J", out)
    assert erased is not None
    drawn = out[out.index("first line") : erased.start()].count("\n") - 1
    assert int(erased[1]) == drawn, "exactly what was drawn below the line is erased, and not the line"
    assert "100 % |" in out


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (100, 50), (140, 50), (20, 60), (60, 5)])
def test_the_screen_is_never_higher_or_wider_than_the_terminal(columns: int, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    (seen,), _ = watched(FakeCollection([sample(1)]), looks=1)
    out = io.StringIO()
    screen = Screen(out, Style())
    for number in range(33):
        screen.show(replace(seen, observation=replace(seen.observation, host=f"web{number:02}")), [])
    blocks = out.getvalue().split("\x1b[J")
    assert len(blocks) == 33  # each is drawn over the one before it
    assert max(len(block.splitlines()) for block in blocks) <= lines
    assert max(len(line.partition("\x1b")[0]) for block in blocks for line in block.splitlines()) < columns
    assert "more hosts" in blocks[-1]


def test_an_observation_is_plain_json() -> None:
    import json

    (seen,), _ = watched(FakeCollection([sample(1)]), looks=1)
    line = json.loads(json.dumps(to_plain(seen.observation)))
    assert (line["schema"], line["host"], line["sample"]) == ("triagebook/watch/v1", "web01", 1)
    assert set(line) >= {"at", "status", "headline", "verdict", "changes", "refusals", "trends", "cost"}
