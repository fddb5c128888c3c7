"""The root card: the verdict first, all that was found in its fallback text, buttons that only ask."""

import json
import zlib
from dataclasses import replace

import pytest
from triagebook.bot.slack.cards import detail, diagnosis, names
from triagebook.bot.slack.cards.chart_png import chart_png, course_of, picture
from triagebook.bot.slack.cards.wording import gauge, use
from triagebook.runbooks.engine.diagnosis import LimitValue, LoginResult, Usage

from tests.system.slack.samples import CASES, recorded
from tests.system.slack.surfaces import ASKED, ROOT, TOKENS
from tests.system.slack.test_hostile import clickable

FOUND = recorded("debian-13-two-at-once")


def lines(blocks: object) -> list[str]:
    """The texts of a card in their order."""
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [text for value in blocks.values() for text in lines(value)]
    return [text for item in blocks for text in lines(item)] if isinstance(blocks, (list, tuple)) else []


def test_the_card_says_the_verdict_first_and_the_run_last() -> None:
    said = "\n".join(lines(diagnosis.verdict(FOUND, ASKED, TOKENS).blocks))
    order = (
        "CAUSE FOUND · replay:debian-13-two-at-once",
        "worker.service is at its task limit: 24 of 24 tasks, and 3 forks were refused while we looked.",
        "A limit, not a shortage",
        "▰▰▰▰▰▰▰▰▰▰ 24 of 24 tasks (100 %) · TasksMax (pids.max)",
        "certain · being refused now",
        "used by worker  24 tasks (PID 292, worker.service)",
        "refused         47 -> 50 refusals",
        "limit read from /sys/fs/cgroup/system.slice/worker.service/pids.max",
        "Also found",
        "Not judged: each may still be a cause",
        "What to do",
        "Ruled out: threads_max",
        f"enomem@1.0.0` `{FOUND.runbook.digest[7:19]}",
        "Propose fix…",
    )
    places = [said.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.parametrize("case", CASES)
def test_the_fallback_text_says_all_that_the_card_says(case: str) -> None:
    found = recorded(case)
    text = diagnosis.fallback(found)
    wanted = [found.headline, *(item.summary for item in found.also[:3]), *(item.check for item in found.unknown), *found.next[:2]]
    wanted += [found.verdict.cause, found.verdict.strength] if found.verdict else []
    assert not [part for part in wanted if " ".join(part.split()) not in text.replace("&gt;", ">").replace("&lt;", "<")]


@pytest.mark.parametrize("case", CASES)
def test_a_fix_can_be_proposed_only_where_one_is_offered_and_nothing_is_executed_from_here(case: str) -> None:
    found = recorded(case)
    buttons = clickable(list(diagnosis.verdict(found, ASKED, TOKENS).blocks))
    assert buttons == [name for name in ROOT if name != names.PROPOSE or found.remediations]
    assert clickable(list(diagnosis.verdict(found, ASKED, {}).blocks)) == []
    assert clickable(list(diagnosis.short_card(found, ASKED, "U0BOB", TOKENS).blocks)) == [names.RERUN, names.EVIDENCE]


def test_an_unreachable_host_is_told_by_how_its_login_failed() -> None:
    found = replace(
        FOUND,
        status="unreachable",
        headline="The host gave no session (auth: refused).",
        verdict=None,
        also=(),
        checks=(),
        unknown=(),
        facts=(),
        remediations=(),
        login=LoginResult("auth", "refused", "Permission denied (publickey)"),
    )
    card = diagnosis.verdict(found, ASKED, TOKENS)
    assert lines(card.blocks)[0].endswith("UNREACHABLE · replay:debian-13-two-at-once")
    assert "Ruled out" not in json.dumps(card.blocks) + card.text
    assert "NOT JUDGED  auth: refused: Permission denied (publickey)" in lines(detail.detail(found)[0].blocks)
    assert "Propose" not in json.dumps(card.blocks)


def test_an_accepted_unknown_is_still_told() -> None:
    found = recorded("max-map-count-accepted")
    card = diagnosis.verdict(found, ASKED, {})
    assert found.caveats
    for where in (json.dumps(card.blocks), card.text):
        assert "Not judged, accepted beforehand: max_map_count" in where


@pytest.mark.parametrize(
    ("used", "limit", "bar", "said"),
    [
        (392.0, 400.0, "▰▰▰▰▰▰▰▰▰▱", "392 of 400 tasks (98 %)"),
        (400.0, 400.0, "▰▰▰▰▰▰▰▰▰▰", "400 of 400 tasks (100 %)"),
        (399.0, 400.0, "▰▰▰▰▰▰▰▰▰▱", "399 of 400 tasks (99 %)"),
        (500.0, 400.0, "▰▰▰▰▰▰▰▰▰▰", "500 of 400 tasks (125 %)"),
        (0.0, 400.0, "▱▱▱▱▱▱▱▱▱▱", "0 of 400 tasks (0 %)"),
        (5.0, 0.0, "", "5 of 0 tasks"),
        (None, 400.0, "", "use not known, limit 400 tasks"),
    ],
)
def test_a_gauge_is_full_only_at_the_limit_and_words_stand_beside_it(used: float | None, limit: float, bar: str, said: str) -> None:
    assert FOUND.verdict is not None
    usage = None if used is None else Usage(used, "tasks", "")
    verdict = replace(FOUND.verdict, limit=LimitValue("TasksMax", limit, "tasks", ""), usage=usage)
    assert gauge(used, limit) == bar
    assert use(verdict) == said


def test_the_thread_has_a_line_for_each_check() -> None:
    checks, evidence, by_hand = detail.detail(FOUND)
    said = "\n".join(lines(checks.blocks))
    for check in FOUND.checks:
        assert f"{check.id}: " in said
    assert "NOT JUDGED  max_map_count: could not be judged: permission denied" in said
    assert "pids[/system.slice/worker.service].refused = 47 -> 50 refusals" in "\n".join(lines(evidence.blocks))
    assert "systemctl set-property --runtime worker.service TasksMax=64" in "\n".join(lines(by_hand.blocks))


def _pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of a palette image without filters, its checksums verified."""
    at, found = 8, dict[bytes, bytes]()
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        name, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(name + body) == int.from_bytes(png[at + 8 + length : at + 12 + length], "big")
        found[name], at = body, at + 12 + length
    width, height = (int.from_bytes(found[b"IHDR"][place : place + 4], "big") for place in (0, 4))
    raw = zlib.decompress(found[b"IDAT"])
    return width, height, [raw[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height)]


def test_the_chart_is_a_png_whose_bars_rise_with_the_use_and_turn_red_at_the_limit() -> None:
    width, height, rows = _pixels(chart_png([(100, 400), (200, 400), (400, 400)], "400 / 400"))
    assert (width, height, len(rows)) == (640, 220, 220)
    columns = [110, 170, 230]
    heights = [sum(row[x] in {2, 3} for row in rows) for x in columns]
    assert heights[0] * 2 == pytest.approx(heights[1], abs=3)
    assert heights[1] * 2 == pytest.approx(heights[2], abs=3)
    assert [rows[180][x] for x in columns] == [2, 2, 3]
    assert chart_png([]) == b""


def test_a_chart_needs_two_samples_of_the_use() -> None:
    assert course_of(FOUND) == [(24.0, 24), (24.0, 24)]
    assert picture(FOUND)[0][:8] == b"\x89PNG\r\n\x1a\n"
    assert picture(FOUND)[1] == "TasksMax (pids.max): 24, 24 of 24 tasks"
    assert picture(recorded("healthy")) == (b"", "")


def test_the_second_sample_is_announced_where_the_first_verdict_stands() -> None:
    card = diagnosis.verdict(FOUND, ASKED, {}, "a second sample is taken in 2 s")
    assert "⏳ a second sample is taken in 2 s" in lines(card.blocks)


def test_one_run_reads_the_same_from_its_first_word_to_its_verdict() -> None:
    begun = diagnosis.progress_card("host01", "enomem@1.0.0", ASKED)
    assert begun.text == "Diagnosing host01"
    assert lines(begun.blocks)[0] == "⏳ DIAGNOSING · host01"
    failed = diagnosis.failure_card("host01", "no inventory", "no_inventory", ASKED, TOKENS)
    assert "NO DIAGNOSIS" in lines(failed.blocks)[0]
    assert "no_inventory" in failed.text
