"""Renders a diagnosis for a terminal: the verdict first, then its evidence, what was ruled out, and what is unknown.

Colour only where the caller says the output is a terminal and NO_COLOR is unset; the words never depend on it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from triagebook.bot.render import chart
from triagebook.bot.render.style import WIDTH, Style
from triagebook.bot.render.verdict_words import offers_title, relation_text, verdict_label, verdict_words
from triagebook.runbooks.engine.diagnosis import CheckResult, Diagnosis, FactEntry, Verdict
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.triage import Triage

GAUGE_WIDTH = 24
STATUS_WORDS = {
    "healthy": "HEALTHY",
    "warning": "WARNING",
    "cause_found": "CAUSE FOUND",
    "inconclusive": "INCONCLUSIVE",
    "unreachable": "UNREACHABLE",
}
OUTCOME_WORDS = {"matched": "FOUND", "cleared": "ruled out", "unknown": "NOT JUDGED", "skipped": "not looked at"}
_COLOURS = {"healthy": "32", "warning": "33", "cause_found": "31;1", "inconclusive": "35", "unreachable": "35"}


def render(said: Diagnosis | Triage, style: Style) -> str:
    """Return the whole answer for one host, ending in a newline."""
    if isinstance(said, Triage):
        return _triage(said, style)
    lines = [*_title(said, style), "", *style.wrap(said.headline), *_body(said, style), "", *_dim(_footer(said), style)]
    return "\n".join(lines) + "\n"


def _triage(triage: Triage, style: Style) -> str:
    """Return the answer of several runbooks: that of the first sentence whole, then what each of the others found."""
    first, *others = triage.diagnoses
    others = [] if first.status == "unreachable" else others  # there is one login, and one reason why it failed
    lines = [*_title(first, style), "", *style.wrap(triage.headline), *_body(first, style)]
    if others:
        lines += ["", "Other runbooks, asked in the same look:"]
    for found in others:
        word = style.paint(STATUS_WORDS[found.status], _COLOURS[found.status])
        lines += style.wrap(f"{word}  {found.headline}" if found.status != "healthy" else word, f"  {found.runbook.id}  ", "    ")
        if found.status in {"cause_found", "warning"} or style.explain:
            lines += [f"    {line}".rstrip() for line in _body(found, style)]
    names = " ".join(f"{item.runbook.id}@{item.runbook.version}" for item in triage.asked)
    return "\n".join([*lines, "", *_dim(_footer(first, names if len(triage.asked) > 1 else "", triage), style)]) + "\n"


def _dim(footer: str, style: Style) -> list[str]:
    return [style.paint(line, "2") for line in (style.wrap(footer) if style.width < WIDTH else [footer])]


def _body(diagnosis: Diagnosis, style: Style) -> list[str]:
    """Return what supports the first sentence of a diagnosis, what was ruled out, what could not be judged and what to do."""
    lines: list[str] = []
    if diagnosis.verdict is not None:
        lines += ["", *_verdict(diagnosis, diagnosis.verdict, style)]
    if diagnosis.recurrence is not None:
        lines += style.wrap(diagnosis.recurrence.says, "Before    ", "          ")
    if diagnosis.also:
        lines += ["", "Also:"]
        for verdict in diagnosis.also[:6]:
            lines += style.wrap(f"{verdict_words(verdict)}: {verdict.summary}{_relation(verdict, diagnosis)}", "  ", "    ")
        if len(diagnosis.also) > 6:
            lines.append(f"  and {len(diagnosis.also) - 6} more (--json has them)")
    lines += _remainder(diagnosis, style)
    if diagnosis.next:
        lines += ["", "What to do:"]
        lines += [line for text in diagnosis.next for line in style.wrap(text, "  - ", "    ")]
    lines += _remediations(diagnosis, style)
    if style.explain:
        lines += [*_checks(diagnosis.checks, style), *_facts(diagnosis.facts, style)]
    return lines


def _title(diagnosis: Diagnosis, style: Style) -> list[str]:
    """Return the status, the host, and what is known of it: on one line where they fit."""
    word = STATUS_WORDS[diagnosis.status]
    host = diagnosis.host
    known = ", ".join(
        part
        for part in (host.hostname if host.hostname != host.name else "", f"Linux {host.kernel}" if host.kernel else "")
        if part
    )
    first, *others = style.wrap(host.name + (f" ({known})" if known else ""), f"{word}  ", "  ")
    return [style.paint(word, _COLOURS[diagnosis.status]) + first.removeprefix(word), *others]


def _relation(verdict: Verdict, diagnosis: Diagnosis) -> str:
    text = relation_text(verdict, has_error=diagnosis.symptom is not None)
    return f" ({text})" if text else ""


def _verdict(diagnosis: Diagnosis, verdict: Verdict, style: Style) -> list[str]:
    lines = style.wrap(f"{verdict_words(verdict)}{_relation(verdict, diagnosis)}", f"{verdict_label(verdict):<10}", "          ")
    culprit = verdict.culprit
    more = [f"{name} {value}" for name, value in (("unit", culprit.unit), ("user", culprit.user), ("PID", culprit.pid)) if value]
    more = [part for part in more if not part.endswith(f" {culprit.id}")]
    named = f" ({', '.join(more)})" if more else ""
    lines += style.wrap(f"{culprit.title}{named}", "Culprit   ", "          ")
    if verdict.limit is not None:
        used = verdict.usage.value if verdict.usage else None
        text = f"{quantity(used, '' if verdict.limit.unit != 'bytes' else 'bytes')} of " if used is not None else ""
        lines.append(
            f"Limit     {gauge(used, verdict.limit.value, style)}{text}{quantity(verdict.limit.value, verdict.limit.unit)}"
        )
        lines += style.wrap(f"{verdict.limit.name}, read from {verdict.limit.source}", "          ", "          ")
    if verdict.since:
        lines += style.wrap(verdict.since, "Since     ", "          ")
    cited = [entry for entry in diagnosis.facts if entry.id in verdict.evidence]
    if cited:
        lines += ["Evidence", *_fact_lines(cited, style)]
    if verdict.consumers:
        unit = verdict.limit.unit if verdict.limit else ""
        lines.append("Used by")
        for item in verdict.consumers:
            owner = ", ".join(part for part in (item.user, item.unit) if part)
            lines.append(f"  {quantity(item.count, unit):>14}  {item.comm} (PID {item.pid}{f', {owner}' if owner else ''})")
    return lines


def gauge(used: float | None, limit: float, style: Style) -> str:
    """Return a gauge such as `[##########----] 104 %  `, empty if there is nothing to show. It is never more than full."""
    full, free = chart.gauge(used, limit, min(GAUGE_WIDTH, style.width // 4), "#-")
    if used is None or not full + free:
        return ""
    share = max(0.0, used / limit)
    code = "31" if chart.is_full(share) else "33" if share >= 0.9 else "32"
    return f"[{style.paint(full, code)}{free}] {share * 100:.0f} %  "


def _fact_lines(entries: Iterable[FactEntry], style: Style, indent: str = "  ") -> list[str]:
    """Return a line a fact, in columns; where one does not fit, where it was read stands on a line of its own below it."""
    rows = []
    for entry in entries:
        values = list(dict.fromkeys(quantity(reading.value, entry.unit) for reading in entry.readings))
        value = " -> ".join(values) if values else f"not readable: {entry.unreadable}"
        rows.append((entry.id, value, entry.source))
    width = min(56, max((len(row[0]) for row in rows), default=0))
    lines = []
    for name, value, source in rows:
        line = f"{indent}{name:<{width}}  {value}{f'   {source}' if source else ''}"
        if len(line) <= style.width:
            lines.append(line)
        else:
            lines += style.wrap(f"{name}  {value}", indent, f"{indent}    ")
            lines += style.wrap(source, f"{indent}    ", f"{indent}    ") if source else []
    return lines


def _remainder(diagnosis: Diagnosis, style: Style) -> list[str]:
    lines: list[str] = []
    cleared = check_titles(diagnosis.checks, "cleared")
    if cleared:
        lines += ["", *style.wrap(", ".join(cleared), "Ruled out: ", "           ")]
    skipped = check_titles(diagnosis.checks, "skipped")
    if skipped:
        lines += style.wrap(", ".join(skipped), "Not looked at: ", "               ")
    if diagnosis.unknown:
        lines += ["", style.paint("Could not be judged:", "35")]
        names = {check.id: check_name(check) for check in diagnosis.checks}
        for item in diagnosis.unknown:
            which = f" ({', '.join(item.which)})" if item.which else ""
            lines += style.wrap(f"{names.get(item.check, item.check)}: {item.because}{which}", "  ", "    ")
    for caveat in diagnosis.caveats:
        lines += style.wrap(caveat, "Accepted: ", "          ")
    for cut in diagnosis.truncated:
        lines += style.wrap(cut, "Cut short: ", "           ")
    return lines


def check_titles(checks: Sequence[CheckResult], outcome: str) -> list[str]:
    """Return what people call the checks of this outcome, each title once; with the id where another outcome has it too."""
    elsewhere = {check.title for check in checks if check.outcome != outcome} | {""}
    found = [check for check in checks if check.outcome == outcome]
    return list(dict.fromkeys(check_name(check) if check.title in elsewhere else check.title for check in found))


def _remediations(diagnosis: Diagnosis, style: Style) -> list[str]:
    """Return the offered changes. A command stands alone on its line, and what undoes a change apart from the change."""
    if not diagnosis.remediations:
        return []
    lines = ["", *style.wrap(offers_title(diagnosis))]
    for offer in diagnosis.remediations:
        undo = "cannot be undone" if offer.undo == "none" else "can be undone"
        lines += style.wrap(f"{offer.title}: {offer.culprit} (risk {offer.risk}, {undo})", f"  {offer.id}  ", "    ")
        for name, bounds in offer.params.items():
            if bounds.min is not None and bounds.max is not None and bounds.min != bounds.max:
                lines.append(f"    {name}: {bounds.default} (from {bounds.min} to {bounds.max})")
        lines += style.wrap(offer.disruption, "    disruption: ", "                ")
        lines += _commands("by hand, as root on that host:", offer.commands)
        lines += _commands("to undo it:", offer.undo_commands)
    return lines


def _commands(title: str, commands: Sequence[str]) -> list[str]:
    return [f"    {title}", *(f"        {command}" for command in commands)] if commands else []


def _checks(checks: Sequence[CheckResult], style: Style) -> list[str]:
    """Return every check with the figures it was judged by, and the files they were read from."""
    if not checks:
        return []
    lines = ["", "Checks, with the figures each was judged by"]
    for check in checks:
        lines += style.wrap(
            f"{OUTCOME_WORDS[check.outcome]}: {check.says.removeprefix('cleared: ')}", f"  {check_name(check)}  ", "    "
        )
        lines += _fact_lines(check.figures, style, "    ")
    return lines


def check_name(check: CheckResult) -> str:
    """Return the id of a check with what people call it: `max_map_count [vm.max_map_count]`."""
    return f"{check.id} [{check.title}]" if check.title and check.title != check.id else check.id


def _facts(entries: Sequence[FactEntry], style: Style) -> list[str]:
    return ["", "Facts", *_fact_lines(entries, style)] if entries else []


def _footer(diagnosis: Diagnosis, names: str = "", triage: Triage | None = None) -> str:
    """Return by what, when and how it was found. `names` are the runbooks where there are several."""
    target, said = diagnosis.target, triage or diagnosis
    parts = [names or f"{diagnosis.runbook.id}@{diagnosis.runbook.version} {diagnosis.runbook.digest[7:19]}"]
    parts += [local_time(said.started_at), f"{said.duration_ms} ms"]
    parts += [f"{len(diagnosis.samples)} sample{'s' if len(diagnosis.samples) != 1 else ''}"] if diagnosis.samples else []
    parts += [f"via {target.transport}"] if target.transport else []
    if target.cpu_ms is not None and target.bytes is not None:
        parts.append(f"cost the host {target.cpu_ms:.0f} ms CPU, {target.bytes} bytes, {target.forks} forks")
    return " | ".join([*parts, *target.notes[:2], said.id])


def local_time(moment: str, form: str = "%Y-%m-%d %H:%M:%S %Z") -> str:
    """Return an RFC 3339 time in the reader's own zone, which is named: `2026-11-29 16:14:17 EST`."""
    try:
        return f"{datetime.fromisoformat(moment).astimezone():{form}}"
    except ValueError:
        return moment
