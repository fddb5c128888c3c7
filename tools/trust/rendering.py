"""A change in words, from what a diagnosis says of the limit."""

from collections.abc import Mapping

from triagebook.runbooks.engine.diagnosis import OfferedRemediation, Verdict
from triagebook.runbooks.engine.parameters import Value
from triagebook.runbooks.engine.plan import Change


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
