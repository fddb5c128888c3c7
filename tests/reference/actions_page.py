"""The page of actions: every change that a plan can make on a host."""

import re
import sys
from pathlib import Path

from triagebook.tools.actions import ACTIONS, Action, Parameter
from triagebook.tools.actions.sysctl import KERNEL_VALUES

from tests.reference.markdown import fenced, first_sentences, made_by, table

HEAD = """# Actions

A runbook's remediation names one of these actions and sets bounds inside those given here. A plan is one action with exact
values; the helper on the host checks them again and refuses anything else. Nothing is changed but by these actions.

*Live* is in force at once, mostly until the next boot. *Persist* makes a live change permanent: a plan of its own, which
`triagebook fix persist` proposes and another person approves. An undo is *captured* before the change, from what was there.

"""
RUNBOOKS = Path(__file__).parents[2] / "runbooks"


def page() -> str:
    """Return the page: a list of the actions, then each."""
    rows = ((f"[`{name}`](#{name})", _says(action), " and ".join(action.steps), action.undo) for name, action in ACTIONS.items())
    index = table(("Action", "What it does", "Steps", "Undo"), rows)
    return HEAD + made_by("`tools/actions`") + index + "".join(map(_section, ACTIONS.values()))


def _says(action: Action) -> str:
    return first_sentences(sys.modules[action.plan.__module__].__doc__)


def _section(action: Action) -> str:
    rows = (
        (f"`{name}`", _kind(item) + (", may be left out" if name in action.optional else ""), _bounds(item))
        for name, item in action.parameters.items()
    )
    facts = (
        ("Steps", " and ".join(action.steps)),
        ("Undo", "captured before the change" if action.undo == "captured" else "none: the approver is told, and the risk is high"),
        ("Disruption", action.disruption),
        ("Runs as", action.privilege),
        ("After a boot", "still there" if action.outlives_boot or "live" not in action.steps else "gone, unless made permanent"),
    )
    text = f"## {action.name}\n\n{_says(action)}\n\n" + table(("Parameter", "Type", "Bounds"), rows) + table(("", ""), facts)
    if any(item.words == tuple(KERNEL_VALUES) for item in action.parameters.values()):
        text += "The kernel values, and how far each may go:\n\n"
        text += table(("Value", "At most"), ((f"`{name}`", str(value.maximum)) for name, value in KERNEL_VALUES.items()))
    return text + _example(action)


def _kind(item: Parameter) -> str:
    names = {"int": "whole number", "pid": "process id", "word": "one of the words", "path": "path ending in `/triagebook.swap`"}
    return names.get(item.type, f"{item.type} name")


def _bounds(item: Parameter) -> str:
    if item.words:
        return ", ".join(f"`{word}`" for word in item.words)
    if item.type in ("int", "pid"):
        return f"{item.minimum} to {item.maximum}" if item.maximum < 10**15 else f"at least {item.minimum}"
    return ""


def _example(action: Action) -> str:
    """Return a remediation of one of the product's own runbooks that asks for the action; nothing where there is none."""
    for file in sorted(RUNBOOKS.glob("*/*/runbook.yaml"), reverse=True):
        part = file.read_text().partition("\nremediations:\n")[2]
        for block in re.findall(r"  - id: \w+\n(?:    .*\n|\n)+", part):
            if f"    action: {action.name}\n" in block:
                return f"From the runbook `{file.parent.parent.name}`:\n\n" + fenced(f"remediations:\n{block}", "yaml")
    return ""
