"""Publishes the home tab: fixes waiting for this person, own diagnoses, locked hosts, state of the audit log."""

import threading
from dataclasses import field
from datetime import datetime, timedelta

from triagebook.bot.slack.cards import names
from triagebook.bot.slack.cards.home import Health, PendingFix, RecentRun, home
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools.fixes.audit_log import READ
from triagebook.tools.fixes.views import FixView, question_of_view
from triagebook.tools.policy.decide import may, may_vote
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.store import chat_runs
from triagebook.tools.times import rfc3339

MOST = 20
CHECKED_AGAIN = timedelta(minutes=10)  # reading the whole log is work


@dataclass
class HomeFlow:
    """Publishes the home tab of the person who opens it."""

    context: SlackContext
    _health: Health = field(default_factory=Health)
    _checked_at: datetime | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def on_open(self, delivery: Delivery) -> None:
        """Build and publish the tab. After a failure the person opens it again."""
        context, actor = self.context, delivery.actor
        try:
            waiting = self.pending_fixes(delivery)
            locks = context.fixes.locks(actor)
        except TrustError:
            raise
        except TriagebookError:
            return
        with context.store.read() as transaction:
            found = chat_runs.of_account(transaction, str(actor.account), MOST)
        runs = [RecentRun(run.host, run.status or "running", run.headline or "under way", rfc3339(run.started_at)) for run in found]
        view = home(waiting, runs, locks, self._audit_health(delivery))
        try:
            call(context.client.views_publish, user_id=delivery.user, view=view)
        except (RetryLater, CannotSend):
            return

    def pending_fixes(self, delivery: Delivery) -> list[PendingFix]:
        """Return the fixes that this person may decide on, with their buttons."""
        fixes = self.context.fixes
        open_fixes = [fixes.view_for_channel(fix.id) for fix in fixes.list(delivery.actor, state="proposed")]
        return [item for fix in open_fixes if (item := self._pending_fix(delivery, fix))]

    def _pending_fix(self, delivery: Delivery, fix: FixView | None) -> PendingFix | None:
        """Return a fix that this account may decide on, with its buttons; else None."""
        policy = self.context.approval_server.display_policy
        question = question_of_view(fix, "approve") if fix is not None else None
        if fix is None or fix.plan is None or question is None:
            return None
        identity = policy.directory.identify(delivery.actor.account)
        if not may_vote(policy, identity, question, fix.plan.requester).is_allowed:
            return None
        with self.context.store.write("chat.token") as transaction:
            place = f"home-{fix.id}"
            tokens = {
                name: self.context.mint(transaction, name, place, fix=fix.id, plan_digest=fix.digest)
                for name in (names.APPROVE, names.DENY, names.DETAILS)
            }
        return PendingFix(fix, tokens)

    def _audit_health(self, delivery: Delivery) -> Health:
        """Return the state of the audit log for a person who may read it; it is verified again after a while."""
        policy, now = self.context.approval_server.policy, self.context.now()
        if not may(policy, policy.directory.identify(delivery.actor.account), PolicyQuestion(READ)).is_allowed:
            return Health()
        with self._guard:
            if self._checked_at is None or now - self._checked_at > CHECKED_AGAIN:
                try:
                    report = self.context.fixes.audit_verify(delivery.actor)
                except UsageError:  # somebody else has it verified just now: the tab says what is known until then
                    return self._health
                self._health, self._checked_at = Health(report, rfc3339(now)), now
            return self._health
