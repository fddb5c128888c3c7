"""An action is a typed change on a host, described once: everything that lists the actions is derived from this.

An action is pure. `capture` says which readings tell the present state (made by the diagnosing account); `plan` turns
what they printed into the change: the order's fields, now -> then, and the commands a person would type.
The helper on the host reads everything again and refuses what has moved: that half of an action is its `.sh` file.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Verdict
from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.collector.readings import HostReading

Argv = tuple[str, ...]
Lines = tuple[Sequence[Argv], Sequence[Argv]]  # what a person types, and what takes it back
Params = Mapping[str, str | int]
Step = Literal["live", "persist"]
UNIT_TYPES = ("service", "scope", "slice", "socket", "mount", "swap")
PATTERNS = {  # the same grammar as in the helper
    "unit": re.compile(r"(?![-.@])(?!.*\.\.)(?!.*@\.)(?:[A-Za-z0-9:_.@-]|\\x[0-9a-f]{2}){1,250}\.(?:" + "|".join(UNIT_TYPES) + ")"),
    "user": re.compile(r"(?!.*\.\.)[a-z_][a-z0-9_.-]{0,31}"),
    "path": re.compile(r"(?!.*\.\.)(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*/triagebook\.swap"),
}
# A file is written by a constant script; its path and lines are arguments, never shell text.
WRITE = ("sh", "-c", 'umask 022; file=$1; shift; printf "%s\\n" "$@" >"$file"', "sh")


@dataclass(frozen=True)
class Parameter:
    """One typed parameter. `type`: int | pid | unit | user | path | word."""

    type: str
    minimum: int = 0
    maximum: int = 10**15
    words: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> str:
        """Return the value as an order carries it. Raises UsageError naming what is wrong."""
        text = str(value)
        if self.type in ("int", "pid"):
            if isinstance(value, bool) or not re.fullmatch(r"0|[1-9][0-9]{0,15}", text):
                raise UsageError(f"{name}: {text!r} is not a whole number")
            if not self.minimum <= int(text) <= self.maximum:
                raise UsageError(f"{name}: {text} is not within {self.minimum} and {self.maximum}")
        elif self.type == "word":
            if text not in self.words:
                raise UsageError(f"{name}: {text!r} is not possible{did_you_mean(text, self.words)}")
        elif not PATTERNS[self.type].fullmatch(text):
            raise UsageError(f"{name}: {text!r} is not a {self.type} that an order may carry")
        return text


@dataclass(frozen=True)
class PlannedChange:
    """The exact change on one host: what the helper is ordered to do, and the same for a person's eyes and hands."""

    order: Mapping[str, str]  # `step` and the action's `fields`, in their order
    what: str  # "task limit of shop.service"
    now: str
    then: str
    commands: tuple[Argv, ...]
    undo_commands: tuple[Argv, ...]

    def as_shell(self) -> tuple[str, ...]:
        """Return the commands as a person types them, as root."""
        return tuple(shlex.join(argv) for argv in self.commands)

    def undo_as_shell(self) -> tuple[str, ...]:
        """Return the commands that put it back."""
        return tuple(shlex.join(argv) for argv in self.undo_commands)


@dataclass(frozen=True)
class ManualChange:
    """An offer to be written down for a person's hands: its parameters, the verdict it answers, and the facts before it."""

    params: Params
    verdict: Verdict
    facts: Facts

    def before(self, name: str) -> int | None:
        """Return the present value of a fact of that name, whichever probe has it."""
        for probe in self.facts.values():
            value = getattr(probe, name, None)
            if isinstance(value, int) and not isinstance(value, Unreadable):
                return value
        return None


@dataclass(frozen=True)
class Action:
    """A typed change: what it takes, what an order of it says, its disruption, how it is undone."""

    name: str
    parameters: Mapping[str, Parameter]
    fields: tuple[str, ...]  # the lines of its order after `step`; the helper reads them in this order
    steps: tuple[Step, ...]
    undo: Literal["captured", "none"]
    disruption: str
    privilege: str
    capture: Callable[[Params, Step], tuple[HostReading, ...]]
    plan: Callable[[Params, Step, Sequence[str]], PlannedChange]
    manual: Callable[[ManualChange], Lines]  # from the facts of a diagnosis alone
    optional: frozenset[str] = field(default=frozenset())
    again: Callable[[Params, Step, Sequence[str], Mapping[str, str]], PlannedChange] | None = None  # where `plan` would choose
    find_harm: Callable[[Mapping[str, str], Sequence[str], Sequence[str]], str] | None = None  # (order, outputs before, after)
    outlives_boot: bool = False  # its live step is still there after the host was started again

    @property
    def first_step(self) -> Step:
        """The step that a fix begins with: live where there is one; what is made permanent is a step of its own."""
        return "live" if "live" in self.steps else "persist"

    def check_names(self, params: Params) -> None:
        """Refuse parameters that the action does not have, misses, or has another word for. Raises UsageError."""
        if unknown := sorted(params.keys() - self.parameters.keys()):
            raise UsageError(f"{self.name} has no parameter {unknown[0]!r}{did_you_mean(unknown[0], self.parameters)}")
        if missing := [name for name in self.parameters if name not in params and name not in self.optional]:
            raise UsageError(f"{self.name} needs {missing[0]!r}")
        for name, value in params.items():
            if self.parameters[name].words:
                self.parameters[name].check(name, value)

    def check(self, params: Params) -> dict[str, str]:
        """Return the parameters as text, each of its type and within its bounds. Raises UsageError."""
        self.check_names(params)
        return {name: self.parameters[name].check(name, value) for name, value in params.items()}

    def plan_change(
        self, params: Params, step: Step, outputs: Sequence[str], approved: Mapping[str, str] | None = None
    ) -> PlannedChange:
        """Plan the change on a host whose `capture` printed `outputs`; with an `approved` order, the same change again.

        Raises:
            UsageError: a parameter or step this action does not have, or a state it does not apply to.
            ParseError: outputs that are not what its readings print.
        """
        if step not in self.steps:
            raise UsageError(f"{self.name} has no step {step!r}; it has {', '.join(self.steps)}")
        checked = self.check(params)
        if len(outputs) != len(self.capture(checked, step)):
            raise ParseError(f"{self.name}: {len(outputs)} outputs for {len(self.capture(checked, step))} readings")
        if approved is not None and self.again is not None:
            return self.again(checked, step, outputs, approved)
        return self.plan(checked, step, outputs)

    def plan_by_hand(self, change: ManualChange, *outputs: str) -> Lines:
        """Return the lines of its first step as `plan` makes them, given what its readings would have printed."""
        planned = self.plan_change(change.params, self.first_step, outputs)
        return planned.commands, planned.undo_commands


def is_less(one: str, other: str) -> bool:
    """Compare limits, of which one may be the word for none."""
    if one in ("max", "unlimited"):
        return False
    return other in ("max", "unlimited") or int(one) < int(other)


def raise_pair(pair: str, value: str) -> str:
    """Return SOFT:HARD with that soft limit; the hard one rises only if it must."""
    hard = pair.partition(":")[2]
    return f"{value}:{value if is_less(hard, value) else hard}"


def refuse_unless_higher(what: str, before: str, value: str) -> None:
    """Refuse a limit that would not rise: a change here only ever raises one. Raises UsageError."""
    if not is_less(before, value):
        raise UsageError(f"{what} is {before}: {value} would not raise it", reason="not_higher")
