"""Named harm: what a change promised not to disturb, compared before and after it."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.actions import unit as units
from triagebook.tools.execute.capture import HostCapture
from triagebook.tools.trust.ports import Job

KEEPS_MAIN_PROCESS = {"unit_tasks_max"}  # its disruption text promises it


@dataclass(frozen=True)
class Harm:
    """Compares with what was read just before a plan was carried out."""

    capture: HostCapture

    def found(self, job: Job) -> str:
        """What was harmed, in words; empty when nothing was, or when it cannot be read any more (never a reason to revert)."""
        plan, before = job.plan, self.capture.kept.get(job.plan.order_digest, ())
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
