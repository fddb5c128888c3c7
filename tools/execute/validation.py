"""Judges by fresh diagnoses alone whether the cause is gone, until the time that the remediation allows has passed."""

import time
from collections.abc import Callable, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, Verdict
from triagebook.runbooks.engine.plan import Plan
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.log import log_event

BETWEEN_S = 2.0
UNJUDGED = {"unknown", "skipped"}
OVER = {"past", "trend"}  # counted before the change, or foreseen: not refused any more


@dataclass(frozen=True)
class Validation:
    """Holds the outcome: cleared, standing or unknown. `is_without_effect`: the limit still reads as it did before the change."""

    outcome: str
    says: str
    is_without_effect: bool = False


def validate(
    plan: Plan, cleared: Sequence[str], diagnose: Callable[[], Diagnosis], within_s: float, pause: Callable[[float], None]
) -> Validation:
    """Look at the host until the cause is gone or the time is over; the last look counts. `cleared` is as in `judge`."""
    until = time.monotonic() + within_s
    while True:
        found = judge(plan, cleared, diagnose())
        log_event("execute.validated", host=plan.host, outcome=found.outcome, says=found.says)
        if found.outcome == "cleared" or time.monotonic() >= until:
            return found
        pause(BETWEEN_S)


def judge(plan: Plan, cleared: Sequence[str], diagnosis: Diagnosis) -> Validation:
    """Look once at the plan's cause. A host that cannot be read is `unknown`, never `standing`.

    `cleared` are the checks that the remediation says end with it. A cause that is none of them is what somebody or a log said,
    which does not end with the change: those checks are looked at in its place, and one that was not judged is unknown.
    """
    if diagnosis.status == "unreachable":
        return Validation("unknown", f"the host could not be reached to validate: {diagnosis.headline}")
    verdicts = [item for item in (diagnosis.verdict, *diagnosis.also) if item is not None]
    if not cleared or plan.cause in cleared:
        watched = plan.cause
        same = [item for item in verdicts if (item.cause, item.culprit.id) == (plan.cause, plan.culprit)]
        unknown = [(item.check, item.because) for item in diagnosis.unknown if item.check == plan.cause]
    else:
        watched = ", ".join(cleared)
        same = [item for item in verdicts if item.cause in cleared]
        unknown = [(item.id, item.says) for item in diagnosis.checks if item.id in cleared and item.outcome in UNJUDGED]
    standing = [item for item in same if item.active not in OVER]
    if standing:
        return Validation("standing", f"it still holds: {standing[0].summary}", _is_without_effect(plan, standing[0]))
    if unknown and not same:
        check, because = unknown[0]
        return Validation("unknown", f"whether {check} is gone could not be judged: {because}")
    others = [item for item in verdicts if item not in same and item.active in {"now", "at_limit"}]
    also = f"; another was found: {others[0].summary}" if others else ""
    return Validation("cleared", f"{watched} is cleared and refuses no more{also}")


def _is_without_effect(plan: Plan, verdict: Verdict) -> bool:
    before, value = plan.order.get("before", "").partition(":")[0], plan.order.get("value", "")
    if plan.order.get("step") != "live":  # it holds from the next start on
        return False
    return verdict.limit is not None and is_whole_number(before) and before != value and verdict.limit.value == int(before)
