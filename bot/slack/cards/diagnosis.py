"""Builds the card of a diagnosis: one message, edited from running to verdict, with the cause first."""

from collections.abc import Iterator
from dataclasses import replace

from triagebook.bot.render.text import STATUS_WORDS
from triagebook.bot.slack.cards import mrkdwn, names
from triagebook.bot.slack.cards.blocks import (
    Block,
    Tokens,
    actions,
    bullets,
    button,
    context,
    feedback_buttons,
    fixed_width,
    header,
    note,
    prose,
    run,
    runs,
)
from triagebook.bot.slack.cards.limits import FALLBACK, Card, Part, card
from triagebook.bot.slack.cards.wording import (
    Origin,
    checks_of,
    columns,
    digest,
    duration,
    fact_title,
    gauge,
    title,
    unknown_text,
    urgency_in,
    use,
    value_of,
)
from triagebook.runbooks.engine.diagnosis import Diagnosis, Verdict
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.triage import Found, diagnoses_of

MAX_EVIDENCE, MAX_ALSO, MAX_UNKNOWN, MAX_CONSUMERS, MAX_NEXT = 6, 3, 4, 3, 2
MAX_NEXT_UNREACHABLE = 8
NAME_WIDTH = 22  # of a fact, so that a line fits on a telephone


def progress_card(host: str, runbook: str, origin: Origin, says: str = "Reading the host; nothing is changed by looking.") -> Card:
    """Return the card shown while the host is being read."""
    who = context(f"{mrkdwn.code(runbook)} · asked by {mrkdwn.person(origin.by)} · {mrkdwn.date(origin.at)}")
    return card([header(f"⏳ DIAGNOSING · {host}"), prose(run(mrkdwn.plain(says))), who], f"Diagnosing {mrkdwn.escape(host)}")


def failure_card(host: str, says: str, reason: str, origin: Origin, tokens: Tokens) -> Card:
    """Return the card of a failed run, with its reason code. It never looks like a state of the host."""
    blocks = [
        header(f"⚫ NO DIAGNOSIS · {host}"),
        prose(run(mrkdwn.plain(says))),
        context(f"reason {mrkdwn.code(reason)} · asked by {mrkdwn.person(origin.by)} · {mrkdwn.date(origin.at)}"),
        *actions([button("Re-run", names.RERUN, tokens[names.RERUN])] if names.RERUN in tokens else []),
    ]
    return card(blocks, mrkdwn.fallback([f"No diagnosis of {host}: {says}", f"Reason: {reason}"]))


def verdict(found: Found, origin: Origin, tokens: Tokens, pending: str = "", *, notice: str = "") -> Card:
    """Return the card with the verdict, and below it what other runbooks found in the same look.

    `pending` is an extra line, such as that a second sample is being taken; `notice` one about the alert that asked.
    """
    diagnosis, others = first_and_others(found)
    alert = [note(f"🔔 {notice}")] if notice else []
    parts: list[Part | Block] = [header(title(diagnosis)), *alert, *_headline(diagnosis)]
    if diagnosis.recurrence is not None:
        parts.append(note(f"🔁 {diagnosis.recurrence.says}"))
    if diagnosis.verdict is not None:
        parts += _verdict(diagnosis, diagnosis.verdict)
    if others and diagnosis.status != "unreachable":  # there is one login, and one reason why it failed
        parts.append(Part(bullets("Other runbooks", [mrkdwn.plain(_other_line(item), 600) for item in others]), 4, len(others)))
    parts += _unknowns(diagnosis)
    if advice := _advice(diagnosis):
        parts.append(Part(bullets("What to do", [mrkdwn.plain(text) for text in advice]), 3, len(advice)))
    parts += _outcomes(diagnosis)
    if pending:
        parts.append(note(f"⏳ {pending}"))
    parts += [about(diagnosis, origin), *_feedback(tokens), *actions(_buttons(found, tokens))]
    return card(parts, fallback(found))


def first_and_others(found: Found) -> tuple[Diagnosis, tuple[Diagnosis, ...]]:
    """Return the diagnosis that a card is about, with the first sentence of the whole answer, and those of other runbooks."""
    first, *others = diagnoses_of(found)
    return replace(first, headline=found.headline), tuple(others)


def _other_line(diagnosis: Diagnosis) -> str:
    word = STATUS_WORDS[diagnosis.status]
    said = "" if diagnosis.status == "healthy" else f": {diagnosis.headline}"
    return f"{diagnosis.runbook.id} {word}{said}"


