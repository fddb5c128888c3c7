"""Pages on causes: a part of each follows from the runbook's check, between two marks; the rest is written by hand and stays.

A runbook gets such pages once docs/causes has a folder of its name. What a person has to write says `Write`.
"""

import re
from functools import cache
from pathlib import Path

from triagebook.runbooks.engine import model
from triagebook.runbooks.library.catalog import RunbookVersion, catalog

from tests.reference.markdown import table

ROOT = Path(__file__).parents[2]
CAUSES = ROOT / "docs" / "causes"
BEGIN, END = "<!-- made: begin -->", "<!-- made: end -->"
TO_WRITE = "Write this."
SKELETON = f"""# TITLE

## What it is

{TO_WRITE}

{BEGIN}
{END}

## Fix it by hand

{TO_WRITE}

## Prevent it

{TO_WRITE}
"""
ACTIVE = {
    "now": "it refuses now: refusals were counted between two looks",
    "at_limit": "it is full",
    "past": "it refused earlier",
    "near": "it is close to full (a warning)",
    "trend": "it will be full soon",
}
HAPPENS = {**ACTIVE, "now": "it happens now", "at_limit": "it holds", "past": "it happened earlier"}


def pages() -> dict[Path, str]:
    """Return every page on a cause, its made part current and all else as it stands."""
    found: dict[Path, str] = {}
    for folder in sorted(path for path in CAUSES.iterdir() if path.is_dir()):
        entry = newest(folder.name)
        runbook = catalog().load(entry.name)
        for check in runbook.checks:
            file = folder / f"{check.id}.md"
            text = file.read_text() if file.is_file() else SKELETON.replace("TITLE", check.id)
            before, _, rest = text.partition(BEGIN)
            found[file] = f"{before}{BEGIN}\n{_made(entry, runbook, check)}{END}{rest.partition(END)[2]}"
        found[folder / "index.md"] = _index(runbook, {file.stem: text for file, text in found.items() if file.parent == folder})
    return found


@cache
def newest(name: str) -> RunbookVersion:
    """Return the version that is asked when no version is named."""
    return catalog().find(name)


def title_of(text: str) -> str:
    """Return the first heading of a page."""
    return text.partition("\n")[0].removeprefix("# ")


def _index(runbook: model.Runbook, texts: dict[str, str]) -> str:
    rows = ((f"[{title_of(texts[check.id])}]({check.id}.md)", f"`{check.id}`", check.nature) for check in runbook.checks)
    return (
        f"# Causes of `{runbook.id}`: {runbook.title}\n\nIn the order in which they are looked at. The first that matches and "
        "explains the error\nis the verdict; others that match are named beside it.\n\n"
        + table(("Cause", "Id", "A limit, a shortage, or another matter"), rows)
        + "References: "
        + ", ".join(runbook.references)
        + ".\n"
    )


def _made(entry: RunbookVersion, runbook: model.Runbook, check: model.Check) -> str:
    where = f"Looked at for each of `{check.each}`. " if check.each else ""
    explains = ", ".join(f"`{one}`" for one in check.explains) or "no error on its own; it is named beside a cause"
    parts = [
        "## How it is judged\n\n",
        f"`{check.id}` of `{runbook.id}`. {where}The first line that is true holds.\n\n",
        table(("It means", "Sure", "When", "Looks"), (_state(check, state) for state in check.states)),
        f"It explains errors of class: {explains}.\n\n",
        "## What clears it\n\n",
        "It is ruled out when everything it needs could be read and none of these lines is true; `--explain` shows the\n"
        "figures. If something could not be read, it is *not judged*, and says which and why.\n\n",
    ]
    if check.limit is not None:
        parts.append(f"The limit is {check.limit.name}: `{check.limit.used}` of `{check.limit.value}`.\n\n")
    if check.offers:
        parts += ["## Changes that are offered\n\n", _offers(runbook, check)]
    cases = recorded(entry, check.id)
    if cases:
        parts += ["## See it\n\n", "```\n", *(f"triagebook diagnose replay:{name}\n" for name in cases[:3]), "```\n\n"]
    return "".join(parts)


def _state(check: model.Check, state: model.State) -> tuple[str, str, str, str]:
    means = HAPPENS if check.nature == "other" else ACTIVE
    return means[state.active], state.strength, f"`{' '.join(state.when.split())}`", "two" if state.samples > 1 else "one"


def _offers(runbook: model.Runbook, check: model.Check) -> str:
    rows = []
    for offer in check.offers:
        one = runbook.remediations[offer.id]
        undo = "captured" if one.undo == "captured" else "none"
        rows.append((f"`{one.id}`", one.title, f"[`{one.action}`](../../reference/actions.md#{one.action})", one.risk, undo))
    return table(("Id", "What it does", "Action", "Risk", "Undo"), rows)


def recorded(entry: RunbookVersion, check: str) -> list[str]:
    """Return the recorded cases whose verdict names the check: those of real hosts first."""
    texts = {file.stem: file.read_text() for file in entry.cases}
    named = [name for name, text in texts.items() if re.search(rf"\bcause: {check}\b", text)]
    return sorted(named, key=lambda name: (not texts[name].count("recorded:"), name))
