"""Shows alerts in channels: one card each, edited as the alert and its answer change; one table where they are many."""

import json
import threading
from dataclasses import field, replace

from triagebook.bot.slack.cards import names
from triagebook.bot.slack.cards.alert import alert_card, news_card
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.storm import Storm
from triagebook.bot.slack.flows.thread import below
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.triage import diagnoses_of
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis, read_stored
from triagebook.tools.fixes.views import alert_view
from triagebook.tools.store import alert_rows, chat_messages, chat_runs
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.database import Transaction

CARD = "diagnosis"
UNSHOWN = frozenset({"ignored", "no_rule", "quiet"})  # nobody asked for these


@dataclass
class AlertCards:
    """Brings the card of an alert to what the database says of it. It may be called again at any time, on any replica."""

    context: SlackContext
    storm: Storm
    _turn: threading.Lock = field(default_factory=threading.Lock)  # cards of a channel are written one after the other anyway

    def show(self, episode_id: str) -> None:
        """Show an alert in the channel of its rule, or in that of alerts; nothing where there is none."""
        with self.context.store.read() as transaction:
            channel = self._channel(alert_rows.read(transaction, episode_id))
        if not channel:
            return
        table = ""
        with self._turn, self.context.store.write("chat.alert") as transaction:
            chat_runs.hold(transaction, channel)
            episode = alert_rows.read(transaction, episode_id)  # as it is now, after waiting for its turn
            if episode is not None and self._channel(episode):
                table = self._write(transaction, episode, channel)
        if table:
            self.storm.refresh(table)
        self.context.sender.wake()

    def _channel(self, episode: AlertEpisode | None) -> str:
        """Return where an alert is shown; empty: nowhere."""
        if episode is None or episode.problem in UNSHOWN:
            return ""
        return episode.channel or self.context.settings.alerts

    def _write(self, transaction: Transaction, episode: AlertEpisode, channel: str) -> str:
        """Bring the run of an alert and its card up to date. Returns the table that shows it instead, if one does."""
        run = chat_runs.read(transaction, episode.id[:24]) or self._begin(transaction, episode, channel)
        is_table = self.storm.is_one(transaction, run.message)
        self._end(transaction, episode, run)
        if not is_table:
            self._set_card(transaction, episode, run)
            self._say_news(transaction, episode, run)
        return run.message if is_table else ""

    def _begin(self, transaction: Transaction, episode: AlertEpisode, channel: str) -> ChatRun:
        """Keep the run that the card's buttons are about, and its card, or the table that it belongs to."""
        account = f"alert:{episode.source}"
        run_id = episode.id[:24]
        run = ChatRun(run_id, account, account, channel, episode.host or episode.name, "", run_id, self.context.now())
        alert = json.loads(episode.alert)
        symptom = alert.get("annotations", {}).get("symptom") or alert.get("labels", {}).get("symptom", "")
        run = replace(run, inputs={"symptom": symptom} if symptom else {})
        table = self.storm.table_for(transaction, run)
        if table:
            run = replace(run, message=table)
        else:
            chat_messages.add(transaction, Message(run_id, CARD, run_id, channel, {}, wanted=0), self.context.now())
        chat_runs.add(transaction, run)
        return run

    def _end(self, transaction: Transaction, episode: AlertEpisode, run: ChatRun) -> None:
        if episode.answered_at is None and not episode.problem:
            return
        status, cause = _outcome(episode)
        values = {"status": status, "cause": cause, "diagnosis": episode.diagnosis, "headline": episode.headline or episode.says}
        chat_runs.end(transaction, run.id, self.context.now(), **values)

    def _set_card(self, transaction: Transaction, episode: AlertEpisode, run: ChatRun) -> None:
        """Set what the card says, unless it says it already."""
        mark = f"{episode.asks}/{episode.repeats}/{episode.resolved_at or ''}/{episode.problem}"
        card = chat_messages.read(transaction, run.message)
        if card is None or card.mark == mark:
            return
        answer = read_stored(episode.diagnosis) if episode.diagnosis else None
        tokens = self._tokens(transaction, run, answer)
        content = alert_card(alert_view(episode), answer.found if answer else None, tokens).payload()
        chat_messages.set_desired(transaction, run.message, content, mark=mark)
        if answer is not None and episode.asks == 1 and episode.resolved_at is None and not episode.repeats:
            for message in below(run, answer):
                chat_messages.add(transaction, message, self.context.now())

    def _say_news(self, transaction: Transaction, episode: AlertEpisode, before: ChatRun) -> None:
        """Say below the card what an edit of it shows to nobody: another verdict, or a cause that outlived its alert."""
        alert = alert_view(episode)
        is_other = (before.status, before.cause) != _outcome(episode) and episode.resolved_at is None
        if episode.asks < 2 or not episode.diagnosis or before.ended_at is None or not (is_other or alert.is_cause_still_there):
            return
        told = news_card(alert).payload()
        name = f"{before.message[:20]}.news{episode.asks}"
        message = Message(name, "detail", before.id, before.channel, told, parent=before.message)
        chat_messages.add(transaction, message, self.context.now())

    def _tokens(self, transaction: Transaction, run: ChatRun, answer: StoredDiagnosis | None) -> dict[str, str]:
        if answer is None:
            return {}
        diagnoses = diagnoses_of(answer.found)
        wanted = [names.RERUN, *([names.EVIDENCE] if diagnoses[0].facts else [])]
        wanted += [names.PROPOSE] if any(item.remediations for item in diagnoses) else []
        data = {"run": run.id, "channel": run.channel}
        return {name: self.context.mint(transaction, name, run.message, data=data) for name in wanted}


def _outcome(episode: AlertEpisode) -> tuple[str, str]:
    """Return the status and the cause by which the run of an alert is kept; where there is no cause, why there is none."""
    return episode.status or "failed", episode.cause or episode.problem or episode.status