def short_card(found: Found, origin: Origin, by: str, tokens: Tokens) -> Card:
    """Return the card after it was closed: the verdict in one line, and a button to diagnose again."""
    diagnosis, _others = first_and_others(found)
    kept = {name: token for name, token in tokens.items() if name in {names.RERUN, names.EVIDENCE}}
    blocks = [
        header(title(diagnosis)),
        prose(run(mrkdwn.plain(diagnosis.headline))),
        context(f"Closed by {mrkdwn.person(by)}."),
        about(diagnosis, origin),
        *actions(_buttons(found, kept)),
    ]
    return card(blocks, fallback(found))


def fallback(found: Found) -> str:
    """Return the card as plain text, for notifications, screen readers and clients without blocks."""
    diagnosis, others = first_and_others(found)
    return mrkdwn.fallback([*_plain_lines(diagnosis), *(f"Runbook {_other_line(item)}" for item in others)], FALLBACK)


def about(diagnosis: Diagnosis, origin: Origin) -> Block:
    """Return the line that says who asked, when, with which runbook, and how long it took."""
    ref = diagnosis.runbook
    samples = f"{len(diagnosis.samples)} sample{'s' if len(diagnosis.samples) != 1 else ''}"
    taken = f"{mrkdwn.date(diagnosis.started_at)} · {duration(diagnosis.duration_ms)} · {samples}"
    return context(
        f"asked by {mrkdwn.person(origin.by)} · {taken}",
        f"runbook {mrkdwn.code(f'{ref.id}@{ref.version}')} {mrkdwn.code(digest(ref.digest))} · run {mrkdwn.code(diagnosis.id)}",
    )


def _headline(diagnosis: Diagnosis) -> Iterator[Block]:
    """Return the headline, with the verdict's sentence in bold; where that is not known to be why, the first sentence is."""
    verdict = diagnosis.verdict
    is_why = verdict is not None and (verdict.may_be_why or diagnosis.status == "cause_found")
    summary = verdict.summary if verdict is not None and is_why else ""
    if summary and summary in diagnosis.headline:
        main, rest = summary, " ".join(diagnosis.headline.replace(summary, " ").split())
    else:
        first, stop, rest = diagnosis.headline.partition(". ")
        main = first + stop.strip()
    yield prose(run(mrkdwn.plain(main, 600), bold=True), *(runs(f"\n{mrkdwn.plain(rest, 600)}") if rest else []))


def _verdict(diagnosis: Diagnosis, verdict: Verdict) -> Iterator[Part | Block]:
    limit = verdict.limit
    used = verdict.usage.value if verdict.usage else None
    said = [f"{urgency_in(diagnosis, verdict)} · {verdict.cause}"]
    if limit is not None:
        said.insert(0, f"{gauge(used, limit.value)}  {use(verdict)} · {limit.name}".strip())
    yield prose(run("\n".join(mrkdwn.plain(text) for text in said)))
    if lines := _evidence(diagnosis, verdict):
        yield Part(fixed_width("Evidence", lines), 4, len(lines))
    if diagnosis.also:
        more = [f"and {len(diagnosis.also) - MAX_ALSO} more in the thread"] if len(diagnosis.also) > MAX_ALSO else []
        told = [f"{mrkdwn.plain(item.summary)} ({urgency_in(diagnosis, item)})" for item in diagnosis.also[:MAX_ALSO]]
        yield Part(bullets("Also found", told + more), 2, len(told))


def _evidence(diagnosis: Diagnosis, verdict: Verdict) -> list[str]:
    """Return the evidence: who uses the limit up, then the cited facts that the gauge does not show, then the limit's source."""
    entries = {entry.id: entry for entry in diagnosis.facts}
    limit, usage = verdict.limit, verdict.usage
    told = {(usage.source, usage.value)} if usage else set()
    told |= {(limit.source, limit.value)} if limit else set()
    shown = []
    for entry in (entries[name] for name in verdict.evidence if name in entries):
        values = {reading.value for reading in entry.readings}
        is_told = len(values) == 1 and (entry.source, *values) in told
        if entry.unreadable or (any(values) and not is_told):
            shown.append((fact_title(entry.id), value_of(entry)))
    lines = columns([*_consumers(verdict), *shown[:MAX_EVIDENCE]], NAME_WIDTH)
    return [*lines, f"limit read from {mrkdwn.exact(limit.source, 120)}"] if limit and limit.source else lines


