"""Typed parameters of a remediation, checked against the bounds that this host's facts gave."""

from collections.abc import Mapping

from triagebook.runbooks.engine.diagnosis import ParamBounds
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.jcs import MAX_INTEGER

Value = int | str
MAX_TEXT = 200  # characters of a name


def checked_parameters(given: Mapping[str, Value], bounds: Mapping[str, ParamBounds]) -> Mapping[str, Value]:
    """Every parameter of the remediation, given or default. PlanError: unknown, of another type, out of bounds.

    A parameter without bounds was fixed by the finding (which unit, which process): it may be repeated, not changed.
    """
    unknown = sorted(set(given) - set(bounds))
    if unknown:
        raise PlanError(f"unknown parameter {unknown[0]!r} (there are: {', '.join(sorted(bounds)) or 'none'})")
    return {name: _checked(name, given.get(name, bound.default), bound) for name, bound in sorted(bounds.items())}


def _checked(name: str, value: Value, bound: ParamBounds) -> Value:
    if bound.type == "int" and type(value) is not int:
        raise PlanError(f"{name}: expected an integer, got {value!r}")
    if bound.type != "int" and not isinstance(value, type(bound.default)):
        raise PlanError(f"{name}: expected {type(bound.default).__name__}, got {value!r}")
    if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
        raise PlanError(f"{name}: longer than {MAX_TEXT} characters, or not printable")
    if bound.min is None or bound.max is None:
        if value != bound.default:
            raise PlanError(f"{name}: is {bound.default!r} on this host and cannot be changed to {value!r}")
        return value
    if not isinstance(value, int) or not max(bound.min, -MAX_INTEGER) <= value <= min(bound.max, MAX_INTEGER):
        raise PlanError(f"{name}: {value} is outside {bound.min} to {bound.max}")
    return value
