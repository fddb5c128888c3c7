"""Renders an offered remediation by its typed action: the one place where a change becomes an order and commands."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import ParseError, PlanError, UsageError
from triagebook.runbooks.engine.plan import Plan, PlannedValue, Rendering, Value, check_parameters
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.actions import ACTIONS, Action, PlannedChange
from triagebook.tools.actions.action import Params, Step
from triagebook.tools.actions.orders import OrderError
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.execute.capture import HostCapture
from triagebook.tools.fixes.interfaces import Renderer
from triagebook.tools.fixes.persist import FOLLOWS
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.store.fix_states import runbook_name


@dataclass(frozen=True)
class HostRenderer:
    """Reads the host's present state and lets the action plan the change. A recorded case is rendered from its facts."""

    capture: HostCapture
    from_facts: Renderer
    catalog: Catalog

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Now -> then, commands, undo, and the order's own fields. PlanError says why not."""
        if parse_target(diagnosis.host.name).kind == "replay":
            return self.from_facts.render(diagnosis, offered, parameters)
        action, values = action_of(offered.action), check_parameters(parameters, offered.params)
        step = first_step(action)
        with _name_remediation(offered.id):
            return to_rendering(action.plan_change(values, step, self._read(diagnosis.host.name, action, values, step)))

    def reads(self, plan: Plan) -> tuple[HostReading, ...]:
        """What tells the state that a plan would change."""
        return action_of(plan.action).capture(parameters_of(plan), step_of(plan))

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        """The change of a plan, from what its readings printed now. PlanError: it would not be made any more."""
        self.capture.keep(plan.order_digest, outputs)
        with _name_remediation(plan.remediation):
            return to_rendering(action_of(plan.action).plan_change(parameters_of(plan), step_of(plan), outputs, plan.order))

    def permanent(self, plan: Plan) -> Rendering:
        """The step that makes the live change of a plan permanent. PlanError: it has none."""
        action, values = action_of(plan.action), parameters_of(plan)
        remediation = self.catalog.load(runbook_name(plan)).remediations[plan.remediation]
        if step_of(plan) != "live" or "persist" not in action.steps or remediation.persist != "separate_step":
            raise PlanError(f"{plan.remediation}: it has no permanent step of its own")
        with _name_remediation(plan.remediation):
            return to_rendering(action.plan_change(values, "persist", self._read(plan.host, action, values, "persist")))

    def _read(self, host: str, action: Action, values: Params, step: Step) -> tuple[str, ...]:
        action.check(values)
        return self.capture.read(host, action.capture(values, step))


@contextmanager
def _name_remediation(remediation: str) -> Iterator[None]:
    try:
        yield
    except (UsageError, ParseError, OrderError) as error:
        raise PlanError(f"{remediation}: {error}") from None


def action_of(name: str) -> Action:
    """The typed action of that name. PlanError: there is none."""
    if name not in ACTIONS:
        raise PlanError(f"no action {name!r}")
    return ACTIONS[name]


def parameters_of(plan: Plan) -> Params:
    """What the action was given; a plan made from another one names that too."""
    return {name: value for name, value in plan.parameters.items() if name != FOLLOWS}


def step_of(plan: Plan) -> Step:
    """Which step of its action a plan is."""
    return "persist" if plan.order.get("step") == "persist" else "live"


def first_step(action: Action) -> Step:
    """Live first; what is made permanent is a step of its own."""
    return "live" if "live" in action.steps else "persist"


def to_rendering(planned: PlannedChange) -> Rendering:
    """A planned change as a plan holds it."""
    return Rendering(
        changes=(PlannedValue(planned.what, planned.now, planned.then),),
        commands=planned.as_shell(),
        undo_commands=planned.undo_as_shell(),
        order=dict(planned.order.fields),
    )


def is_accepted(action: Action, params: Params) -> bool:
    """Whether parameters of these names are what the action takes, no more and no fewer."""
    return set(params) <= set(action.parameters) and set(action.parameters) - set(params) <= action.optional
