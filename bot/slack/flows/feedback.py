"""Handles the question below an answer: was it right? What was wrong becomes the draft of a case of its runbook."""

from collections.abc import Callable

from triagebook.bot.slack.cards import names, views
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.modals import Modals
from triagebook.bot.slack.flows.propose import ProposeFlow
from triagebook.bot.slack.inbound.command import parse_inputs
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.recording import plain_facts, record_case
from triagebook.tools.diagnosis.stored_diagnosis import redact_plain
from triagebook.tools.fixes.feedback import RIGHT, WRONG
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.chat_tokens import Meaning

Continue = Callable[[], None]


@dataclass(frozen=True)
class FeedbackFlow:
    """Records the word of whoever may see the answer. It changes no card: what one person says is not everybody's."""

    context: SlackContext
    propose: ProposeFlow
    modals: Modals

    def on_click(self, delivery: Delivery, meaning: Meaning) -> None:
        """Record `right`; of `wrong` ask first what it was."""
        _run, found = self.propose.load(delivery, meaning)
        if meaning.does == names.RIGHT:
            self.context.fixes.give_feedback(delivery.actor, found.id, RIGHT)
            self.context.whisper(delivery, f"Noted: the answer about {found.host.name} was right.")
            return
        data = {**meaning.data, "answer": found.id, "channel": delivery.channel}
        form = views.wrong(found.host.name, found.headline, self.modals.token(names.WRONG, data=data))
        self.modals.open(delivery, form)

    def on_submit(self, delivery: Delivery, meaning: Meaning) -> Continue | None:
        """Record `wrong` and what it was; then the host is read once more, for the draft of a case."""
        channel, answer = str(meaning.data.get("channel", "")), str(meaning.data.get("answer", ""))
        run, found = self.propose.load(delivery, meaning)
        it_was = views.value_of(delivery.values, names.REASON)
        try:
            given = self.context.fixes.give_feedback(delivery.actor, answer, WRONG, it_was)
        except TrustError:
            raise
        except TriagebookError as error:
            self.context.refuse(delivery, error, "feedback", channel)
            return None
        if given.has_case:  # the first one stays: the host is not read again for each that says so
            self.context.whisper(delivery, _draft_sentence(answer), channel=channel)
            return None
        return lambda: self._draft(delivery, run, found, answer, it_was, channel)

    def _draft(self, delivery: Delivery, run: ChatRun, found: Found, answer: str, it_was: str, channel: str) -> None:
        host = found.host.name
        try:
            self.context.fixes.keep_case(delivery.actor, answer, self._case(run, found, it_was))
            said = _draft_sentence(answer)
        except TrustError:
            raise
        except TriagebookError as error:
            by_hand = f"triagebook runbook record {host} FILE"
            said = f"Noted: it was wrong. No draft of a case could be made of {host} ({error}). By hand: {by_hand}"
        self.context.whisper(delivery, said, channel=channel)

    def _case(self, run: ChatRun, found: Found, it_was: str) -> str:
        """Return the case of the runbook that the first sentence was of, with the facts of now. Raises TriagebookError."""
        first = diagnoses_of(found)[0]
        runbook = f"{first.runbook.id}@{first.runbook.version}"
        told = run.inputs if run.runbook or first.symptom else {k: v for k, v in run.inputs.items() if k != "symptom"}
        inputs = parse_inputs(told)
        seen = self.context.hosts.diagnose(Question(self.context.names.target(run.host), runbook, inputs, samples=2))
        if not seen.history:
            raise UsageError(f"it could not be read now: {seen.diagnosis.headline}", reason="login")
        facts = [redact_plain(step) for step in plain_facts(seen)]
        about = f"Said to be wrong, so correct what it expects. It was: {it_was}. The answer was: {found.headline}"
        return record_case(facts, redact_plain(to_plain(seen.diagnosis)), about=about, symptom=str(inputs.get("symptom", "")))


def _draft_sentence(answer: str) -> str:
    return f"Noted: it was wrong. A draft of a case is kept: triagebook feedback case {answer} FILE"
