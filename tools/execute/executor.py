"""Changes a host: signs the order, sends it once, validates by fresh facts, puts back only what did not take or did harm.

No outcome is guessed: an answer that was cut is `unknown`, and the helper's journal with fresh facts settles it later.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError
from triagebook.runbooks.engine.plan import Plan, inputs_of
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.actions import ACTIONS, orders
from triagebook.tools.actions.orders import FIELDS, UNDO, Envelope, OrderedChange, OrderKey, fields_of
from triagebook.tools.execute.capture import Harm
from triagebook.tools.execute.helper_link import AnswerLost, HelperAnswer, HelperLink, HelperSession
from triagebook.tools.execute.validation import Validation, validate
from triagebook.tools.fixes.interfaces import Diagnoser, Ending, EndState, Execution
from triagebook.tools.log import log_event
from triagebook.tools.store.fix_states import runbook_name
from triagebook.tools.transport.base import LoginFailed

MAX_SKEW_S = 30.0
LATEST_S = orders.LIFE_S + 60  # after this no order that is still under way can arrive in time
# Why a helper refuses an order that it may carry out a moment later: nothing in the plan is contradicted.
PASSING = frozenset(
    {
        *("busy", "fork", "died", "expired", "not_yet_valid", "clock", "input_slow"),
        *("spool_unwritable", "boot_unreadable", "journal_unwritable", "no_signer_in_force"),
    }
)
CHANGED = {"applied", "changing", "half", "undoing", "incomplete"}


@dataclass(frozen=True)
class HostExecutor:
    """Carries out plans for a server: it has the key, the way to helpers, and the way to diagnose."""

    key: OrderKey
    link: HelperLink
    diagnoser: Diagnoser
    catalog: Catalog
    harm: Harm
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    seen_missing: dict[str, float] = field(default_factory=dict)  # orders no journal has, and since when

    def target_id(self, host: str) -> str:
        """Ask the host's helper what it calls itself. RefusedError `not_prepared`."""
        return self.link.status(host).target

    def approach(self, host: str) -> HelperSession:
        """Start a helper that then waits for its order. RefusedError `not_prepared`."""
        return self.link.approach(host)

    def execute(self, execution: Execution) -> Ending:
        """Carry out a plan, once."""
        plan, number = execution.plan, orders.number_of(execution.order_id)
        if (refusal := clock_refusal(execution.fresh)) is not None:
            return refusal
        change = fields_of(plan.action, [plan.order[name] for name in FIELDS[plan.action]])
        ending = self._send(execution, number, change)
        if isinstance(ending, Ending):
            return ending
        detail = {"order": number, "before": ending.before, "after": ending.after, "journal": ending.journal}
        if plan.action == UNDO:
            return Ending("validated", f"put back: {_changes(plan)}", detail)
        harmed = self.harm.find(execution)
        found = self.validate(plan) if not harmed else Validation("standing", harmed, is_without_effect=False)
        if harmed or found.is_without_effect:
            return self._put_back(execution, number, harmed or f"the new value did not take effect; {found.says}", detail)
        return ending_of(plan, found, detail)

    def recover(self, execution: Execution) -> Ending | None:
        """Settle an unknown execution; None while it cannot be told."""
        return recover(self, execution)

    def validate(self, plan: Plan) -> Validation:
        """Diagnose anew, within the time that the remediation gives itself, and judge its cause."""
        name = runbook_name(plan)
        remediation = self.catalog.load(name).remediations[plan.remediation]
        within_s = remediation.validates_within_s if plan.order.get("step") == "live" else 0  # waiting would not change it
        inputs = inputs_of(plan)  # the question that the plan was made from

        def diagnose() -> Diagnosis:
            return self.diagnoser.diagnose(plan.host, name, inputs)

        return validate(plan, remediation.validates_cleared, diagnose, within_s, self.pause)

    def undo(self, execution: Execution, number: str) -> HelperAnswer | Ending:
        """Order the helper to put back what the order `number` changed; its answer, or why there is none."""
        return self._send(execution, secrets.token_hex(16), orders.undo_of(number))

    def _put_back(self, execution: Execution, number: str, why: str, detail: Mapping[str, str]) -> Ending:
        if execution.plan.undo == "none":
            return Ending("unresolved", f"{why}; it has no undo", detail)
        answer = self.undo(execution, number)
        if isinstance(answer, Ending):
            ended: EndState = "unknown" if answer.state == "unknown" else "unresolved"
            return Ending(ended, f"{why}; and it was not put back: {answer.says}", {**detail, **answer.detail})
        return Ending("reverted", f"{why}; put back to {answer.after}", {**detail, "undo": answer.id, "undone_to": answer.after})

    def _send(self, execution: Execution, number: str, change: OrderedChange) -> HelperAnswer | Ending:
        """Send the order; return the helper's `applied` or `undone`. Anything else is an ending already."""
        plan, detail = execution.plan, {"order": number}
        try:
            sealed = self._seal(execution, number, change)
        except RefusedError as error:
            return Ending("failed", f"nothing was sent: {error}", detail)
        about = {"host": plan.host, "fix": execution.fix_id, "order": number}
        log_event("execute.signed", **about, action=change.action)
        try:
            way = execution.approach
            answer = way.ask(sealed) if isinstance(way, HelperSession) else self.link.ask(plan.host, sealed)
        except LoginFailed as error:
            log_event("execute.not_sent", **about, says=error)
            return Ending("approved", f"nothing was sent: {error}", detail)
        except AnswerLost as error:
            log_event("execute.lost", **about, says=error)
            return Ending("unknown", f"the order was sent and its answer was lost: {error}", detail)
        log_event("execute.answered", **about, result=answer.result, reason=answer.reason, journal=answer.journal)
        if answer.id != number and answer.result not in {"refused"}:
            return Ending("unknown", f"the helper answered about another order ({answer.id or 'none'})", detail)
        return answer if answer.result in {"applied", "undone"} else _ending_of_refusal(answer, detail)

    def _seal(self, execution: Execution, number: str, change: OrderedChange) -> bytes:
        """Sign the order, only now that the database has confirmed the claim. RefusedError: it did not, and nothing is signed.

        The order's time counts from before the database was asked and ends with the claim, so that a process which is stopped
        here, or on the way to the host, leaves nothing that a helper would still carry out.
        """
        plan, began, issued = execution.plan, self.monotonic(), int(self.now().timestamp())
        try:
            life_s = int(min(execution.confirm(), orders.LIFE_S))
        except TrustError as error:
            raise RefusedError(f"the claim could not be confirmed: {error}", reason="claim_lost") from error
        if self.monotonic() - began >= life_s:
            message = f"the database took longer than the {life_s} s for which the claim holds"
            raise RefusedError(message, reason="claim_lost")
        envelope = Envelope(number, execution.plan_digest, plan.target_id, plan.boot_id, issued, issued + life_s)
        return self.key.seal(orders.render(envelope, change))


