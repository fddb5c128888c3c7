"""Settling an execution of which nobody knows how it ended: by the helper's journal, and then by fresh facts."""

import time
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools import orders
from triagebook.tools.execute.helper_link import HelperAnswer
from triagebook.tools.trust.ports import Ending, Job

if TYPE_CHECKING:
    from triagebook.tools.execute.executor import HostExecutor

LATEST_S = orders.LIFE_S + 60  # after this no order that is still under way can arrive in time
CHANGED = {"applied", "changing", "half", "undoing", "incomplete"}


def recovered(executor: "HostExecutor", job: Job) -> Ending | None:
    """None while the helper cannot be asked, still works, or its journal and the facts do not tell."""
    number = orders.number_of(job.order_id)
    is_undo = job.plan.action == "undo"
    try:
        answer = executor.link.status(job.plan.host, job.plan.order["undoes"] if is_undo else number)
        if answer.target != job.plan.target_id or answer.running == "yes":
            return None
        return _undo_told(executor, job, answer) if is_undo else _told(executor, job, number, answer)
    except TriagebookError:
        return None


def _told(executor: "HostExecutor", job: Job, number: str, answer: HelperAnswer) -> Ending | None:
    detail = {"order": number, "journal": answer.journal, "before": answer.before, "after": answer.after}
    if answer.journal == "none":
        is_over = answer.boot != job.plan.boot_id or _is_too_late(executor, number)
        return Ending("failed", "the helper's journal does not have it: nothing was changed", detail) if is_over else None
    if answer.journal == "claimed" or answer.journal.startswith("refused"):
        return Ending("failed", f"the helper's journal says {answer.journal}: nothing was changed", detail)
    if answer.journal in {"restored", "undone"}:
        return Ending("reverted", f"the helper's journal says {answer.journal}: it was put back", detail)
    if answer.journal == "failed":
        return Ending("failed", "the helper's journal says it failed", detail)
    if answer.journal not in CHANGED:
        return None
    if answer.boot != job.plan.boot_id and job.plan.order.get("step") == "live" and job.plan.action != "swap_file":
        return Ending("reverted", "the host was started again since: the live change is gone with that boot", detail)
    if answer.journal == "applied":
        from triagebook.tools.execute.executor import concluded  # noqa: PLC0415 - the two need each other

        return concluded(job.plan, executor.validate(job.plan), detail)
    undone = executor.undo(job, number)  # cut half-way: the helper knows what was there before
    if isinstance(undone, Ending):
        return None
    return Ending("reverted", "it was cut half-way; the helper put it back", {**detail, "undone_to": undone.after})


def _undo_told(executor: "HostExecutor", job: Job, answer: HelperAnswer) -> Ending | None:
    detail = {"journal": answer.journal, "before": answer.before, "after": answer.after}
    if answer.journal == "undone":
        return Ending("validated", "the helper's journal says undone: it was put back", detail)
    if answer.journal == "applied" and (answer.boot != job.plan.boot_id or _is_too_late(executor, orders.number_of(job.order_id))):
        return Ending("failed", "the helper's journal says it is still applied: it was not put back", detail)
    if answer.journal in {"undoing", "half"}:  # begun, with an approval: another undo goes on from there
        undone = executor.undo(job, job.plan.order["undoes"])
        if not isinstance(undone, Ending):
            return Ending("validated", "it was cut half-way; the helper put it back", {**detail, "undone_to": undone.after})
    return None


def _is_too_late(executor: "HostExecutor", number: str) -> bool:
    """Whether an order that is nowhere to be seen would have expired, counted from when it was first missed."""
    since = executor.seen_missing.setdefault(number, time.monotonic())
    return time.monotonic() - since > LATEST_S
