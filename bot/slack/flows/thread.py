"""Builds the thread below a diagnosis: each check, the evidence, the use over time as a picture, the whole as a file."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from triagebook.bot.render.chart import chart
from triagebook.bot.slack.cards.blocks import fixed_width, note
from triagebook.bot.slack.cards.chart_png import UseCourse, chart_png, use_course
from triagebook.bot.slack.cards.detail import ELSEWHERE, detail
from triagebook.bot.slack.cards.limits import card
from triagebook.bot.slack.outbound.sender import FILE
from triagebook.runbooks.engine.triage import diagnoses_of
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import ChatRun

MOST_BUNDLE = 500_000  # characters
CHART_WIDTH = 60  # characters


def below(run: ChatRun, answer: StoredDiagnosis) -> Iterator[Message]:
    """Return the messages, in order."""
    found, *others = diagnoses_of(answer.found)
    worth = [item for item in others if item.status in {"cause_found", "warning"}]  # the file has the rest
    for number, told in enumerate(told for item in (found, *worth) for told in detail(item)):
        yield _message(run, str(number), "detail", told.payload())
    name = f"{found.host.name}-{found.id}"
    if course := use_course(found):
        yield _chart(run, course, name)
    bundle = json.dumps(json.loads(answer.text), ensure_ascii=False, indent=1)
    if len(bundle) <= MOST_BUNDLE:
        yield _message(run, "file", FILE, {"filename": f"{name}.json", "title": f"{answer.found.id}, all of it", "content": bundle})


def _chart(run: ChatRun, course: UseCourse, name: str) -> Message:
    """Return the picture with its text alternative; without Pillow, a chart of plain characters."""
    title = "Use against the limit"
    drawn = chart_png(course.points, course.name, course.newest)
    if not drawn:
        lines = [*chart(course.points, CHART_WIDTH), course.says]
        return _message(run, "chart", "detail", card([fixed_width(title, lines)], title, ELSEWHERE).payload())
    content = {"filename": f"{name}.png", "title": title, "alt_txt": course.says, "base64": base64.b64encode(drawn).decode()}
    return _message(run, "chart", FILE, content)


def again(user: str, cause: str, count: int) -> dict[str, Any]:
    """Return what the thread says about a repeated request."""
    times = f"{count + 1} times by now"
    text = f"Asked again by <@{user}>: the same ({cause}), {times}. The card above is up to date."
    return {"text": text, "blocks": [note(f"Seen again: {cause}, {times}. The card above is up to date.")]}


def _message(run: ChatRun, part: str, kind: str, content: Mapping[str, Any]) -> Message:
    return Message(f"{run.message[:20]}.{part}", kind, run.id, run.channel, content, parent=run.message)
