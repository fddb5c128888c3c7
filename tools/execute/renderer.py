"""Renders an offered remediation by its typed action: the one place where a change becomes an order and commands."""

from collections.abc import Mapping
from dataclasses import dataclass

from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import ParseError, PlanError, UsageError
from triagebook.runbooks.engine.parameters import Value, checked_parameters
from triagebook.runbooks.engine.plan import Change, Rendering
from triagebook.tools.actions import ACTIONS, Action, PlannedChange
from triagebook.tools.actions.action import Params, Step
from triagebook.tools.execute.capture import HostCapture
from triagebook.tools.orders import OrderError
from triagebook.tools.target_name import parse_target
from triagebook.tools.trust.ports import Renderer


@dataclass(frozen=True)
class HostRenderer:
    """Reads the host's present state and lets the action plan the change. A recorded case is rendered from its facts."""

    capture: HostCapture
    from_facts: Renderer

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Now -> then, commands, undo, and the order's own fields. PlanError says why not."""
        if parse_target(diagnosis.host.name).kind == "replay":
            return self.from_facts.render(diagnosis, offered, parameters)
        action, values = action_of(offered), checked_parameters(parameters, offered.params)
        step = first_step(action)
        try:
            action.checked(values)
            outputs = self.capture.read(diagnosis.host.name, action.capture(values, step), diagnosis.id)
            return rendering_of(action.planned(values, step, outputs))
        except (UsageError, ParseError, OrderError) as error:
            raise PlanError(f"{offered.id}: {error}") from None


def action_of(offered: OfferedRemediation) -> Action:
    """The typed action of an offer. PlanError: there is none of that name."""
    if offered.action not in ACTIONS:
        raise PlanError(f"{offered.id}: no action {offered.action!r}")
    return ACTIONS[offered.action]


def first_step(action: Action) -> Step:
    """Live first; what is made permanent is a step of its own."""
    return "live" if "live" in action.steps else "persist"


def rendering_of(planned: PlannedChange) -> Rendering:
    """A planned change as a plan holds it."""
    return Rendering(
        changes=(Change(planned.what, planned.now, planned.then),),
        commands=planned.as_shell(),
        undo_commands=planned.undo_as_shell(),
        order=dict(planned.order.fields),
    )


def is_accepted(action: Action, params: Params) -> bool:
    """Whether parameters of these names are what the action takes, no more and no fewer."""
    return set(params) <= set(action.parameters) and set(action.parameters) - set(params) <= action.optional
