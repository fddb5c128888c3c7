"""The root card: the verdict first, all that was found in its fallback text, buttons that only ask."""

import json
import re
import sys
from dataclasses import replace
from io import BytesIO
from typing import cast

import pytest
from PIL import Image
from triagebook.bot.slack.cards import detail, diagnosis, names
from triagebook.bot.slack.cards.chart_png import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_WIDE,
    RIGHT,
    TOP,
    WIDTH,
    chart_png,
    course_of,
    has_pillow,
    use_course,
)
from triagebook.bot.slack.cards.limits import Card
from triagebook.bot.slack.cards.wording import fact_title, gauge, use
from triagebook.bot.slack.flows.thread import below
from triagebook.runbooks.engine.diagnosis import LimitValue, LoginResult, Usage
from triagebook.tools.diagnosis.stored_diagnosis import redact_diagnosis
from triagebook.tools.store.chat_runs import ChatRun

from tests.quick import quick_share
from tests.system.slack.samples import CASES, NOW, recorded
from tests.system.slack.surfaces import ASKED, ROOT, TOKENS
from tests.system.slack.test_hostile import clickable

FOUND = recorded("debian-13-two-at-once")
RUN = ChatRun("R1", "ann", "slack:U1", "C1", "web-01", "enomem", "M1", NOW)
BLUE, RED = (0x36, 0x75, 0xBE), (0xCC, 0x3C, 0x28)


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
        "used by worker     24 tasks (PID 292, worker.service)",
        "refused            47 -> 50 refusals",
        "refused meanwhile  3 refusals",
        "limit read from /sys/fs/cgroup/system.slice/worker.service/pids.max",
        "Also found",
        "Not judged: each may still be a cause",
        "What to do",
        "Ruled out: user_nproc_latent [nproc (RLIMIT_NPROC)], kernel.threads-max",
        f"enomem@1.2.0` `{FOUND.runbook.digest[7:19]}",
        "Propose fix…",
    )
    places = [said.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.parametrize("case", quick_share(CASES))
def test_the_fallback_text_says_all_that_the_card_says(case: str) -> None:
    found = recorded(case)
    text = diagnosis.fallback(found)
    wanted = [found.headline, *(item.summary for item in found.also[:3]), *(item.check for item in found.unknown), *found.next[:2]]
    wanted += [found.verdict.cause] if found.verdict else []
    wanted += [found.verdict.strength] if found.verdict and not found.verdict.is_only_close else []
    assert not [part for part in wanted if " ".join(part.split()) not in text.replace("&gt;", ">").replace("&lt;", "<")]


@pytest.mark.parametrize("case", quick_share(CASES))
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
    assert re.search(r"^NOT JUDGED +max_map_count: could not be judged: permission denied", said, re.MULTILINE)
    assert re.search(r"^not looked at +overcommit_log: it rests on what a program says", said, re.MULTILINE)
    assert "pids[/system.slice/worker.service].refused = 47 -> 50 refusals" in "\n".join(lines(evidence.blocks))
    assert "systemctl set-property --runtime worker.service TasksMax=64" in "\n".join(lines(by_hand.blocks))


def boxes_of(card: Card) -> list[str]:
    """The texts that a person can copy as one."""
    return [
        "".join(piece["text"] for piece in element["elements"])
        for block in card.blocks
        for element in block.get("elements", ())
        if element["type"] == "rich_text_preformatted"
    ]


def test_a_change_and_its_undo_are_never_in_one_box() -> None:
    _checks, _evidence, by_hand = detail.detail(FOUND)
    copied = [[line for line in text.splitlines() if not line.startswith("# ")] for text in boxes_of(by_hand)]
    offers = FOUND.remediations
    assert copied == [list(lines) for offer in offers for lines in (offer.commands, offer.undo_commands) if lines]


def test_the_evidence_of_a_healthy_host_has_a_figure_for_each_check() -> None:
    found = recorded("healthy")
    checks, evidence = detail.detail(found)
    said = "\n".join(lines(checks.blocks))
    assert re.search(r"threads_max: \d+ of [\d ]+ tasks", said)
    assert "kernel.threads_max = " in "\n".join(lines(evidence.blocks))
    assert "    /proc/sys/kernel/threads-max" in "\n".join(lines(evidence.blocks))


@pytest.mark.parametrize("case", ["healthy", "debian-13-two-at-once"])
def test_a_fact_and_where_it_was_read_are_in_one_box(case: str) -> None:
    boxes = [text.splitlines() for text in boxes_of(detail.detail(recorded(case))[1])]
    assert len(boxes) > 2
    assert not [box[0] for box in boxes if box[0].startswith("    ")]
    assert not [line for box in boxes for line in box if line.endswith("=")]  # a fact that is empty is said to be none


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("pids[/system.slice/worker.service].refused_delta", "refused meanwhile"),
        ("users[1003].limited_processes", "limited processes"),
        ("mem.available_bytes", "mem available"),
    ],
)
def test_a_fact_of_the_card_has_a_name_for_people(fact: str, said: str) -> None:
    assert fact_title(fact) == said


