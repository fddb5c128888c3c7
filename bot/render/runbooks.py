"""Renders runbooks for people: the list of them, and the decision tree of one."""

from collections.abc import Mapping, Sequence

from triagebook.bot.render.style import Style
from triagebook.runbooks.engine import model


def runbooks_text(rows: Sequence[Mapping[str, object]], style: Style) -> str:
    """Return a line for each runbook: name, state, digest, number of cases, title."""
    width = max([len(str(row["name"])) for row in rows], default=0)
    lines = []
    for row in rows:
        head = f"{row['name']:<{width}}  {row['state']:<8}  {str(row['digest'])[7:19]}  {row['cases']:>3} cases"
        lines += style.row(head, str(row["title"]), len(head) + 2)
    return "".join(f"{line}\n" for line in lines)


def tree_text(runbook: model.Runbook, cases: Sequence[str], style: Style) -> str:
    """Return the decision tree of a runbook: its checks in order, the states and remediations of each, and its recorded cases."""
    lines = [*style.fill(f"{runbook.name}  {runbook.title}  ({runbook.digest[7:19]})", "", "  "), ""]
    for number, check in enumerate(runbook.checks, 1):
        lines += _check(number, check, style)
    if cases:
        lines += ["", *style.wrap("Recorded cases, to be shown with `triagebook diagnose replay:CASE`")]
        lines += style.fill(", ".join(cases), "  ", "  ")
    return "".join(f"{line}\n" for line in lines)


def _check(number: int, check: model.Check, style: Style) -> list[str]:
    where = f" for each of {check.each}" if check.each else ""
    other = f"  [belongs to {check.belongs_to}]" if check.belongs_to else ""
    explains = ", ".join(check.explains) or "no such error"
    lines = style.fill(f"{number}. {check.id}{where}  explains: {explains}{other}", "", "   ")
    for state in check.states:
        second = "  (two samples)" if state.samples > 1 else ""
        lines += style.row(f"   {state.active:<8}  {state.strength}", f"{state.when}{second}", 23, is_quoted=True)
    for offer in check.offers:
        when = "" if offer.when == "true" else f"  when {offer.when}"
        lines += style.row("   offers", f"{offer.id}{when}", 13, is_quoted=True)
    return lines
