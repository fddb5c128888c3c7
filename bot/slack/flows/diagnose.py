"""A diagnosis for a channel: one card, edited from running to verdict, with the detail in its thread."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from triagebook.bot.slack.cards import names
from triagebook.bot.slack.cards.diagnosis import failure_card, progress_card, verdict
from triagebook.bot.slack.cards.wording import Origin
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.storm import Storm
from triagebook.bot.slack.flows.thread import again, below
from triagebook.bot.slack.inbound.command import DiagnosisWish, parse_inputs
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.sender import INSTEAD
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.diagnosis.question import Question, check_inputs
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.faces.permission import DiagnosisPermission, PolicyPermission, runbooks_left_out
from triagebook.tools.faces.single_flight import SingleFlight, question_key
from triagebook.tools.fixes import view
from triagebook.tools.inventory.target import CASE
from triagebook.tools.store import chat_messages, chat_runs
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

CARD = "diagnosis"
TOGETHER = "all runbooks"
SAME = timedelta(minutes=30)  # within it, the same host in the same channel has one card a cause
STUCK = timedelta(minutes=5)  # a run that did not end by then never will
FEW = 4  # of the workers write and draw at once: the rest wait, so that who acknowledges is not one of seventy that want to run
FACE = frozenset(["host_name", "inventory", "no_inventory", "rate_limit"])  # what the services never hear of
Continue = Callable[[], None]


@dataclass(frozen=True)
class _RunUnderWay:
    """What a request became: a run of its own, with its own card or as a repetition below an earlier one."""

    run: ChatRun
    earlier: ChatRun | None = None
    is_storm: bool = False


@dataclass
class DiagnoseFlow:
    """Asks hosts for people in channels."""

    context: SlackContext
    storm: Storm
    limits: RateLimits = field(default_factory=lambda: RateLimits(burst=30, a_second=0.5))
    _flights: SingleFlight[StoredDiagnosis, StoredDiagnosis] = field(default_factory=SingleFlight)
    _few: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(FEW))

    @property
    def _permission(self) -> DiagnosisPermission:
        return PolicyPermission(self.context.approval_server)

    def ask(self, delivery: Delivery, wish: DiagnosisWish) -> Continue | None:
        """Check the request, then leave the diagnosis to a slow worker. A refusal is shown only to the person who asked."""
        try:
            host, question = self._check(delivery, wish)
        except TriagebookError as error:
            if error.reason in FACE and not isinstance(error, RefusedError):  # the service records what it refuses
                self.context.note(delivery, "diagnose", error)
            self.context.refuse(delivery, error, f"diagnose {wish.host}")
            return None
        return lambda: self._run(delivery, host, question)

    def _check(self, delivery: Delivery, wish: DiagnosisWish) -> tuple[str, Question]:
        context = self.context
        host = wish.host
        context.names.require_form(host)
        if CASE.fullmatch(host):
            raise UsageError(f"{host}: here only names of the inventory may be asked about", reason="host_name")
        wanted, inputs = wish.runbook or context.default_runbook(), parse_inputs(wish.inputs)
        name = context.hosts.catalog.find(wanted).name if wanted else ""
        question = Question(context.names.target(host), name, inputs)
        if name:
            check_inputs(context.hosts.catalog.load(name), question)
            self._permission.allow(delivery.actor, host, name)
        else:
            names = [item.runbook.name for item in context.hosts.runbooks_for(question)]
            left_out = runbooks_left_out(self._permission, delivery.actor, host, names)
            question = replace(question, left_out=left_out)
        context.names.require(host, lambda name: view.may_see(context.approval_server, delivery.actor, name, ""))
        self.limits.take(str(delivery.actor.account))
        return host, question

    def _run(self, delivery: Delivery, host: str, question: Question) -> None:
        context = self.context
        origin = Origin(delivery.user, rfc3339(context.now()))
        with self._few:
            begun = self._begin(delivery, host, question, origin)
        self._show(begun)
        if begun.run.ended_at is not None:  # done before the worker that did it could say so
            return
        try:
            found = self._answer(question, begun, origin)
            with self._few:
                found = found.as_told(self._permission.record(delivery.actor, found.found, found.text))
                self._finish(delivery, begun, found, origin)
        except TrustError:
            raise
        except TriagebookError as error:
            self._fail(begun, host, error, origin)
        except Exception:
            self._fail(
                begun, host, UsageError("this failed here, not on the host; the server's log says where", reason="internal"), origin
            )
            raise
        finally:
            self._show(begun)

    def _begin(self, delivery: Delivery, host: str, question: Question, origin: Origin) -> _RunUnderWay:
        context, now = self.context, self.context.now()
        run_id = hashlib.sha256(delivery.key.encode()).hexdigest()[:24]
        person = context.person_of(delivery.actor.account)
        run = ChatRun(
            run_id,
            person,
            str(delivery.actor.account),
            delivery.channel,
            host,
            question.runbook,
            run_id,
            now,
            inputs={name: str(value) for name, value in question.inputs.items()},
        )
        with context.store.write("chat.run") as transaction:
            chat_runs.hold(transaction, delivery.channel)
            before = chat_runs.read(transaction, run_id)
            if before is not None:  # taken over from a worker that died
                return _RunUnderWay(before, is_storm=self.storm.is_one(transaction, before.message))
            earlier = self._earlier(transaction, delivery.channel, host, question.runbook)
            if earlier is not None:
                run = replace(run, message="")
                chat_runs.add(transaction, run)
                text = f"Asked again by <@{delivery.user}>: looking anew."
                again = Message(run_id, "again", run_id, delivery.channel, {"text": text}, parent=earlier.message)
                chat_messages.add(transaction, again, now)
                return _RunUnderWay(run, earlier)
            storm = self.storm.table_for(transaction, run)
            if storm:
                run = replace(run, message=storm)
                chat_runs.add(transaction, run)
                return _RunUnderWay(run, is_storm=True)
            chat_runs.add(transaction, run)
            content = progress_card(host, question.runbook or TOGETHER, origin).payload() | {INSTEAD: delivery.user}
            card = Message(run_id, CARD, run_id, delivery.channel, content, thread_ts=delivery.thread_ts)
            chat_messages.add(transaction, card, now)
        return _RunUnderWay(run)

    def _earlier(self, transaction: Transaction, channel: str, host: str, runbook: str, cause: str = "") -> ChatRun | None:
        """The run whose card this one belongs below: recent, on its way or ended, and shown."""
        now = self.context.now()
        found = chat_runs.newest(transaction, channel, host, runbook, now - SAME, cause)
        if found is None or (found.ended_at is None and found.started_at <= now - STUCK):
            return None
        card = chat_messages.read(transaction, found.message)
        return None if card is None or card.problem else found

    def _answer(self, question: Question, begun: _RunUnderWay, origin: Origin) -> StoredDiagnosis:
        """Return the answer. Equal requests meanwhile share it, and each card shows the first verdict at once."""

        def show_first(first: StoredDiagnosis) -> None:
            self._first(begun, first, origin)

        ask = self.context.asker.ask
        return self._flights.ask(question_key(question), partial(ask, question), show_first, STUCK.total_seconds())

    def _first(self, begun: _RunUnderWay, found: StoredDiagnosis, origin: Origin) -> None:
        if begun.earlier is None and not begun.is_storm:
            first = verdict(found.found, origin, {}, "A second look is being taken.")
            self.context.want(begun.run.message, first.payload() | {INSTEAD: origin.by})

    def _finish(self, delivery: Delivery, begun: _RunUnderWay, answer: StoredDiagnosis, origin: Origin) -> None:
        context, run, earlier, found = self.context, begun.run, begun.earlier, answer.found
        thread = [] if begun.is_storm or earlier is not None else list(below(run, answer))  # made before the database waits
        cause = found.verdict.cause if found.verdict and found.verdict.may_be_why else found.status
        values = {"cause": cause, "status": found.status, "headline": found.headline, "diagnosis": answer.text}
        with context.store.write("chat.run") as transaction:
            chat_runs.hold(transaction, run.channel)
            now = context.now()
            if earlier is not None and not self._is_same(transaction, earlier, cause):  # perhaps of another card by now
                earlier = self._earlier(transaction, run.channel, run.host, run.runbook, cause) or earlier
            if begun.is_storm:
                chat_runs.end(transaction, run.id, now, **values)
            elif earlier is not None and self._is_same(transaction, earlier, cause):
                chat_runs.end(transaction, earlier.id, now, **values)
                chat_runs.end(transaction, run.id, now, **values)
                count = chat_runs.count_repeat(transaction, earlier.id)
                chat_messages.set_desired(transaction, earlier.message, self._card(transaction, earlier, found, origin))
                chat_messages.set_desired(transaction, run.id, again(delivery.user, cause, count))
            elif earlier is not None:  # another matter by now: a card of its own
                chat_runs.end(transaction, run.id, now, **values, message=f"{run.id[:20]}.new")
                card = replace(run, message=f"{run.id[:20]}.new")
                content = self._card(transaction, card, found, origin)
                chat_messages.add(
                    transaction,
                    Message(card.message, CARD, run.id, run.channel, content, thread_ts=delivery.thread_ts),
                    now,
                )
                chat_messages.set_desired(
                    transaction, run.id, {"text": f"Asked again by <@{delivery.user}>: something else by now."}
                )
                self._add(transaction, below(card, answer))
            else:
                chat_runs.end(transaction, run.id, now, **values)
                chat_messages.set_desired(transaction, run.message, self._card(transaction, run, found, origin))
                self._add(transaction, thread)

    def _show(self, begun: _RunUnderWay) -> None:
        if begun.is_storm:
            self.storm.refresh(begun.run.message)
        else:
            self.context.sender.wake()

    def _is_same(self, transaction: Transaction, earlier: ChatRun, cause: str) -> bool:
        """The earlier run as it is now; one still under way will say the same, since it shares the answer."""
        present = chat_runs.read(transaction, earlier.id)
        return present is None or present.ended_at is None or present.cause == cause

    def _fail(self, begun: _RunUnderWay, host: str, error: TriagebookError, origin: Origin) -> None:
        run = begun.run
        with self.context.store.write("chat.run") as transaction:
            chat_runs.end(transaction, run.id, self.context.now(), cause=error.reason, status="failed", headline=str(error)[:500])
            if not begun.is_storm:
                tokens = {names.RERUN: self.context.mint(transaction, names.RERUN, run.id, data={"run": run.id})}
                shown = failure_card(host, str(error), error.reason, origin, tokens).payload()
                chat_messages.set_desired(transaction, run.id, shown)

    def _card(self, transaction: Transaction, run: ChatRun, found: Found, origin: Origin) -> Mapping[str, Any]:
        diagnoses = diagnoses_of(found)
        wanted = [
            names.RERUN,
            names.CLOSE,
            *((names.RIGHT, names.WRONG) if found.status != "unreachable" else ()),
            *([names.EVIDENCE] if diagnoses[0].facts else []),
            *([names.PROPOSE] if any(item.remediations for item in diagnoses) else []),
        ]
        data = {"run": run.id, "channel": run.channel}
        tokens = {name: self.context.mint(transaction, name, run.message, data=data) for name in wanted}
        return verdict(found, origin, tokens).payload() | {INSTEAD: origin.by}

    def _add(self, transaction: Transaction, messages: Iterable[Message]) -> None:
        for message in messages:
            chat_messages.add(transaction, message, self.context.now())
