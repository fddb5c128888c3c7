"""Offers the remediations that the findings support, with their parameters bounded by this host's facts. Pure."""

from collections.abc import Sequence
from typing import Any, cast

from triagebook.runbooks.engine import model, rules
from triagebook.runbooks.engine.diagnosis import OfferedRemediation, ParamBounds, Verdict
from triagebook.runbooks.engine.judge import Facts, Finding, with_element


def offers_for(
    runbook: model.Runbook, matched: Sequence[tuple[model.Check, Finding, Verdict]], facts: Facts
) -> tuple[OfferedRemediation, ...]:
    """Return one entry for each remediation and culprit, in the order of the verdicts.

    A bound that cannot be computed (an unreadable fact) withdraws the offer: an unknown never leads to a change. So does
    an empty range (min above max).
    """
    found: dict[tuple[str, str], OfferedRemediation] = {}
    for check, finding, verdict in matched:
        here = with_element(facts, finding)
        for offer in check.offers:
            if rules.evaluate(offer.when, here) is not True:
                continue
            remediation = runbook.remediations[offer.id]
            params = {name: _bounds(param, offer.bind.get(name, ""), here) for name, param in remediation.params.items()}
            if any(value is None for value in params.values()):
                continue
            found.setdefault(
                (offer.id, verdict.culprit.id),
                OfferedRemediation(
                    id=remediation.id,
                    title=remediation.title,
                    action=remediation.action,
                    cause=check.id,
                    culprit=verdict.culprit.id,
                    risk=cast(Any, remediation.risk),
                    disruption=remediation.disruption,
                    undo=remediation.undo,
                    params={name: value for name, value in params.items() if value is not None},
                    commands=(),
                    undo_commands=(),
                ),
            )
    return tuple(found.values())


def _bounds(param: model.Param, fixed: str, here: Facts) -> ParamBounds | None:
    if fixed:
        value = rules.evaluate(fixed, here)
        return ParamBounds(param.type, value) if isinstance(value, (int, str)) else None
    default = rules.evaluate(param.default, here)
    if not isinstance(default, (int, str)):
        return None
    if param.type not in {"int", "pid"} or not param.min:
        return ParamBounds(param.type, default)
    low, high = rules.evaluate(param.min, here), rules.evaluate(param.max, here)
    if not (isinstance(low, int) and isinstance(high, int) and isinstance(default, int)) or low > high:
        return None
    return ParamBounds(param.type, min(max(default, low), high), low, high)
