"""Dispatches each stored delivery to the flow that handles it, after it was acknowledged."""

from collections.abc import Callable
from dataclasses import replace

from triagebook.bot.slack.cards import names, views
from triagebook.bot.slack.cards.detail import evidence
from triagebook.bot.slack.cards.diagnosis import short_card
from triagebook.bot.slack.cards.help import help_card
from triagebook.bot.slack.cards.wording import Origin
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.decide import ACTIONS, FORMS, DecideFlow
from triagebook.bot.slack.flows.diagnose import DiagnoseFlow
from triagebook.bot.slack.flows.direct import DirectFlow, word_of
from triagebook.bot.slack.flows.feedback import FeedbackFlow
from triagebook.bot.slack.flows.home import HomeFlow
from triagebook.bot.slack.flows.modals import Modals
from triagebook.bot.slack.flows.propose import ProposeFlow
from triagebook.bot.slack.inbound.command import DiagnosisWish, hosts_in, read_command, read_message
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.policy.decide import may, may_vote
from triagebook.tools.policy.model import RULED, PolicyQuestion
from triagebook.tools.store import chat_messages
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.chat_tokens import Meaning
from triagebook.tools.times import rfc3339

Continue = Callable[[], None]
ASK = "ask"  # the meaning of the form without a command


@dataclass(frozen=True)
class Dispatcher:
    """Calls the flow that handles a delivery."""

    context: SlackContext
    diagnose: DiagnoseFlow
    decide: DecideFlow
    propose: ProposeFlow
    home: HomeFlow
    direct: DirectFlow
    modals: Modals
    feedback: FeedbackFlow

    def do(self, delivery: Delivery) -> Continue | None:
        """Handle one delivery. Work that reads a host is returned, for a slow worker to do."""
        try:
            return self._do(delivery)
        except TrustError:
            raise
        except TriagebookError as error:
            self.context.refuse(delivery, error, delivery.name)
            return None

    def on_defect(self, delivery: Delivery) -> None:
        """Tell the person who asked that our defect ended the work on this delivery."""
        error = UsageError("an internal error ended this; the server's log has the details", reason="internal")
        self.context.refuse(delivery, error, delivery.name)

    def _do(self, delivery: Delivery) -> Continue | None:
        if delivery.kind == "command":
            return self._command(delivery)
        if delivery.kind == "direct" and (word := word_of(delivery.text)):
            return lambda: self.direct.answer(delivery, word)
        if delivery.kind in {"mention", "direct"}:
            runbooks = [entry.name for entry in self.context.hosts.catalog.entries()]
            wish = read_message(delivery.text, self.context.names.inventory.hosts, runbooks)
            return self._ask(delivery, wish)
        if delivery.kind == "shortcut":
            return self._shortcut(delivery)
        if delivery.kind == "home":
            return lambda: self.home.on_open(delivery)
        return self._click(delivery)

    def _command(self, delivery: Delivery) -> Continue | None:
        catalog = self.context.hosts.catalog
        runbooks = {name for entry in catalog.entries() for name in (entry.id, entry.name)}
        wish = read_command(delivery.text, self.context.settings.commands.get(delivery.name, ""), runbooks)
        return self._ask(delivery, wish)

    def _ask(self, delivery: Delivery, wish: DiagnosisWish) -> Continue | None:
        if wish.is_help:
            self._help(delivery)
            return None
        if wish.host:
            return self.diagnose.ask(delivery, wish)
        if not delivery.trigger:
            raise UsageError("name a host of the inventory, for example: @triagebook HOST error text", reason="usage")
        self._form(delivery, wish)
        return None

    def _shortcut(self, delivery: Delivery) -> Continue | None:
        """Diagnose the host named in a message, with the message as the symptom. With several or none, open a form."""
        found = hosts_in(delivery.text, self.context.names.inventory.hosts)
        symptom = " ".join(delivery.text.split())[:500]
        if len(found) == 1:
            return self.diagnose.ask(delivery, DiagnosisWish(found[0], inputs={"symptom": symptom}))
        self._form(delivery, DiagnosisWish(found[0] if found else "", inputs={"symptom": symptom}))
        return None

    def _form(self, delivery: Delivery, wish: DiagnosisWish) -> None:
        data = {"channel": delivery.channel, "thread": delivery.thread_ts}
        token = self.modals.token(ASK, data=data)
        symptom = wish.inputs.get("symptom", "")
        self.modals.open(delivery, views.diagnose(self._runbooks(delivery), token, wish.host, symptom))

    def _runbooks(self, delivery: Delivery) -> list[tuple[str, str]]:
        """Return (id, title) of the runbooks, the one that the command means first; "" stands for all together."""
        catalog = self.context.hosts.catalog
        first = self.context.settings.commands.get(delivery.name, "") or self.context.default_runbook()
        ids = dict.fromkeys([*([catalog.find(first).id] if first else []), *(entry.id for entry in catalog.entries())])
        together = [] if first else [(views.ALL, "every runbook, in one look")]
        return [*together, *((name, catalog.load(name).title) for name in ids)]

    def _help(self, delivery: Delivery) -> None:
        policy = self.context.approval_server.display_policy
        identity = policy.directory.identify(delivery.actor.account)
        hosts = self.context.names.inventory.hosts
        runbooks = [(name, title) for name, title in self._runbooks(delivery) if name != views.ALL]
        risks = ("low", "medium", "high")
        scopes = [(host, runbook, risk) for host in list(hosts)[:200] for runbook, _title in runbooks for risk in risks]
        allowed = {
            action
            for action in RULED
            if any(may(policy, identity, PolicyQuestion(action, *scope)).is_allowed for scope in [("", "", ""), *scopes])
        }
        if any(may_vote(policy, identity, PolicyQuestion("approve", *scope), "").is_allowed for scope in scopes):
            allowed.add("approve")
        card = help_card(allowed, delivery.name or f"/{runbooks[0][0]}", runbooks).payload()
        self.context.whisper(delivery, card["text"], card["blocks"])

    def _click(self, delivery: Delivery) -> Continue | None:
        meaning = self._require_meaning(delivery)
        if delivery.kind == "change":
            return self.propose.on_change(delivery, meaning)
        if delivery.kind == "submit":
            return self._submit(delivery, meaning)
        if meaning.does in ACTIONS:
            following = self.decide.on_click(delivery, meaning)
            if delivery.view and not delivery.channel:  # pressed in the home tab, which shows what is no more
                return lambda: self._both(following, delivery)
            return following
        if meaning.does == names.PROPOSE:
            return self.propose.on_click(delivery, meaning)
        if meaning.does == names.RERUN:
            return self._rerun(delivery, meaning)
        if meaning.does in {names.RIGHT, names.WRONG}:
            self.feedback.on_click(delivery, meaning)
            return None
        run, found = self.propose.load(delivery, meaning)
        if meaning.does == names.EVIDENCE:
            card = evidence(diagnoses_of(found)[0]).payload()
            self.context.whisper(delivery, card["text"], card["blocks"])
        elif meaning.does == names.CLOSE:
            self._close(delivery, run, found)
        return None

    def _close(self, delivery: Delivery, run: ChatRun, found: Found) -> None:
        origin = Origin(run.account.rpartition("/")[2], rfc3339(run.started_at))
        with self.context.store.write("chat.close") as transaction:
            data = {"run": run.id, "channel": run.channel}
            tokens = {name: self.context.mint(transaction, name, run.message, data=data) for name in (names.RERUN, names.EVIDENCE)}
            chat_messages.set_desired(transaction, run.message, short_card(found, origin, delivery.user, tokens).payload())
        self.context.sender.wake()

    def _both(self, following: Continue | None, delivery: Delivery) -> None:
        if following is not None:
            following()
        self.home.on_open(delivery)

    def _rerun(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        run = self.propose.run(meaning)
        return self.diagnose.ask(delivery, DiagnosisWish(run.host, run.runbook, run.inputs))

    def _submit(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        channel = str(meaning.data.get("channel", ""))
        if meaning.does == names.PROPOSE:
            return self.propose.on_submit(delivery, meaning)
        if meaning.does == names.WRONG:
            return self.feedback.on_submit(delivery, meaning)
        if meaning.does == ASK:
            wanted = views.read_request(delivery.values)
            place = replace(delivery, channel=channel or delivery.user, thread_ts=str(meaning.data.get("thread", "")))
            runbook = "" if wanted.runbook == views.ALL else wanted.runbook
            return self.diagnose.ask(place, DiagnosisWish(wanted.host, runbook, wanted.inputs))
        if meaning.does not in FORMS:
            raise RefusedError("this form was not made by this server", reason="unknown_button")
        return self.decide.on_submit(delivery, meaning)

    def _require_meaning(self, delivery: Delivery) -> Meaning:
        """Return what the button stands for. Raises RefusedError, recorded: unknown, expired, or of another workspace."""
        meaning = self.context.button_meaning(delivery.token)
        try:
            if meaning is None or (meaning.team and meaning.team != delivery.team):
                raise RefusedError("this button was not made by this server", reason="unknown_button")
            if meaning.expires_at <= self.context.now():
                message = "this button expired after a day: diagnose again, or run `triagebook fix show`"
                raise RefusedError(message, reason="button_expired")
        except RefusedError as error:
            self.context.note(delivery, "press", error, meaning.fix if meaning else "")
            raise
        return meaning
