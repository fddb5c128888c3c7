"""Judges, by a fresh diagnosis alone, whether a plan is still about the host and the facts it was approved for."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.plan import Plan, Rendering, check_parameters, find_offer, find_verdict

UNKNOWN = "unknown_facts"


@dataclass(frozen=True)
class Stale:
    """Says why a plan no longer holds, or, with the reason `unknown_facts`, that nobody can tell now."""

    reason: str  # other_host | other_host_key | other_target | rebooted | other_runbook | stale_facts | unknown_facts
    says: str


def other_host(plan: Plan, fresh: Diagnosis, target_id: str) -> Stale | None:
    """Return how the machine, host key, installation or boot differs from the plan's; None if none does."""
    runbook = fresh.runbook
    pairs = (
        ("other_host", "host", plan.host, fresh.host.name),
        ("other_host_key", "host key", plan.host_key, fresh.target.host_key),
        ("other_host", "machine id", plan.machine_id, fresh.host.machine_id),
        ("other_target", "target id", plan.target_id, target_id),
        ("rebooted", "boot id", plan.boot_id, fresh.host.boot_id),
        ("other_runbook", "runbook", plan.runbook_digest, runbook.digest),
    )
    for reason, name, then, now in pairs:
        if then and not now:
            return Stale(UNKNOWN, f"the {name} cannot be read now: {fresh.headline}")
        if then != now:
            return Stale(reason, f"the {name} was {then or 'none'} when the plan was made, now it is {now or 'none'}")
    return None


def why_cause_is_gone(plan: Plan, fresh: Diagnosis) -> Stale | None:
    """Return why the fresh diagnosis does not offer the plan's change at its values any more; None if it does."""
    is_open = fresh.status == "inconclusive" and not _is_merely_close(plan, fresh)
    if fresh.status == "unreachable" or is_open or any(unknown.check == plan.cause for unknown in fresh.unknown):
        return Stale(UNKNOWN, f"whether {plan.cause} still holds cannot be told: {fresh.headline}")
    try:
        offered = find_offer(fresh, plan.remediation, plan.culprit)
        find_verdict(fresh, offered)
        check_parameters(plan.parameters, offered.params)
    except PlanError as error:
        return Stale("stale_facts", str(error))
    return None


def _is_merely_close(plan: Plan, fresh: Diagnosis) -> bool:
    """Say whether what the plan raises was found, and close to its limit: that leaves a question about an error open, not this."""
    verdicts = (one for one in (fresh.verdict, *fresh.also) if one is not None)
    return any(one.is_only_close for one in verdicts if (one.cause, one.culprit.id) == (plan.cause, plan.culprit))


def why_start_differs(plan: Plan, rendering: Rendering) -> Stale | None:
    """Return how the change would differ from the one approved, or start from other values; None if it would not."""
    if rendering.changes != plan.changes:
        for then, now in zip(plan.changes, rendering.changes, strict=False):
            if then != now:
                return Stale("stale_facts", f"{then.what}: {then.now} when approved, now {now.now}")
        return Stale("stale_facts", "the change is no longer the one that was approved")
    if any(plan.order.get(name) != value for name, value in rendering.order.items()):
        return Stale("stale_facts", "the order would no longer be the one that was approved")
    return None
