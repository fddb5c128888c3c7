"""Renders many hosts as one table, grouped by verdict, worst first."""

from collections import defaultdict
from collections.abc import Sequence

from triagebook.bot.render.text import ACTIVE_WORDS, STATUS_WORDS, Style
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis

ORDER = ("failed", "unreachable", "inconclusive", "cause_found", "warning", "healthy", "not_asked")
WORDS = {**STATUS_WORDS, "failed": "FAILED", "not_asked": "NOT ASKED"}
MAX_NAMES = 12
MAX_LINES = 400


@dataclass(frozen=True)
class HostRow:
    """One host's row of the table. It is small, because a fleet has many."""

    host: str
    status: str
    what: str
    line: str = ""


def row_of(diagnosis: Diagnosis) -> HostRow:
    """Return the row of a diagnosis. Hosts with the same `what` (the cause, or how the login failed) are grouped."""
    verdict = diagnosis.verdict
    line = "" if diagnosis.status == "healthy" else diagnosis.headline
    if diagnosis.status == "unreachable":
        return HostRow(diagnosis.host.name, diagnosis.status, f"{diagnosis.login.phase}: {diagnosis.login.outcome}", line)
    return HostRow(
        diagnosis.host.name, diagnosis.status, f"{verdict.cause}, {ACTIVE_WORDS[verdict.active]}" if verdict else "", line
    )


def render_table(rows: Sequence[HostRow], style: Style) -> str:
    """Return the groups, worst first, then a line for every host that is not healthy."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[row.status, row.what].append(row.host)
    lines = []
    for (status, what), names in sorted(groups.items(), key=lambda item: (ORDER.index(item[0][0]), item[0][1])):
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        named = f"  {what}" if what else ""
        lines.append(f"{len(names):>5}  {style.paint(WORDS[status], '1'):<14}{named}  {', '.join(names[:MAX_NAMES])}{more}")
    lines.append("")
    told = sorted((row for row in rows if row.line), key=lambda row: ORDER.index(row.status))
    lines += [f"{row.host}: {row.line}" for row in told[:MAX_LINES]]
    if len(told) > MAX_LINES:
        lines.append(f"and {len(told) - MAX_LINES} more (--json has them)")
    return "\n".join(lines).rstrip() + "\n"
