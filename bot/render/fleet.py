"""Many hosts in one table, grouped by verdict: what is wrong with how many, worst first."""

from collections import defaultdict
from collections.abc import Sequence

from triagebook.bot.render.text import ACTIVE_WORDS, STATUS_WORDS, Style
from triagebook.runbooks.engine.diagnosis import Diagnosis

ORDER = ("unreachable", "inconclusive", "cause_found", "warning", "healthy")
MAX_NAMES = 12


def group_key(diagnosis: Diagnosis) -> tuple[str, str]:
    """Hosts with the same key stand together: status, and the cause or the way the login failed."""
    verdict = diagnosis.verdict
    if diagnosis.status == "unreachable":
        return diagnosis.status, f"{diagnosis.login.phase}: {diagnosis.login.outcome}"
    return diagnosis.status, f"{verdict.cause}, {ACTIVE_WORDS[verdict.active]}" if verdict else ""


def render_table(diagnoses: Sequence[Diagnosis], style: Style) -> str:
    """The groups, worst first, then a line for every host that is not healthy."""
    groups: dict[tuple[str, str], list[Diagnosis]] = defaultdict(list)
    for diagnosis in diagnoses:
        groups[group_key(diagnosis)].append(diagnosis)
    lines = []
    for key in sorted(groups, key=lambda item: (ORDER.index(item[0]), item[1])):
        names = [item.host.name for item in groups[key]]
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        what = f"  {key[1]}" if key[1] else ""
        lines.append(f"{len(names):>5}  {style.paint(STATUS_WORDS[key[0]], '1'):<14}{what}  {', '.join(names[:MAX_NAMES])}{more}")
    lines.append("")
    lines += [f"{item.host.name}: {item.headline}" for item in diagnoses if item.status != "healthy"]
    return "\n".join(lines).rstrip() + "\n"
