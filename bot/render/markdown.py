"""Renders a diagnosis as Markdown, for a post-mortem or a ticket. Nothing that a host said is markup in it."""

from collections.abc import Iterable, Iterator, Sequence

from triagebook.bot.render.text import OUTCOME_WORDS, STATUS_WORDS
from triagebook.bot.render.verdict_words import offers_title, verdict_label, verdict_words
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry, OfferedRemediation, Verdict
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.triage import Found, diagnoses_of


def render_markdown(found: Found, *, explain: bool = False) -> str:
    """Return the whole answer for one host, ending in a newline."""
    first, *others = diagnoses_of(found)
    lines = [f"# {STATUS_WORDS[found.status]}: {code(found.host.name)}", "", escape(found.headline), ""]
    lines += [*_about(first), "", *_body(first, explain=explain)]
    for other in others:
        lines += [f"## Runbook {code(other.runbook.id)}: {STATUS_WORDS[other.status]}", "", escape(other.headline), ""]
        if explain or other.status in {"cause_found", "warning"}:
            lines += _body(other, explain=explain)
    return "\n".join(lines).rstrip("\n") + "\n"


def _body(diagnosis: Diagnosis, *, explain: bool) -> list[str]:
    lines: list[str] = []
    if diagnosis.verdict is not None:
        lines += [f"## {verdict_label(diagnosis.verdict)}", "", *_verdict(diagnosis, diagnosis.verdict), ""]
    if diagnosis.also:
        lines += ["## Also", "", *(f"- {code(verdict.cause)}: {escape(verdict.summary)}" for verdict in diagnosis.also), ""]
    if diagnosis.next:
        lines += ["## What to do", "", *(f"- {escape(text)}" for text in diagnosis.next), ""]
    if diagnosis.remediations:
        title = offers_title(diagnosis).partition(" (")[0]
        lines += [f"## {title}", "", *(line for offer in diagnosis.remediations for line in _offer(offer))]
    lines += ["## Checks", "", *_checks(diagnosis, explain=explain), ""]
    if explain and diagnosis.facts:
        lines += ["## Facts", "", *_facts(diagnosis.facts), ""]
    return lines


def _about(diagnosis: Diagnosis) -> list[str]:
    rows = [
        ("Host", diagnosis.host.hostname or diagnosis.host.name),
        ("Kernel", diagnosis.host.kernel),
        ("Time", diagnosis.started_at),
        ("Runbook", f"{diagnosis.runbook.id}@{diagnosis.runbook.version} {diagnosis.runbook.digest[:19]}"),
        ("Symptom", diagnosis.symptom.text if diagnosis.symptom else ""),
        ("Diagnosis", diagnosis.id),
    ]
    return table(("", ""), [(name, code(value)) for name, value in rows if value])


def _verdict(diagnosis: Diagnosis, verdict: Verdict) -> list[str]:
    rows = [(verdict_label(verdict), verdict_words(verdict, code(verdict.cause))), ("Culprit", code(verdict.culprit.title))]
    if verdict.limit is not None:
        used = f"{quantity(verdict.usage.value, verdict.usage.unit)} of " if verdict.usage else ""
        rows.append(("Limit", f"{used}{quantity(verdict.limit.value, verdict.limit.unit)} ({code(verdict.limit.name)})"))
    if verdict.since:
        rows.append(("Since", escape(verdict.since)))
    lines = table(("", ""), rows)
    if cited := [entry for entry in diagnosis.facts if entry.id in verdict.evidence]:
        lines += ["", *_facts(cited)]
    if verdict.consumers:
        unit = verdict.limit.unit if verdict.limit else ""
        used_by = [(quantity(one.count, unit), code(one.comm), str(one.pid), code(one.user)) for one in verdict.consumers]
        lines += ["", *table(("Used", "By", "PID", "User"), used_by)]
    return lines


def _offer(offer: OfferedRemediation) -> Iterator[str]:
    yield f"- **{escape(offer.title)}** ({code(offer.id)}, risk {offer.risk}): {escape(offer.disruption)}"
    for title, commands in (("By hand, as root:", offer.commands), ("To undo it:", offer.undo_commands)):
        if commands:
            yield from ("", f"  {title}", "", "  ```sh", *(f"  {command}" for command in commands), "  ```")
    yield ""


def _checks(diagnosis: Diagnosis, *, explain: bool) -> list[str]:
    why = {item.check: item.because for item in diagnosis.unknown}
    rows = []
    for check in diagnosis.checks:
        said = f": {escape(why[check.id])}" if check.id in why else ""
        figures = ", ".join(f"{code(figure.id)} {_value(figure)}" for figure in check.figures)
        rows.append((code(check.id), escape(check.title), OUTCOME_WORDS[check.outcome] + said, *((figures,) if explain else ())))
    return table(("Check", "", "Outcome", *(("Figures",) if explain else ())), rows)


def _facts(entries: Iterable[FactEntry]) -> list[str]:
    return table(("Fact", "Value", "Read from"), [(code(one.id), _value(one), code(one.source)) for one in entries])


def _value(entry: FactEntry) -> str:
    values = list(dict.fromkeys(str(quantity(reading.value, entry.unit)) for reading in entry.readings))
    return escape(" -> ".join(values) if values else f"not readable: {entry.unreadable}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table; a bar in a cell does not end it."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in cells)]


def code(text: str) -> str:
    """Return the text as code; backticks in it, which would end that, become quotes."""
    return f"`{text.replace('`', chr(39))}`" if text else ""


def escape(text: str) -> str:
    """Return prose in which nothing a host said is markup. What stands between backticks is a command and stays so."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = ["".join(parts)]
    return "`".join(part if number % 2 else _escape(part) for number, part in enumerate(parts))


def _escape(text: str) -> str:
    for character in "\\*_[]<>#":
        text = text.replace(character, f"\\{character}")
    return text
