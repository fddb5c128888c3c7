"""Says how often a cause was found on a host before, and what became of the last fix for it. Every answer shown carries it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from triagebook.runbooks.engine.diagnosis import Diagnosis, Recurrence, Verdict
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.plan import Plan
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found, Triage, diagnoses_of
from triagebook.tools.actions import ACTIONS
from triagebook.tools.actions.orders import UNDO
from triagebook.tools.redact import clean_text
from triagebook.tools.store import answer_rows, fix_rows
from triagebook.tools.store.answer_rows import AnswerRow
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import Fix, State, plan_of
from triagebook.tools.times import rfc3339

RECENT = timedelta(days=30)
APART = timedelta(days=1)  # the same cause seen again after it is another time, though nobody saw it gone in between
MOST_ANSWERS, MOST_FIXES = 500, 50
CARRIED_OUT: tuple[State, ...] = ("validated", "unresolved", "reverted")
JUDGED = frozenset({"healthy", "warning", "cause_found"})  # answers that would have named the cause, had it been there
ORDINALS = ("", "First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")


def culprit_of(verdict: Verdict) -> str:
    """Return what names the culprit of a verdict in the history of its host."""
    return clean_text(verdict.culprit.unit or verdict.culprit.id, 255)


def with_recurrence(transaction: Transaction, found: Found, now: datetime) -> Found:
    """Return an answer that was just kept, with what is known of its cause from before."""
    first, *others = diagnoses_of(found)
    before = recurrence(transaction, first, now)
    if before is None:
        return found
    told = replace(first, recurrence=before)
    return replace(found, diagnoses=(told, *others)) if isinstance(found, Triage) else told


def recurrence(transaction: Transaction, found: Diagnosis, now: datetime) -> Recurrence | None:
    """Say how often the cause of an answer was found by now, this time included; None where it is new here."""
    if found.verdict is None:
        return None
    host = safe_text(found.host.name, answer_rows.LONGEST_HOST)  # as it was kept
    answers = answer_rows.of_host(transaction, host, now - RECENT, MOST_ANSWERS)
    fixed = [
        (fix, plan)
        for fix in fix_rows.list_fixes(transaction, MOST_FIXES, states=CARRIED_OUT, host=host)
        if fix.updated_at <= now and (plan := _plan_for(fix, found.verdict)) is not None
    ]
    times = occurrences(answers, found.verdict.cause, culprit_of(found.verdict), [fix.updated_at for fix, _ in fixed])
    if len(times) < 2 and not fixed:
        return None
    first_at = times[0] if times else now
    says = [f"{ordinal(len(times))} time in {_days(now - first_at)}, first on {first_at:%-d %B}."] if len(times) > 1 else []
    if not fixed:
        return Recurrence(len(times), rfc3339(first_at), " ".join(says))
    fix, plan = max(fixed, key=lambda pair: pair[0].updated_at)
    is_lost = fix.state != "reverted" and _is_live(plan) and bool(found.host.boot_id) and plan.boot_id != found.host.boot_id
    says.append(_fate(fix, plan, _first_sight_of_boot(answers, found.host.boot_id) if is_lost else None))
    return Recurrence(max(1, len(times)), rfc3339(first_at), " ".join(says), fix.id, fix.state, is_lost)


def occurrences(answers: Sequence[AnswerRow], cause: str, culprit: str, fixed_at: Collection[datetime]) -> list[datetime]:
    """Return when each separate time began at which this cause was found. `answers` are newest first.

    Looks at one and the same trouble count once: it is another time after an answer without the cause, a boot, a fix or a day.
    """
    found: list[datetime] = []
    last: AnswerRow | None = None
    for answer in reversed(answers):
        if (answer.cause, answer.culprit) == (cause, culprit):
            if last is None or _is_apart(last, answer, fixed_at):
                found.append(answer.at)
            last = answer
        elif answer.status in JUDGED:
            last = None
    return found


def ordinal(number: int) -> str:
    """Return the word for the place in a row; figures above ten."""
    if number < len(ORDINALS):
        return ORDINALS[number]
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _is_apart(last: AnswerRow, answer: AnswerRow, fixed_at: Collection[datetime]) -> bool:
    has_booted = bool(last.boot_id) and bool(answer.boot_id) and last.boot_id != answer.boot_id
    return has_booted or answer.at - last.at >= APART or any(last.at <= moment <= answer.at for moment in fixed_at)


def _plan_for(fix: Fix, verdict: Verdict) -> Plan | None:
    """Return the plan of a fix that was for this cause and culprit; None for another one, and for one that was tampered with."""
    try:
        plan = plan_of(fix)
    except RefusedError:
        return None
    is_of_culprit = plan.culprit in {verdict.culprit.id, verdict.culprit.unit}
    return plan if plan.action != UNDO and plan.cause == verdict.cause and is_of_culprit else None


def _is_live(plan: Plan) -> bool:
    """Tell whether the change lasts only until the next boot."""
    action = ACTIONS.get(plan.action)
    return plan.order.get("step") == "live" and not (action is not None and action.outlives_boot)


def _can_persist(plan: Plan) -> bool:
    """Tell whether its action has a permanent step."""
    action = ACTIONS.get(plan.action)
    return action is not None and "persist" in action.steps


def _fate(fix: Fix, plan: Plan, boot_seen: datetime | None) -> str:
    """Return what became of the last fix for this cause, for people."""
    at = f"{fix.updated_at:%-d %B}"
    if fix.state == "reverted":
        return f"{fix.id}, which was to cure it, was undone on {at}."
    if boot_seen is not None:
        advice = ": make it permanent this time?" if _can_persist(plan) else "."
        return f"{fix.id} changed it live on {at}, lost at the reboot seen on {boot_seen:%-d %B}{advice}"
    if fix.state == "unresolved":
        return f"{fix.id} was applied on {at} and did not cure it."
    return f"{fix.id} {'changed it live' if _is_live(plan) else 'cured it for good'} on {at}, and here it is again."


def _first_sight_of_boot(answers: Sequence[AnswerRow], boot_id: str) -> datetime | None:
    """Return when the running boot was seen first."""
    return next((answer.at for answer in reversed(answers) if answer.boot_id == boot_id), None)


def _days(time: timedelta) -> str:
    days = max(1, round(time / timedelta(days=1)))
    return "a day" if days == 1 else f"{days} days"