def clock_refusal(fresh: Diagnosis | None) -> Ending | None:
    """Say why a host whose clock is off gets no order: it would refuse it, or take it too late. None: its clock is right."""
    skew = fresh.target.clock_skew_s if fresh else None
    if skew is None:
        return Ending("approved", "nothing was sent: the host's clock could not be read")
    if abs(skew) > MAX_SKEW_S:
        return Ending(
            "approved", f"nothing was sent: the host's clock is {skew:+.0f} s off, more than {MAX_SKEW_S:.0f}; synchronise it"
        )
    return None


def ending_of(plan: Plan, found: Validation, detail: Mapping[str, str]) -> Ending:
    """Return the ending of a change that is in place, with what was, what is, and what remains to be done."""
    told = {**detail, "validation": found.says, "remains": remains(plan)}
    if found.outcome == "cleared":
        return Ending("validated", f"{_changes(plan)}; {found.says}", told)
    return Ending("unresolved", f"{_changes(plan)} is in place; {found.says}", told)


def remains(plan: Plan) -> str:
    """Say what is left to do after this step."""
    if plan.order.get("step") == "persist":
        return "running processes keep what they have: it holds from the next start on"
    if plan.undo != "none":
        return "it holds until the next boot or restart: making it permanent is a step of its own"
    return "nothing on the host"


