"""Reading the present state before a change: an action's readings, made by the diagnosing account."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import PlanError, TriagebookError
from triagebook.tools.actions import unit as units
from triagebook.tools.collector.collect import INSTALLED
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.fixes.interfaces import Execution
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.transport.base import HostProcess, LoginFailed, Transport

KEEPS_MAIN_PROCESS = {"unit_tasks_max"}  # its disruption text promises it
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
        """What each reading printed, over one connection. PlanError when one cannot be made or fails."""
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
    """What it printed. An account that may start the installed collector only gets that instead, and it reads pace lines."""
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
        said = " ".join(ended.stderr.decode("utf-8", "replace").split())[:200]
        raise PlanError(f"{host}: reading the {reading.name} failed ({status}): {said}")
    return text


@dataclass(frozen=True)
class Harm:
    """Compares with what was read just before a plan was carried out."""

    capture: HostCapture

    def find(self, execution: Execution) -> str:
        """What was harmed, in words; empty when nothing was, or when it cannot be read any more (never a reason to revert)."""
        plan, before = execution.plan, self.capture.kept.get(execution.plan.order_digest, ())
        if plan.action not in KEEPS_MAIN_PROCESS or not before:
            return ""
        unit = plan.order["unit"]
        try:
            was = units.parse(unit, before[0])
            now = units.parse(unit, self.capture.read(plan.host, (units.capture(unit),))[0])
        except TriagebookError:
            return ""
        if was.main_pid not in {"", "0", now.main_pid}:
            return f"the main process of {unit} changed from {was.main_pid} to {now.main_pid}, which was promised not to happen"
        if now.tasks_max != plan.order["value"]:
            return f"the task limit of {unit} reads {now.tasks_max}, not {plan.order['value']}"
        return ""
