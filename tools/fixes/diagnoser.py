"""Lets the approval server diagnose and render by the product's own diagnosing service."""

import shlex
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import PlanError, UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.plan import Plan, Rendering, Value, check_parameters, find_verdict
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.actions.action import ManualChange
from triagebook.tools.actions.manual import manual_lines
from triagebook.tools.collector.collect import Output
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.fixes.propose import before_of, changes_of
from triagebook.tools.inventory.target import TargetName, parse_target

KEPT = 64  # answers whose facts are still at hand when their plan is rendered


@dataclass
class ServiceDiagnoser:
    """Diagnoses by the one service that the faces use; keeps the last facts of each answer to render a plan from."""

    service: Service
    target_of: Callable[[str], TargetName] = parse_target
    facts: OrderedDict[str, Facts] = field(default_factory=OrderedDict)

    def runbooks_for(self, host: str, inputs: Mapping[str, Value]) -> tuple[str, ...]:
        """See Diagnoser. Raises RunbookError or UsageError."""
        return tuple(item.runbook.name for item in self.service.runbooks_for(Question(self.target_of(host), inputs=inputs)))

    def triage(self, host: str, inputs: Mapping[str, Value], left_out: tuple[str, ...]) -> Found:
        """See Diagnoser. Raises RunbookError or UsageError."""
        return self.service.diagnose(Question(self.target_of(host), inputs=inputs, left_out=left_out)).result

    def runbooks_with(self, remediation: str) -> tuple[str, ...]:
        """See Diagnoser. Raises RunbookError or UsageError."""
        return self.service.runbooks_with(remediation)

    def diagnose(self, host: str, runbook: str, inputs: Mapping[str, Value]) -> Diagnosis:
        """Diagnose one host by one runbook. Raises RunbookError or UsageError."""
        answer = self.service.diagnose(Question(self.target_of(host), runbook, inputs))
        self.facts[answer.diagnosis.id] = answer.history[-1] if answer.history else {}
        while len(self.facts) > KEPT:
            self.facts.popitem(last=False)
        return answer.diagnosis

    def look(
        self, host: str, runbook: str, readings: Sequence[HostReading], inputs: Mapping[str, Value]
    ) -> tuple[Diagnosis, tuple[str, ...] | Unreadable]:
        """Take one sample, and make the readings by the same login. Raises RunbookError or UsageError."""
        answer = self.service.diagnose(Question(self.target_of(host), runbook, inputs, samples=1, extra_readings=tuple(readings)))
        if len(answer.extra_outputs) < len(readings):
            return answer.diagnosis, Unreadable(answer.diagnosis.headline)
        printed = tuple(map(_output_of, readings, answer.extra_outputs))
        failed = next((found for found in printed if isinstance(found, Unreadable)), None)
        return answer.diagnosis, failed or tuple(found for found in printed if isinstance(found, str))

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Render the commands of the action at these parameters, and the change of the limit. Raises PlanError."""
        values = check_parameters(parameters, offered.params)
        facts = self.facts.get(diagnosis.id)
        if facts is None:
            raise PlanError(f"{offered.id}: the action {offered.action!r} cannot be rendered here")
        verdict = find_verdict(diagnosis, offered)
        try:
            commands, undo = manual_lines(offered.action, ManualChange(values, verdict, facts))
        except UsageError as error:
            raise PlanError(f"{offered.id}: {error}") from None
        order = {f"param_{name}": str(value) for name, value in values.items()} | {"before": before_of(verdict)}
        return Rendering(
            changes=changes_of(verdict, offered, values),
            commands=tuple(shlex.join(argv) for argv in commands),
            undo_commands=tuple(shlex.join(argv) for argv in undo),
            order=order,
        )

    def reads(self, plan: Plan) -> Sequence[HostReading]:
        """Ask for nothing: recorded facts are all there is."""
        return ()

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        """Refuse: nothing is carried out from recorded facts. Raises PlanError."""
        raise PlanError(f"{plan.remediation}: it cannot be carried out here")

    def permanent(self, plan: Plan) -> Rendering:
        """Refuse: nothing is carried out from recorded facts. Raises PlanError."""
        return self.again(plan, ())


def _output_of(reading: HostReading, found: Output | Unreadable) -> str | Unreadable:
    if isinstance(found, Unreadable):
        return found
    if found.exit.is_truncated or (found.exit.status and not found.stdout):
        said = safe_text(found.exit.stderr.decode("utf-8", "replace"), 200)
        return Unreadable(f"reading the {reading.name} failed ({found.exit.status}): {said}")
    return found.stdout