def _ending_of_refusal(answer: HelperAnswer, detail: Mapping[str, str]) -> Ending:
    told = {**detail, "reason": answer.reason, "journal": answer.journal}
    if answer.result == "refused":
        ended: EndState = "approved" if answer.reason in PASSING else "failed"
        return Ending(ended, f"the helper refused it, nothing was changed: {answer.says()}", told)
    if answer.result == "failed":
        return Ending("reverted", f"it did not take effect and the helper put it back: {answer.says()}", told)
    return Ending("unknown", f"the helper does not know how it ended: {answer.says()}", told)


def _changes(plan: Plan) -> str:
    return "; ".join(f"{change.what}: {change.now} -> {change.then}" for change in plan.changes)


def recover(executor: HostExecutor, execution: Execution) -> Ending | None:
    """Settle an unknown execution; None while the helper cannot be asked, still works, or its journal and the facts do not tell."""
    number = orders.number_of(execution.order_id)
    is_undo = execution.plan.action == UNDO
    try:
        answer = executor.link.status(execution.plan.host, execution.plan.order["undoes"] if is_undo else number)
        if answer.target != execution.plan.target_id or answer.running == "yes":
            return None
        return (
            _undo_ending_by_journal(executor, execution, answer)
            if is_undo
            else _ending_by_journal(executor, execution, number, answer)
        )
    except TriagebookError:
        return None


def _ending_by_journal(executor: HostExecutor, execution: Execution, number: str, answer: HelperAnswer) -> Ending | None:
    detail = {"order": number, "journal": answer.journal, "before": answer.before, "after": answer.after}
    if answer.journal == "none":
        is_over = answer.boot != execution.plan.boot_id or _is_too_late(executor, number)
        return Ending("failed", "the helper's journal does not have it: nothing was changed", detail) if is_over else None
    if answer.journal == "claimed" or answer.journal.startswith("refused"):
        return Ending("failed", f"the helper's journal says {answer.journal}: nothing was changed", detail)
    if answer.journal in {"restored", "undone"}:
        return Ending("reverted", f"the helper's journal says {answer.journal}: it was put back", detail)
    if answer.journal == "failed":
        return Ending("failed", "the helper's journal says it failed", detail)
    if answer.journal not in CHANGED:
        return None
    if answer.boot != execution.plan.boot_id and not _outlives_boot(execution.plan):
        return Ending("reverted", "the host was started again since: the live change is gone with that boot", detail)
    if answer.journal == "applied":
        return ending_of(execution.plan, executor.validate(execution.plan), detail)
    undone = executor.undo(execution, number)  # cut half-way: the helper knows what was there before
    if isinstance(undone, Ending):
        return None
    return Ending("reverted", "it was cut half-way; the helper put it back", {**detail, "undone_to": undone.after})


def _outlives_boot(plan: Plan) -> bool:
    """Say whether the change is still there after the host was started again; it may be where nobody knows the action."""
    action = ACTIONS.get(plan.action)
    return plan.order.get("step") != "live" or action is None or action.outlives_boot


def _undo_ending_by_journal(executor: HostExecutor, execution: Execution, answer: HelperAnswer) -> Ending | None:
    detail = {"journal": answer.journal, "before": answer.before, "after": answer.after}
    if answer.journal == "undone":
        return Ending("validated", "the helper's journal says undone: it was put back", detail)
    if answer.journal == "applied" and (
        answer.boot != execution.plan.boot_id or _is_too_late(executor, orders.number_of(execution.order_id))
    ):
        return Ending("failed", "the helper's journal says it is still applied: it was not put back", detail)
    if answer.journal in {"undoing", "half"}:  # begun, with an approval: another undo goes on from there
        undone = executor.undo(execution, execution.plan.order["undoes"])
        if not isinstance(undone, Ending):
            return Ending("validated", "it was cut half-way; the helper put it back", {**detail, "undone_to": undone.after})
    return None


def _is_too_late(executor: HostExecutor, number: str) -> bool:
    """Say whether an order that is nowhere to be seen would have expired, counted from when it was first missed."""
    since = executor.seen_missing.setdefault(number, time.monotonic())
    return time.monotonic() - since > LATEST_S
