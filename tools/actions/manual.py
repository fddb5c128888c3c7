"""The commands that a person would type for an offered change, and those that take it back, from a diagnosis alone.

Each action writes its own lines. Where the facts tell what the action would read, they are those of its plan; where they do
not (all limits of a process, the filesystem of a swap file), the nearest fixed argv. A plan is rendered from the host
itself (`tools/execute/renderer.py`). Only printed: what is executed is an order of typed fields, never these lines.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.diagnosis import OfferedRemediation
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.actions import ACTIONS
from triagebook.tools.actions.action import Lines, ManualChange
from triagebook.tools.actions.without_fork import is_out_of_tasks, without_fork

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import Conclusion  # imports the templates


def manual_lines(name: str, change: ManualChange) -> Lines:
    """Return what to type for that action, and what takes it back.

    Raises:
        UsageError: no such action, parameters that it does not take, or a change that these facts do not allow.
    """
    action = ACTIONS.get(name)
    if action is None:
        raise UsageError(f"no action {name!r}{did_you_mean(name, ACTIONS)}")
    action.check_names(change.params)
    return action.manual(change)


def with_commands(offer: OfferedRemediation, conclusion: "Conclusion", history: Sequence[Facts]) -> OfferedRemediation:
    """Return the offer with its command lines at the default parameters; as root on that host.

    On a host without a free task they are lines of shell builtins: a program would not start.
    """
    verdicts = [item for item in (conclusion.verdict, *conclusion.also) if item is not None]
    verdict = next(item for item in verdicts if item.cause == offer.cause and item.culprit.id == offer.culprit)
    params = {name: bounds.default for name, bounds in offer.params.items()}
    try:
        commands, undo = manual_lines(offer.action, ManualChange(params, verdict, history[-1]))
    except TriagebookError as error:  # an offer at its bounds, a fact that is missing, a runbook that lint would refuse
        return replace(offer, commands=(f"# cannot be written down from these facts: {error}",), undo_commands=())
    if is_out_of_tasks(history[-1]):
        return replace(offer, commands=without_fork(commands), undo_commands=without_fork(undo))
    return replace(offer, commands=tuple(map(shlex.join, commands)), undo_commands=tuple(map(shlex.join, undo)))
