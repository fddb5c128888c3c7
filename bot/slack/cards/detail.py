"""Builds the thread below a diagnosis: a line for each check, the facts with their sources, the commands to run by hand."""

from collections.abc import Iterable, Iterator, Sequence

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import Block, prose, run
from triagebook.bot.slack.cards.blocks import fixed_width as box
from triagebook.bot.slack.cards.limits import Card, Part, card
from triagebook.bot.slack.cards.wording import OUTCOMES, bounds, columns, undo_text, unknown_text, urgency_in, value_of
from triagebook.runbooks.engine.diagnosis import CheckResult, Diagnosis, FactEntry, OfferedRemediation

LINES = 24  # of a box
CHARACTERS = 2400
SOURCE = "    "  # a line that begins so says where the fact of the line above was read
ELSEWHERE = "in the file of this run"


def detail(diagnosis: Diagnosis) -> tuple[Card, ...]:
    """Return the messages of the thread, in order."""
    return (
        card(_checks(diagnosis), f"Checks of {mrkdwn.escape(diagnosis.host.name)}", ELSEWHERE),
        *([card(found, "Evidence", ELSEWHERE)] if (found := _evidence(diagnosis)) else []),
        *([card(_by_hand(diagnosis.remediations), "Changes by hand", ELSEWHERE)] if diagnosis.remediations else []),
    )


def evidence(diagnosis: Diagnosis) -> Card:
    """Return a card with every cited fact, for the button `Show evidence`."""
    return card(_evidence(diagnosis) or [prose(run("No fact is cited."))], "Evidence", ELSEWHERE)


def _checks(diagnosis: Diagnosis) -> Iterator[Part]:
    rows = [(OUTCOMES[check.outcome], f"{check.id}: {_result_text(check)}{_title(check)}") for check in diagnosis.checks]
    if not rows:
        rows = [("NOT JUDGED", f"{diagnosis.login.phase}: {diagnosis.login.outcome}: {diagnosis.login.message}")]
    yield from boxes("Each check, in the order of triage", columns(rows, 14))
    if diagnosis.unknown:
        yield from boxes("Not judged: each may still be a cause", [unknown_text(item, 12) for item in diagnosis.unknown])
    if diagnosis.also:
        told = [f"{mrkdwn.exact(item.summary, 400)} ({urgency_in(diagnosis, item)})" for item in diagnosis.also]
        yield from boxes("Also found", told)
    yield from boxes("What it cost", list(_cost(diagnosis)), spare=3)


def _title(check: CheckResult) -> str:
    return f" [{check.title}]" if check.title else ""


def _result_text(check: CheckResult) -> str:
    """Return how a check ended, with its figure: `237 of 192731 tasks`."""
    found = check.findings
    if check.outcome == "cleared" and not check.figures:
        return f"{found.cleared} looked at" if found.cleared else "none to look at"
    rest = f" ({found.unknown} not judged)" if check.outcome == "matched" and found.unknown else ""
    return f"{check.says.removeprefix('cleared: ')}{rest}"


def _evidence(diagnosis: Diagnosis) -> list[Part]:
    """Return the facts that the verdict cites, then for each other check the figures that it was judged by."""
    parts = list(boxes("Evidence", _fact_lines(diagnosis.facts))) if diagnosis.facts else []
    cited = {entry.id for entry in diagnosis.facts}
    lines = []
    for check in diagnosis.checks:
        if figures := [entry for entry in check.figures if entry.id not in cited]:
            lines += [f"{check.id}: {OUTCOMES[check.outcome]}", *(f"  {line}" for line in _fact_lines(figures))]
    return [*parts, *(boxes("What each other check was judged by", lines, spare=2) if lines else [])]


def _fact_lines(entries: Iterable[FactEntry]) -> list[str]:
    lines = []
    for entry in entries:
        lines.append(f"{mrkdwn.exact(entry.id, 200)} = {mrkdwn.exact(value_of(entry), 200)}")
        if entry.source:
            lines.append(f"    {mrkdwn.exact(entry.source, 200)}")
    return lines


def _by_hand(offers: Sequence[OfferedRemediation]) -> Iterator[Part | Block]:
    """Return each change and what undoes it in boxes of their own: whoever copies one box runs one thing."""
    yield prose(run("Changes by hand. ", bold=True), run("Nothing was changed. A person with root on the host may run these."))
    for offer in offers:
        about = (f"risk {offer.risk}, {undo_text(offer.undo)}", *bounds(offer), f"disruption: {offer.disruption}")
        lines = [*(f"# {line}" for line in about), *offer.commands]
        yield from boxes(mrkdwn.plain(f"{offer.id}: {offer.title}: {offer.culprit}"), lines)
        yield from boxes(mrkdwn.plain(f"To undo {offer.id} afterwards"), offer.undo_commands, spare=2)


def _cost(diagnosis: Diagnosis) -> Iterator[str]:
    target = diagnosis.target
    if diagnosis.login.phase:
        yield f"login {diagnosis.login.phase}: {diagnosis.login.outcome}"
    yield f"via {target.transport or 'nothing'}{f', {target.collector}' if target.collector else ''}"
    if target.cpu_ms is not None and target.bytes is not None:
        yield f"{target.cpu_ms:.0f} ms CPU on the host, {target.bytes} bytes, {target.forks} forks"
    yield ", ".join(f"{name} {value:.0f} ms" for name, value in diagnosis.timings_ms.items())
    yield from target.notes


def boxes(title: str, lines: Iterable[str], spare: int = 1) -> Iterator[Part]:
    """Return lines as preformatted boxes of a bounded size. If room is short, the last lines are left out first."""
    held: list[str] = []
    made = 0
    for line in (mrkdwn.exact(text, 600) for text in lines if text):
        is_source = line.startswith(SOURCE)  # stays in the box of its fact
        if held and ((len(held) >= LINES and not is_source) or sum(map(len, held)) + len(line) > CHARACTERS):
            yield Part(box("" if made else title, held), spare, len(held))
            held, made = [], made + 1
        held.append(line)
    if held:
        yield Part(box("" if made else title, held), spare, len(held))
