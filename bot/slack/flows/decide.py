"""Handles the buttons of a fix: looks the click up, authorises the sender again, and lets the service decide."""

from collections.abc import Callable

from triagebook.bot.slack.cards import names, views
from triagebook.bot.slack.cards.approval import change_line, details
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.follow import Follower
from triagebook.bot.slack.flows.modals import Modals
from triagebook.bot.slack.flows.people import require_member
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.plan import inputs_of
from triagebook.tools.actions.orders import UNDO
from triagebook.tools.fixes.persist import FOLLOWS
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.views import FixView, question_of_view
from triagebook.tools.policy.decide import may
from triagebook.tools.store.chat_tokens import Meaning

ACTIONS = {
    names.APPROVE: "approve",
    names.DENY: "deny",
    names.DETAILS: "show",
    names.APPLY: "apply",
    names.WITHDRAW: "withdraw",
    names.REVERT: "revert",
    names.PERSIST: "persist",
    names.REPLAN: "propose",
}
FORMS = {names.DENY: views.deny, names.REVERT: views.revert, names.PERSIST: views.persist}  # what asks for a reason first
Continue = Callable[[], None]


@dataclass(frozen=True)
class DecideFlow:
    """Does what the buttons of an approval card stand for."""

    context: SlackContext
    follower: Follower
    modals: Modals

    def on_click(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Handle one click. A refusal is told only to the person who clicked, and recorded."""
        if delivery.channel and delivery.message_ts:
            self.follower.adopt(meaning.fix, delivery.channel, delivery.message_ts)
        action = ACTIONS[meaning.does]
        try:
            if meaning.does in FORMS:  # a form first: its trigger lives for three seconds
                self._form(delivery, meaning)
                return None
            if meaning.does == names.DETAILS:
                self._details(delivery, meaning)
                return None
            require_member(self.context, delivery, action, meaning.fix)
            return self._decide(delivery, meaning)
        except TrustError:
            raise
        except TriagebookError as error:
            self.context.refuse(delivery, error, f"{action} {meaning.fix}")
            return None
        finally:
            self.follower.wake()

    def on_submit(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Handle a submitted form that asked for a reason."""
        action, why = ACTIONS[meaning.does], views.value_of(delivery.values, names.REASON)
        channel = str(meaning.data.get("channel", ""))
        try:
            require_member(self.context, delivery, action, meaning.fix)
            if meaning.does == names.DENY:
                self.context.fixes.deny(delivery.actor, meaning.fix, meaning.plan_digest, why=why)
                return None
        except TrustError:
            raise
        except TriagebookError as error:
            self.context.refuse(delivery, error, f"{action} {meaning.fix}", channel)
            return None
        finally:
            self.follower.wake()
        return lambda: self._slowly(delivery, meaning, channel, why)

    def _form(self, delivery: Delivery, meaning: Meaning) -> None:
        fix = self.context.fixes.show(delivery.actor, meaning.fix)
        what = change_line(fix.plan) if fix.plan else fix.problem
        host = fix.plan.host if fix.plan else ""
        data = {"channel": delivery.channel, "thread": delivery.thread_ts}
        token = self.modals.token(meaning.does, fix=meaning.fix, plan_digest=meaning.plan_digest, data=data)
        self.modals.open(delivery, FORMS[meaning.does](host, what, token))

    def _details(self, delivery: Delivery, meaning: Meaning) -> None:
        view = self.modals.open(delivery, views.progress_modal(names.DETAILS, "Details"))
        fix = self.context.fixes.show(delivery.actor, meaning.fix)
        if view:
            self.modals.update(view, views.detail_modal("Details", details(fix, {})))

    def _decide(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        fixes, actor = self.context.fixes, delivery.actor
        if meaning.does == names.APPROVE:
            fix = fixes.approve(actor, meaning.fix, meaning.plan_digest)
            if fix.state == "approved" and self._may_apply(delivery, fix):
                return lambda: self._slowly(delivery, meaning, delivery.channel)
            return None
        if meaning.does == names.WITHDRAW:
            fixes.withdraw(actor, meaning.fix)
            return None
        return lambda: self._slowly(delivery, meaning, delivery.channel)

    def _may_apply(self, delivery: Delivery, fix: FixView) -> bool:
        """Tell whether the last approver may also apply the fix: then one click does both, else the card gets an Apply button."""
        policy = self.context.approval_server.policy
        question = question_of_view(fix, "apply")
        return question is not None and may(policy, policy.directory.identify(delivery.actor.account), question).is_allowed

    def _slowly(self, delivery: Delivery, meaning: Meaning, channel: str, why: str = "") -> None:
        """Do what reads or changes the host. The cards show `running` as soon as the database does."""
        fixes, actor = self.context.fixes, delivery.actor
        self.follower.wake()
        try:
            if meaning.does in {names.APPROVE, names.APPLY}:
                fixes.apply(actor, meaning.fix)
            elif meaning.does == names.REVERT:
                fixes.revert(actor, meaning.fix, why, delivery.key)
            elif meaning.does == names.PERSIST:
                fixes.persist(actor, meaning.fix, why, delivery.key)
            else:
                fixes.propose(actor, self._anew(delivery, meaning), delivery.key)
        except TrustError:
            raise
        except TriagebookError as error:
            doing = "apply" if meaning.does == names.APPROVE else ACTIONS[meaning.does]
            self.context.refuse(delivery, error, f"{doing} {meaning.fix}", channel)
        finally:
            self.follower.wake()

    def _anew(self, delivery: Delivery, meaning: Meaning) -> Proposal:
        """Propose again what a stale plan wanted; the host is diagnosed again for it."""
        fix = self.context.fixes.show(delivery.actor, meaning.fix)
        if fix.plan is None:
            raise RefusedError(fix.problem, reason="plan_changed")
        plan = fix.plan
        if plan.action == UNDO or FOLLOWS in plan.parameters:
            raise UsageError("propose a revert or a permanent step from the card of the fix it belongs to", reason="usage")
        runbook = f"{plan.runbook_id}@{plan.runbook_version}"
        inputs = {name: str(value) for name, value in inputs_of(plan).items()}
        return Proposal(plan.host, plan.remediation, runbook, inputs, dict(plan.parameters), plan.culprit, plan.reason)