def _consumers(verdict: Verdict) -> Iterator[tuple[str, str]]:
    unit = verdict.limit.unit if verdict.limit else ""
    for item in verdict.consumers[:MAX_CONSUMERS]:
        yield f"used by {item.comm}", f"{quantity(item.count, unit)} (PID {item.pid}, {item.unit or item.user or 'no unit'})"


def _unknowns(diagnosis: Diagnosis) -> Iterator[Block]:
    """Return what could not be judged. It comes before what was ruled out and stays if room is short."""
    if diagnosis.unknown:
        more = len(diagnosis.unknown) - MAX_UNKNOWN
        told = [unknown_text(item) for item in diagnosis.unknown[:MAX_UNKNOWN]]
        rest = [f"and {more} more: {', '.join(item.check for item in diagnosis.unknown[MAX_UNKNOWN:])}"] if more > 0 else []
        yield bullets("⚠ Not judged: each may still be a cause", told + [mrkdwn.plain(text) for text in rest])
    for text in diagnosis.caveats[:MAX_UNKNOWN]:
        yield note(f"⚠ Not judged, accepted beforehand: {text}")


def _outcomes(diagnosis: Diagnosis) -> Iterator[Part | Block]:
    for label, outcome in (("Ruled out", "cleared"), ("Not looked at", "skipped")):
        if found := checks_of(diagnosis, outcome):
            yield Part(note(f"{label}: {', '.join(found)}"), 1 if outcome == "cleared" else 0)
    for text in diagnosis.truncated[:2]:
        yield Part(note(f"Cut short: {text}"), 1)


def _advice(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Return what the card says to do. Of a host without a session that is all there is: what to type at its console."""
    return diagnosis.next[: MAX_NEXT_UNREACHABLE if diagnosis.status == "unreachable" else MAX_NEXT]


def _buttons(found: Found, tokens: Tokens) -> list[dict[str, object]]:
    """Return the buttons of the card. None changes a host: a fix is proposed in a form and approved elsewhere."""
    offering = [item for item in diagnoses_of(found) if item.remediations]
    would_help = any(item.verdict is not None and item.verdict.may_be_why for item in offering)
    wanted = [
        ("Propose fix…", names.PROPOSE, ("primary" if would_help else "") if offering else None),
        ("Re-run", names.RERUN, ""),
        ("Show evidence", names.EVIDENCE, ""),
        ("Close", names.CLOSE, ""),
    ]
    return [button(label, name, tokens[name], style=style) for label, name, style in wanted if name in tokens and style is not None]


def _feedback(tokens: Tokens) -> list[Block]:
    """Return the question whether the answer was right."""
    if names.RIGHT not in tokens or names.WRONG not in tokens:
        return []
    return [feedback_buttons(names.FEEDBACK, ("Right", tokens[names.RIGHT]), ("Wrong: it was…", tokens[names.WRONG]))]


def _plain_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"{title(diagnosis)}: {diagnosis.headline}"
    found = diagnosis.verdict
    if diagnosis.recurrence is not None:
        yield diagnosis.recurrence.says
    if found is not None:
        yield f"{found.cause}: {urgency_in(diagnosis, found)}"
        if found.limit is not None:
            yield f"{found.limit.name}: {use(found)}"
    yield from (f"Not judged, may still be a cause: {unknown_text(item)}" for item in diagnosis.unknown[:MAX_UNKNOWN])
    if len(diagnosis.unknown) > MAX_UNKNOWN:
        yield f"Not judged either: {', '.join(item.check for item in diagnosis.unknown[MAX_UNKNOWN:])}"
    yield from (f"Not judged, accepted beforehand: {text}" for text in diagnosis.caveats[:MAX_UNKNOWN])
    yield from (f"Also: {item.summary} ({urgency_in(diagnosis, item)})" for item in diagnosis.also[:MAX_ALSO])
    if skipped := checks_of(diagnosis, "skipped"):
        yield f"Not looked at: {', '.join(skipped)}"
    if cleared := checks_of(diagnosis, "cleared"):
        yield f"Ruled out: {', '.join(cleared)}"
    yield from (f"What to do: {text}" for text in _advice(diagnosis))
    if diagnosis.remediations:
        yield f"Fixes that can be proposed: {', '.join(dict.fromkeys(offer.id for offer in diagnosis.remediations))}"
    yield f"{diagnosis.runbook.id}@{diagnosis.runbook.version}, {duration(diagnosis.duration_ms)}, run {diagnosis.id}"
