"""Renders a diagnosis for a terminal: the verdict first, then its evidence, what was ruled out, and what is unknown.

Colour only where the caller says the output is a terminal and NO_COLOR is unset; the words never depend on it.
"""

from collections.abc import Iterable, Sequence

from triagebook.bot.render import chart
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry, OfferedRemediation, Verdict
from triagebook.runbooks.engine.quantities import as_count, quantity

GAUGE_WIDTH = 24
STATUS_WORDS = {
    "healthy": "HEALTHY",
    "warning": "WARNING",
    "cause_found": "CAUSE FOUND",
    "inconclusive": "INCONCLUSIVE",
    "unreachable": "UNREACHABLE",
}
ACTIVE_WORDS = {
    "now": "being refused now",
    "at_limit": "at the limit",
    "past": "was refused earlier",
    "near": "close to the limit",
    "trend": "heading for the limit",
}
_COLOURS = {"healthy": "32", "warning": "33", "cause_found": "31;1", "inconclusive": "35", "unreachable": "35"}


@dataclass(frozen=True)
class Style:
    """How to print: with colour or without, everything (`--explain`) or only what matters."""

    colour: bool = False
    explain: bool = False

    def paint(self, text: str, code: str) -> str:
        """Return the text in that colour if colour is on."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def render(diagnosis: Diagnosis, style: Style) -> str:
    """Return the whole answer for one host, ending in a newline."""
    lines = [_title(diagnosis, style), "", *_wrap(diagnosis.headline)]
    if diagnosis.verdict is not None:
        lines += ["", *_verdict(diagnosis.verdict, diagnosis.facts, style)]
    if diagnosis.also:
        lines += ["", "Also:"]
        for verdict in diagnosis.also[:6]:
            lines += _wrap(f"{_word(verdict)}: {verdict.summary}{_relation(verdict)}", "  ", "    ")
        if len(diagnosis.also) > 6:
            lines.append(f"  and {len(diagnosis.also) - 6} more (--json has them)")
    lines += _remainder(diagnosis, style)
    if diagnosis.next:
        lines += ["", "What to do:"]
        lines += [line for text in diagnosis.next for line in _wrap(text, "  - ", "    ")]
    lines += _remediations(diagnosis.remediations, style)
    if style.explain:
        lines += _facts(diagnosis.facts)
    lines += ["", style.paint(_footer(diagnosis), "2")]
    return "\n".join(lines) + "\n"


def _title(diagnosis: Diagnosis, style: Style) -> str:
    word = style.paint(STATUS_WORDS[diagnosis.status], _COLOURS[diagnosis.status])
    host = diagnosis.host
    known = ", ".join(
        part
        for part in (host.hostname if host.hostname != host.name else "", f"Linux {host.kernel}" if host.kernel else "")
        if part
    )
    return f"{word}  {host.name}" + (f" ({known})" if known else "")


def _word(verdict: Verdict) -> str:
    return f"{verdict.cause}, {ACTIVE_WORDS[verdict.active]}, {verdict.strength}"


def _relation(verdict: Verdict) -> str:
    if verdict.belongs_to:
        return f" (another matter: runbook {verdict.belongs_to})"
    return " (does not explain the error given)" if verdict.explains_symptom == "no" else ""


def _verdict(verdict: Verdict, facts: Sequence[FactEntry], style: Style) -> list[str]:
    lines = [f"Cause     {_word(verdict)}{_relation(verdict)}"]
    culprit = verdict.culprit
    more = [f"{name} {value}" for name, value in (("unit", culprit.unit), ("user", culprit.user), ("PID", culprit.pid)) if value]
    more = [part for part in more if not part.endswith(f" {culprit.id}")]
    named = f" ({', '.join(more)})" if more else ""
    lines.append(f"Culprit   {culprit.kind} {culprit.id}{named}")
    if verdict.limit is not None:
        used = verdict.usage.value if verdict.usage else None
        text = f"{quantity(used, '' if verdict.limit.unit != 'bytes' else 'bytes')} of " if used is not None else ""
        lines.append(
            f"Limit     {gauge(used, verdict.limit.value, style)}{text}{quantity(verdict.limit.value, verdict.limit.unit)}"
        )
        lines.append(f"          {verdict.limit.name}, read from {verdict.limit.source}")
    if verdict.since:
        lines.append(f"Since     {verdict.since}")
    cited = [entry for entry in facts if entry.id in verdict.evidence]
    if cited:
        lines.append("Evidence")
        lines += [f"  {line}" for line in _fact_lines(cited)]
    if verdict.consumers:
        unit = verdict.limit.unit if verdict.limit else ""
        lines.append("Used by")
        for item in verdict.consumers:
            owner = ", ".join(part for part in (item.user, item.unit) if part)
            lines.append(f"  {quantity(item.count, unit):>14}  {item.comm} (PID {item.pid}{f', {owner}' if owner else ''})")
    return lines


def gauge(used: float | None, limit: float, style: Style) -> str:
    """Return a gauge such as `[##########----] 104 %  `, empty if there is nothing to show. It is never more than full."""
    full, free = chart.gauge(used, limit, GAUGE_WIDTH, "#-")
    if used is None or not full + free:
        return ""
    share = max(0.0, used / limit)
    code = "31" if chart.is_full(share) else "33" if share >= 0.9 else "32"
    return f"[{style.paint(full, code)}{free}] {share * 100:.0f} %  "


def _fact_lines(entries: Iterable[FactEntry]) -> list[str]:
    rows = []
    for entry in entries:
        values = list(dict.fromkeys(quantity(reading.value, entry.unit) for reading in entry.readings))
        value = " -> ".join(values) if values else f"not readable: {entry.unreadable}"
        rows.append((entry.id, value, entry.source))
    width = min(56, max((len(row[0]) for row in rows), default=0))
    return [f"{name:<{width}}  {value}{f'   {source}' if source else ''}" for name, value, source in rows]


def _remainder(diagnosis: Diagnosis, style: Style) -> list[str]:
    lines: list[str] = []
    cleared = [check.id for check in diagnosis.checks if check.outcome == "cleared"]
    if cleared:
        lines += ["", *_wrap(", ".join(cleared), "Ruled out: ", "           ")]
    if diagnosis.unknown:
        lines += ["", style.paint("Could not be judged:", "35")]
        for item in diagnosis.unknown:
            which = f" ({', '.join(item.which)})" if item.which else ""
            lines += _wrap(f"{item.check}: {item.because}{which}", "  ", "    ")
    lines += [f"Accepted: {caveat}" for caveat in diagnosis.caveats]
    lines += [f"Cut short: {item}" for item in diagnosis.truncated]
    return lines


def _remediations(offers: Sequence[OfferedRemediation], style: Style) -> list[str]:
    if not offers:
        return []
    lines = ["", "Changes that would help (nothing was changed; each needs approval):"]
    for offer in offers:
        undo = "cannot be undone" if offer.undo == "none" else "can be undone"
        lines.append(f"  {style.paint(offer.id, '1')}  {offer.title}: {offer.culprit} (risk {offer.risk}, {undo})")
        for name, bounds in offer.params.items():
            if bounds.min is not None and bounds.max is not None and bounds.min != bounds.max:
                lines.append(f"    {name}: {as_count(bounds.default)} (from {as_count(bounds.min)} to {as_count(bounds.max)})")
        lines += _wrap(offer.disruption, "    disturbs: ", "              ")
        lines += [f"    by hand:  {command}" for command in offer.commands]
        lines += [f"    undo:     {command}" for command in offer.undo_commands]
    return lines


def _facts(entries: Sequence[FactEntry]) -> list[str]:
    return ["", "Facts", *(f"  {line}" for line in _fact_lines(entries))] if entries else []


def _footer(diagnosis: Diagnosis) -> str:
    target = diagnosis.target
    parts = [f"{diagnosis.runbook.id}@{diagnosis.runbook.version} {diagnosis.runbook.digest[7:19]}", f"{diagnosis.duration_ms} ms"]
    parts += [f"{len(diagnosis.samples)} sample{'s' if len(diagnosis.samples) != 1 else ''}"] if diagnosis.samples else []
    parts += [f"via {target.transport}"] if target.transport else []
    if target.cpu_ms is not None and target.bytes is not None:
        parts.append(f"cost the host {target.cpu_ms:.0f} ms CPU, {target.bytes} bytes, {target.forks} forks")
    return " · ".join([*parts, *target.notes[:2], diagnosis.id])


def _wrap(text: str, first: str = "", rest: str = "", width: int = 110) -> list[str]:
    import textwrap  # noqa: PLC0415

    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first]
