"""Reads the present state of a host before a change, by its action's readings, and again after it: was anything harmed?"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import PlanError, TriagebookError
from triagebook.runbooks.engine.plan import Plan
from triagebook.runbooks.engine.text import did_you_mean, safe_line
from triagebook.tools.actions import ACTIONS, Action
from triagebook.tools.actions.action import Params, Step
from triagebook.tools.collector.collect import INSTALLED
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.fixes.interfaces import Execution
from triagebook.tools.fixes.persist import FOLLOWS
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.transport.base import HostProcess, LoginFailed, Transport

TIMEOUT_S = 60.0
CAP_BYTES = 1 << 21  # two thousand processes of one user, each of their lines with a tag before it
KEPT = 64


@dataclass
class HostCapture:
    """Reads on hosts; keeps what was read before a change, so that harm can be told after it."""

    transport_for: Callable[[TargetName], Transport]
    target_of: Callable[[str], TargetName] = parse_target
    kept: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)

    def read(self, host: str, readings: Sequence[HostReading]) -> tuple[str, ...]:
        """Return what each reading printed, over one connection. PlanError when one cannot be made or fails."""
        target, first = self.target_of(host), readings[0]
        try:
            process: HostProcess = self.transport_for(target).launch(target.reach, first.argv, cap_bytes=CAP_BYTES)
            try:
                outputs = [_output(host, first, process)]
                start = process.session.start
                outputs += [_output(host, one, start(one.argv, cap_bytes=CAP_BYTES)) for one in readings[1:]]
            finally:
                process.session.close()
        except LoginFailed as error:
            raise PlanError(f"{host}: its present state cannot be read: {error}") from None
        return tuple(outputs)

    def keep(self, order_digest: str, outputs: Sequence[str]) -> None:
        """Remember what was read before that order."""
        self.kept[order_digest] = tuple(outputs)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)


def _output(host: str, reading: HostReading, process: HostProcess) -> str:
    """Return what it printed. An account that may only start the installed collector gets that instead: it reads pace lines."""
    with contextlib.suppress(OSError):  # it has ended already: then it was no collector
        process.write(f"{reading.pace_line}\n".encode("ascii"))
    ended = process.finish(TIMEOUT_S)
    text = b"".join(iter(lambda: process.read(TIMEOUT_S), b"")).decode("utf-8", "replace")
    if ended.ended != "exit" or ended.is_truncated:
        raise PlanError(f"{host}: reading the {reading.name}: the answer was cut ({ended.ended})")
    status = ended.status
    if INSTALLED.match(text):
        found = reading.parse_answer(text)
        if found is None:
            raise PlanError(f"{host}: its installed collector did not read the {reading.name}; install it anew")
        text, status = found
    if status != 0 and not text.strip():
        said = safe_line(ended.stderr)
        raise PlanError(f"{host}: reading the {reading.name} failed ({status}): {said}")
    return text


@dataclass(frozen=True)
class Harm:
    """Lets an action compare what was read just before its plan was carried out with what is read after it."""

    capture: HostCapture

    def find(self, execution: Execution) -> str:
        """Say what was harmed; empty when nothing was, or when it cannot be read any more (never a reason to revert)."""
        plan, before = execution.plan, self.capture.kept.get(execution.plan.order_digest, ())
        action = ACTIONS.get(plan.action)
        if action is None or action.find_harm is None or not before:
            return ""
        try:
            return action.find_harm(plan.order, before, self.capture.read(plan.host, readings_of(plan)))
        except TriagebookError:
            return ""


def action_of(name: str) -> Action:
    """Return the typed action of that name. PlanError: there is none."""
    if name not in ACTIONS:
        raise PlanError(f"no action {name!r}{did_you_mean(name, ACTIONS)}")
    return ACTIONS[name]


def parameters_of(plan: Plan) -> Params:
    """Return what the action was given; a plan made from another one names that too."""
    return {name: value for name, value in plan.parameters.items() if name != FOLLOWS}


def step_of(plan: Plan) -> Step:
    """Say which step of its action a plan is."""
    return "persist" if plan.order.get("step") == "persist" else "live"


def readings_of(plan: Plan) -> tuple[HostReading, ...]:
    """Return what tells the state that a plan would change."""
    return action_of(plan.action).capture(parameters_of(plan), step_of(plan))