def test_a_host_without_a_session_is_told_what_to_type_as_code() -> None:
    line = "echo 4194304 > /proc/sys/kernel/pid_max"
    found = replace(recorded("healthy"), status="unreachable", verdict=None, next=("It closed.", f"If it is pid_max: `{line}`"))
    card = diagnosis.verdict(found, ASKED, TOKENS)
    assert {"type": "text", "text": line, "style": {"code": True}} in [
        piece
        for block in card.blocks
        for element in block.get("elements", ())
        for row in element.get("elements", ())
        for piece in (row.get("elements", ()) if isinstance(row, dict) else ())
    ]


def opened(png: bytes) -> Image.Image:
    """The picture, its checksums verified."""
    Image.open(BytesIO(png)).verify()
    image = Image.open(BytesIO(png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
    return image


def column(image: Image.Image, x: int) -> list[tuple[int, int, int]]:
    return [cast("tuple[int, int, int]", image.getpixel((x, y))) for y in range(image.height)]


def inked(image: Image.Image, left: int, top: int, right: int, bottom: int) -> float:
    """The share of dark pixels of a part of the picture: text that can be read on the white paper."""
    pixels = [cast("tuple[int, int, int]", image.getpixel((x, y))) for x in range(left, right) for y in range(top, bottom)]
    return sum(max(pixel) < 130 for pixel in pixels) / len(pixels)


def test_the_chart_is_a_png_whose_bars_rise_with_the_use_and_turn_red_at_the_limit() -> None:
    image = opened(chart_png([(100, 400), (200, 400), (400, 400)], "TasksMax", "400 of 400"))
    columns = [LEFT + MOST_WIDE * number + MOST_WIDE // 2 for number in range(3)]
    heights = [sum(pixel in {BLUE, RED} for pixel in column(image, x)[: HEIGHT - BOTTOM + 1]) for x in columns]
    above = 3  # the line of the limit, which a lower bar does not reach
    assert (heights[0] - above) * 2 == pytest.approx(heights[1] - above, abs=3)
    assert (heights[1] - above) * 2 == pytest.approx(heights[2], abs=3)
    assert [column(image, x)[HEIGHT - BOTTOM - 10] for x in columns] == [BLUE, BLUE, RED]
    assert {column(image, x)[TOP] for x in (LEFT, 500, WIDTH - RIGHT)} == {RED}, "the limit is a line over the whole width"
    assert chart_png([]) == b""


def test_the_chart_reads_the_same_on_a_light_and_a_dark_ground() -> None:
    image = opened(chart_png([(100, 400), (200, 400)], "TasksMax", "200 of 400"))
    corners = [image.getpixel(place) for place in ((0, 0), (WIDTH - 1, 0), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1))]
    assert corners == [(0xB5, 0xB5, 0xB5)] * 4, "a border, and nothing to see through"
    assert image.getpixel((LEFT + 300, 150)) == (255, 255, 255)
    assert inked(image, LEFT, 20, LEFT + 100, 50) > 0.05, "what the limit is"
    assert inked(image, WIDTH - RIGHT - 120, 20, WIDTH - RIGHT, 50) > 0.05, "how much of it is used"
    assert all(inked(image, 10, y - 12, LEFT - 12, y + 12) > 0.01 for y in (TOP, HEIGHT - BOTTOM)), "0 % and 100 %"
    assert inked(image, LEFT + 130, 20, WIDTH - RIGHT - 140, 50) == 0


def test_many_samples_are_bars_that_fit() -> None:
    image = opened(chart_png([(400, 400)] * 500, "T" * 500, "400 of 400"))
    assert column(image, WIDTH - RIGHT + 4)[HEIGHT - BOTTOM - 10] == (255, 255, 255)
    assert column(image, WIDTH - RIGHT - 3)[HEIGHT - BOTTOM - 10] == RED


def test_the_same_samples_make_the_same_picture() -> None:
    assert chart_png([(1, 2), (2, 2)], "a", "2 of 2") == chart_png([(1, 2), (2, 2)], "a", "2 of 2")


def test_a_chart_needs_two_samples_of_the_use() -> None:
    assert course_of(FOUND) == [(24.0, 24), (24.0, 24)]
    course = use_course(FOUND)
    assert course is not None
    assert (course.name, course.newest) == ("TasksMax (pids.max)", "24 of 24 tasks")
    assert course.says == "TasksMax (pids.max): 24, 24 of 24 tasks"
    assert use_course(recorded("healthy")) is None


def test_without_pillow_the_thread_has_a_chart_of_characters_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = redact_diagnosis(FOUND)
    with_picture = {message.id: message for message in below(RUN, answer)}
    assert with_picture["M1.chart"].content["filename"].endswith(".png")
    has_pillow.cache_clear()
    monkeypatch.setitem(sys.modules, "PIL", None)
    try:
        with caplog.at_level("WARNING", "triagebook"):
            plain, again = [message for _ in range(2) for message in below(RUN, answer) if message.id == "M1.chart"]
    finally:
        monkeypatch.undo()
        has_pillow.cache_clear()
    assert [record.getMessage() for record in caplog.records] == ["slack.no_picture missing=Pillow needs=triagebook[slack]"]
    assert again == plain
    said = "\n".join(lines(plain.content["blocks"]))
    assert "100 % |##" in said
    assert "TasksMax (pids.max): 24, 24 of 24 tasks" in said


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
