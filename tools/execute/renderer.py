"""Renders an offered remediation by its typed action: here a change becomes the order and the commands of a plan."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import ParseError, PlanError, UsageError
from triagebook.runbooks.engine.plan import Plan, PlannedValue, Rendering, Value, check_parameters
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.actions import Action, PlannedChange
from triagebook.tools.actions.action import Params, Step
from triagebook.tools.actions.orders import OrderedChange, OrderError
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.execute.capture import HostCapture, action_of, parameters_of, readings_of, step_of
from triagebook.tools.fixes.freshness import UNKNOWN
from triagebook.tools.fixes.interfaces import Renderer
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.store.fix_states import runbook_name


@dataclass(frozen=True)
class HostRenderer:
    """Reads the host's present state and lets the action plan the change. A recorded case is rendered from its facts."""

    capture: HostCapture
    from_facts: Renderer
    catalog: Catalog

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Render now -> then, commands, undo, and the order's own fields. PlanError says why not."""
        if parse_target(diagnosis.host.name).kind == "replay":
            return self.from_facts.render(diagnosis, offered, parameters)
        action, values = action_of(offered.action), check_parameters(parameters, offered.params)
        step = action.first_step
        with _name_remediation(offered.id):
            return to_rendering(action, action.plan_change(values, step, self._read(diagnosis.host.name, action, values, step)))

    def reads(self, plan: Plan) -> tuple[HostReading, ...]:
        """Return what tells the state that a plan would change."""
        return readings_of(plan)

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        """Render the change of a plan from what its readings printed now. PlanError: it would not be made any more."""
        self.capture.keep(plan.order_digest, outputs)
        action = action_of(plan.action)
        with _name_remediation(plan.remediation):
            return to_rendering(action, action.plan_change(parameters_of(plan), step_of(plan), outputs, plan.order))

    def permanent(self, plan: Plan) -> Rendering:
        """Render the step that makes the live change of a plan permanent. PlanError: it has none."""
        action, values = action_of(plan.action), parameters_of(plan)
        remediation = self.catalog.load(runbook_name(plan)).remediations[plan.remediation]
        if step_of(plan) != "live" or "persist" not in action.steps or remediation.persist != "separate_step":
            raise PlanError(f"{plan.remediation}: it has no permanent step of its own")
        with _name_remediation(plan.remediation):
            return to_rendering(action, action.plan_change(values, "persist", self._read(plan.host, action, values, "persist")))

    def _read(self, host: str, action: Action, values: Params, step: Step) -> tuple[str, ...]:
        action.check(values)
        return self.capture.read(host, action.capture(values, step))


@contextmanager
def _name_remediation(remediation: str) -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise PlanError(f"{remediation}: {error}", reason=UNKNOWN) from None
    except (UsageError, OrderError) as error:
        raise PlanError(f"{remediation}: {error}") from None


def to_rendering(action: Action, planned: PlannedChange) -> Rendering:
    """Give a planned change the form that a plan holds. Raises OrderError: an order could not carry it."""
    order = OrderedChange(action.name, tuple(planned.order.items()))
    return Rendering(
        changes=(PlannedValue(planned.what, planned.now, planned.then),),
        commands=planned.as_shell(),
        undo_commands=planned.undo_as_shell(),
        order=dict(order.fields),
    )
