"""A renderer for changes of one limit: what a diagnosis already says, at the parameters it was made for."""

from collections.abc import Mapping

from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation, Verdict
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.parameters import Value, checked_parameters
from triagebook.runbooks.engine.plan import Change, Rendering, find_verdict


class DiagnosedRenderer:
    """Uses the commands of the diagnosis. Other values than its defaults need a renderer that knows the action."""

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """PlanError when a parameter differs from the default the commands were made for."""
        values = checked_parameters(parameters, offered.params)
        for name, bound in offered.params.items():
            if values[name] != bound.default:
                raise PlanError(f"{offered.id}: this server renders {name} only at {bound.default!r}, not {values[name]!r}")
        verdict = find_verdict(diagnosis, offered)
        order = {f"param_{name}": str(value) for name, value in values.items()} | {"before": before_of(verdict)}
        return Rendering(changes_of(verdict, offered, values), offered.commands, offered.undo_commands, order)


def changes_of(verdict: Verdict, offered: OfferedRemediation, values: Mapping[str, Value]) -> tuple[Change, ...]:
    """The limit's present value and what the one bounded number among the parameters will make of it."""
    bounded = [name for name, bound in offered.params.items() if bound.type == "int" and bound.min is not None]
    if verdict.limit is None or len(bounded) != 1:
        return ()
    what = f"{verdict.limit.name} of {verdict.culprit.unit or verdict.culprit.id}"
    return (Change(what, before_of(verdict), str(values[bounded[0]])),)


def before_of(verdict: Verdict) -> str:
    """The limit's value as it was read; empty where the verdict has no limit."""
    if verdict.limit is None:
        return ""
    value = verdict.limit.value
    return str(int(value)) if float(value).is_integer() else str(value)
