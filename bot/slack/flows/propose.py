"""Turns the card of a diagnosis into a stored plan: a form with bounds and a preview, then the service."""

from collections.abc import Callable

from triagebook.bot.slack.cards import names, propose, views
from triagebook.bot.slack.cards.propose import Draft, Preview
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.follow import Follower
from triagebook.bot.slack.flows.modals import Modals
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis import stored_diagnosis
from triagebook.tools.faces.permission import PolicyPermission, may_see_all
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.store import chat_messages, chat_runs
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.chat_tokens import Meaning

Continue = Callable[[], None]
TITLE = "Propose a fix"
GONE = "no such diagnosis is stored that you may see: diagnose the host again"


@dataclass(frozen=True)
class ProposeFlow:
    """Handles the form `Propose fix…`."""

    context: SlackContext
    follower: Follower
    modals: Modals

    def on_click(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Open the form at once, then show what would be changed."""
        view = self.modals.open(delivery, views.progress_modal(names.PROPOSE_VIEW, TITLE))
        try:
            _run, found = self.load(delivery, meaning)
            token = self.modals.token(names.PROPOSE, data=dict(meaning.data))
            form = propose.form(propose.join_offers(found), token)
        except (TriagebookError, ValueError) as error:
            if isinstance(error, TrustError):
                raise
            self.modals.update(view, views.refusal_modal(names.PROPOSE_VIEW, TITLE, str(error)))
            return None
        self.modals.update(view, form)
        return lambda: self.preview(delivery, found, token, Draft(), view)

    def on_change(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Show what would be changed now that a field has another value."""
        _run, found = self.load(delivery, meaning)
        draft = propose.read_draft(delivery.values)
        return lambda: self.preview(delivery, found, delivery.token, draft, delivery.view)

    def preview(self, delivery: Delivery, found: Found, token: str, draft: Draft, view: str) -> None:
        """Ask the renderer, which may read the host, and show the change."""
        try:
            diagnosis, offer = propose.offers_of(found)[draft.offer]
            made = self.context.fixes.preview(delivery.actor, diagnosis, offer.id, offer.culprit, dict(draft.parameters or {}))
            shown = Preview(made)
        except IndexError:
            shown = Preview(problem="this offer is no longer available: diagnose the host again")
        except TrustError:
            raise
        except TriagebookError as error:
            shown = Preview(problem=str(error))
        self.modals.update(view, propose.form(propose.join_offers(found), token, draft, shown))

    def problems(self, delivery: Delivery) -> dict[str, str]:
        """Return the errors of a submission by field. The service checks everything again."""
        meaning = self.context.button_meaning(delivery.token)
        if meaning is None:
            return {}
        try:
            _run, found = self.load(delivery, meaning)
        except TriagebookError:
            return {}
        return propose.errors(propose.join_offers(found), propose.read_draft(delivery.values))

    def on_submit(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Propose the fix. Its card appears in the approvals channel and below the diagnosis."""
        return lambda: self._propose(delivery, meaning)

    def _propose(self, delivery: Delivery, meaning: Meaning) -> None:
        context, channel = self.context, str(meaning.data.get("channel", ""))
        draft = propose.read_draft(delivery.values)
        try:
            run, found = self.load(delivery, meaning)
            offers = propose.offers_of(found)
            if draft.offer >= len(offers):
                raise UsageError("this offer is no longer available: diagnose the host again", reason="plan")
            diagnosis, offer = offers[draft.offer]
            runbook = run.runbook or f"{diagnosis.runbook.id}@{diagnosis.runbook.version}"
            told = run.inputs if run.runbook or diagnosis.symptom else {k: v for k, v in run.inputs.items() if k != "symptom"}
            proposal = Proposal(run.host, offer.id, runbook, told, dict(draft.parameters or {}), offer.culprit, draft.reason)
            fix = context.fixes.propose(delivery.actor, proposal, delivery.key)
        except TrustError:
            raise
        except TriagebookError as error:
            context.refuse(delivery, error, "propose a fix", channel)
            return
        with context.store.read() as transaction:
            card = chat_messages.read(transaction, run.message)
        if card is not None:
            self.follower.show(fix.id, card.channel, parent=card.id)
        self.follower.wake()
        context.sender.wake()

    def load(self, delivery: Delivery, meaning: Meaning) -> tuple[ChatRun, Found]:
        """Return the run behind a card and its answer, if this account may still see the host."""
        run = self.run(meaning)
        if not run.diagnosis:
            raise UsageError(GONE, reason="not_found")
        found = stored_diagnosis.load(run.diagnosis)
        if not may_see_all(PolicyPermission(self.context.approval_server), delivery.actor, found):
            raise UsageError(GONE, reason="not_found")
        return run, found

    def run(self, meaning: Meaning) -> ChatRun:
        """Return the run behind a card. Raises UsageError: it is no longer stored."""
        with self.context.store.read() as transaction:
            run = chat_runs.read(transaction, str(meaning.data.get("run", "")))
        if run is None:
            raise UsageError(GONE, reason="not_found")
        return run
