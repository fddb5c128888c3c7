"""Answers alerts: notes each, asks the host that it names, keeps the answer. A job that is done twice changes nothing twice."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.alerts.alert import Alert, load
from triagebook.tools.alerts.due import QUIET, begin, has_to_ask, is_news, quiet_problem
from triagebook.tools.alerts.routing import AlertRoute, find_route
from triagebook.tools.alerts.rules import AlertRules
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored_diagnosis import Asker, StoredDiagnosis
from triagebook.tools.faces.permission import PolicyPermission, runbooks_left_out
from triagebook.tools.faces.single_flight import SingleFlight, question_key
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.fixes.views import alert_sentence, alert_view
from triagebook.tools.jobs.worker import Continue
from triagebook.tools.log import log_event
from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.sinks import outbox
from triagebook.tools.sinks.event import EventType, make_event
from triagebook.tools.store import alert_rows, jobs
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.database import Store, Transaction
from triagebook.tools.store.jobs import Job

KIND = "alert"
CHANNEL = "alerts"
WAIT = timedelta(minutes=5)  # for an equal question that is under way
AT_ONCE = 48  # hosts that are asked at the same time
KEPT_AT_ONCE = 4  # answers that are recorded and stored at once: they compute, and who acknowledges an alert waits for them
FAILED = "failed"
UNTOLD = frozenset({"ignored", QUIET})  # nobody wanted to be told of these
Show = Callable[[str], None]


@dataclass
class AlertAnswerer:
    """Does the jobs of alerts. `shows` are told the id of each episode that changed; they read it, and may be told twice."""

    server: ApprovalServer
    rules: AlertRules
    asker: Asker
    arrivals: Store  # where the jobs are
    runbooks: Callable[[], Sequence[str]]  # ID@VERSION of those that are asked where a rule names none
    shows: Sequence[Show] = ()
    _flights: SingleFlight[StoredDiagnosis, StoredDiagnosis] = field(default_factory=SingleFlight)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    _keepers: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(KEPT_AT_ONCE))

    def handle(self, job: Job) -> Continue | None:
        """Note the alert; what is left is to ask the host, where it has to be asked."""
        alert = load(job.body)
        route = find_route(alert, self.rules, self.server.names.inventory)
        is_overtaken = self._is_overtaken(alert)
        with self.server.store.write("alert.note") as transaction:
            alert_rows.hold(transaction, alert.episode)
            before = alert_rows.read(transaction, alert.episode)
            after = self._note(transaction, alert, route, before, is_retry=job.tries > 1)
        log_event(
            "alert.noted",
            source=alert.source,
            alert=alert.name,
            state="resolved" if alert.is_resolved else "firing",
            host=route.host,
            problem=route.problem,
            repeats=after.repeats,
        )
        self._show(after.id)
        if is_overtaken or after.problem == QUIET or not has_to_ask(after, route, alert):
            return None
        return lambda: self._answer(alert, route)

    def give_up(self, job: Job) -> None:
        """Say of an alert that nobody will ask about any more that its host was not asked: it is never dropped without a word."""
        if self.handle(replace(job, tries=max(2, job.tries))) is None:
            return
        alert = load(job.body)
        says = "The host was not asked: the server ended or failed each time it was about to; its log says why."
        self._keep_failure(alert.episode, TriagebookError(says, reason="given_up"))
        self._show(alert.episode)

    def _is_overtaken(self, alert: Alert) -> bool:
        """Tell whether its resolution is here already, so that nobody needs the answer."""
        if alert.is_resolved:
            return False
        with self.arrivals.read() as transaction:
            return jobs.is_known(transaction, KIND, f"{alert.episode}/resolved")

    def _note(
        self, transaction: Transaction, alert: Alert, route: AlertRoute, before: AlertEpisode | None, *, is_retry: bool
    ) -> AlertEpisode:
        now = self.server.clock()
        if before is None:
            first = begin(alert, route, now)
            alert_rows.add(transaction, replace(first, **quiet_problem(transaction, alert, route, first, now)))
        elif alert.is_resolved:
            alert_rows.change(transaction, before.id, last_at=now, resolved_at=before.resolved_at or now)
        elif not is_retry:
            quiet = quiet_problem(transaction, alert, route, before, now) if before.problem == QUIET else {}
            alert_rows.change(transaction, before.id, last_at=now, resolved_at=None, repeats=before.repeats + 1, **quiet)
        after = alert_rows.read(transaction, alert.episode)
        if after is None:  # it was written just now
            raise TrustError("an alert that was just stored is not there", reason="database")
        if before is None and after.problem and after.problem not in UNTOLD:
            self._tell(transaction, "alert.not_asked", after)
        return after

    def _tell(self, transaction: Transaction, kind: EventType, episode: AlertEpisode) -> None:
        """Store an event for the sinks of the alert's rule, in the transaction that changed the alert."""
        rule = next((rule for rule in self.rules.rules if rule.name == episode.rule), None)
        sinks = rule.sinks if rule is not None else tuple(self.rules.sinks)
        now = self.server.clock()
        content: dict[str, Any] = {"alert": to_plain(alert_view(episode))}
        if episode.diagnosis:
            content["answer"] = json.loads(episode.diagnosis)
        values = {"host": episode.host, "status": episode.status, "cause": episode.cause, "headline": alert_sentence(episode)}
        values |= {"source": episode.source, "reference": load(episode.alert).fingerprint}
        outbox.add(transaction, make_event(kind, episode.asks, episode.id, now, **values, content=content), sinks, now)

    def _answer(self, alert: Alert, route: AlertRoute) -> None:
        """Ask the host in the name of the source, and keep what it answered."""
        actor = Actor(Account("alert", "", alert.source), CHANNEL)
        permission = PolicyPermission(self.server)
        try:
            question = self._question(actor, permission, route)
            with self._places:
                ask = partial(self.asker.ask, question)
                found = self._flights.ask(question_key(question), ask, lambda _first: None, WAIT.total_seconds())
            with self._keepers:
                self._keep(alert.episode, found.as_told(permission.record(actor, found.found, found.text)))
        except TrustError:
            raise
        except TriagebookError as error:
            self._keep_failure(alert.episode, error)
        except TimeoutError:
            self._keep_failure(alert.episode, TriagebookError(f"{route.host}: no answer in time", reason="timeout"))
        self._show(alert.episode)

    def _question(self, actor: Actor, permission: PolicyPermission, route: AlertRoute) -> Question:
        """Return what is asked: the rule's runbooks, or all, without those that the policy does not let alerts ask.

        Raises RefusedError: there is none that they may ask.
        """
        target = self.server.names.target(route.host)
        inputs = {"symptom": route.symptom} if route.symptom else {}
        if len(route.runbooks) == 1:
            permission.allow(actor, route.host, route.runbooks[0])
            return Question(target, route.runbooks[0], inputs)
        by_default = self.runbooks()
        wanted = [name for name in by_default if not route.runbooks or _is_named(name, route.runbooks)]
        unwanted = tuple(name.partition("@")[0] for name in by_default if name not in wanted)
        left_out = runbooks_left_out(permission, actor, route.host, wanted)
        return Question(target, "", inputs, left_out=(*unwanted, *left_out))

    def _keep(self, episode_id: str, found: StoredDiagnosis) -> None:
        answer = found.found
        cause = answer.verdict.cause if answer.verdict else ""
        with self.server.store.write("alert.answer") as transaction:
            alert_rows.hold(transaction, episode_id)
            before = alert_rows.read(transaction, episode_id)
            if before is None:
                return
            first = {"cause_at_alert": cause} if not before.asks else {}
            alert_rows.change(
                transaction,
                episode_id,
                answered_at=self.server.clock(),
                asks=before.asks + 1,
                status=answer.status,
                cause=cause,
                headline=answer.headline,
                diagnosis=found.text,
                says="",
                **first,
            )
            after = alert_rows.read(transaction, episode_id)
            if after is not None and is_news(before, after):
                self._tell(transaction, "alert.resolved" if after.resolved_at else "alert.answered", after)
        log_event("alert.answered", host=answer.host.name, status=answer.status, cause=cause, asks=before.asks + 1)

    def _keep_failure(self, episode_id: str, error: TriagebookError) -> None:
        problem = "refused" if isinstance(error, RefusedError) else error.reason
        with self.server.store.write("alert.answer") as transaction:
            alert_rows.hold(transaction, episode_id)
            before = alert_rows.read(transaction, episode_id)
            asks = before.asks + 1 if before else 1
            alert_rows.change(
                transaction,
                episode_id,
                answered_at=self.server.clock(),
                asks=asks,
                status=FAILED,
                problem=problem,
                says=str(error)[:500],
            )
            after = alert_rows.read(transaction, episode_id)
            if before is not None and after is not None and (before.status, before.problem) != (after.status, after.problem):
                self._tell(transaction, "alert.not_asked", after)
        log_event("alert.not_answered", reason=problem, says=error)

    def _show(self, episode_id: str) -> None:
        for show in self.shows:
            show(episode_id)


def _is_named(name: str, named: Sequence[str]) -> bool:
    """Tell whether ID@VERSION is among names that may leave the version out."""
    return name in named or name.partition("@")[0] in named
