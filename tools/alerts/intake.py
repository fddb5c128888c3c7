"""Receives alerts over HTTP: `POST /alerts/SOURCE`. It answers 202 only when every alert of the delivery is stored.

A sender repeats what was answered with 503, and gives up what was answered with 400: so our own trouble is a 503, and a body
that no later delivery would mend is a 400 that says what is wrong.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.alerts.alert import Alert, AlertBatch
from triagebook.tools.alerts.answer import KIND
from triagebook.tools.alerts.credentials import Proofs
from triagebook.tools.alerts.rules import AlertRules, AlertSource
from triagebook.tools.alerts.sender import parse_body
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.log import log_event
from triagebook.tools.server.asgi import Receive, Scope, Send, answer, answer_lifespan, read_body
from triagebook.tools.server.client_certificate import CLIENT_NAMES
from triagebook.tools.server.log_interval import LogInterval
from triagebook.tools.store.jobs import NewJob

PATH = "/alerts/"
MOST_BODY = 1 << 20
SAME = timedelta(minutes=5)  # a delivery that comes again within it is the same; later it is a repetition of the alert
BEGIN_WITHIN = timedelta(hours=6)  # after it nobody waits for the answer any more
LATEST = timedelta(hours=1)  # of a signed delivery that says when it was sent
AHEAD = timedelta(minutes=5)
THREADS = 16  # they wait for the disk together: what arrives during a commit is in the next one
LOGGED_AT_ONCE = 20  # refusals; then one a second, so that no stranger floods the log
UNPROVEN = "the secret is missing or wrong"
Reply = tuple[int, Mapping[str, object]]


class Intake:
    """The ASGI application. It proves the sender by the headers before it takes the body, or by the body before it parses it."""

    def __init__(self, rules: AlertRules, worker: JobWorker, clock: Callable[[], datetime]) -> None:
        self._rules, self._worker, self._clock = rules, worker, clock
        self._pool = ThreadPoolExecutor(THREADS, "alerts-http")
        self._refusal_interval = LogInterval(at_once=LOGGED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer lifespan events and POSTs of the sources; refuse everything else."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await _reply(send, (404, {"error": f"there is {PATH}SOURCE only"}))
        elif scope["method"] != "POST":
            await _reply(send, (405, {"error": "alerts are posted"}))
        else:
            await _reply(send, await self._take(scope, receive))

    async def _take(self, scope: Scope, receive: Receive) -> Reply:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        proofs = Proofs(headers, scope.get("state", {}).get(CLIENT_NAMES, frozenset()))
        source = self._rules.sources.get(scope["path"].removeprefix(PATH))
        if source is None or not source.credential.may_hold(proofs):
            return self._refuse(source, 401, UNPROVEN)
        body = await read_body(receive, MOST_BODY)
        if body is None:
            return self._refuse(source, 413, f"a body has at most {MOST_BODY} bytes")
        if not source.credential.holds(proofs, body):
            return self._refuse(source, 401, UNPROVEN)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.store, source, body)

    def _refuse(self, source: AlertSource | None, status: int, says: str) -> Reply:
        """Refuse a request of which nothing was read. Who proves nothing learns nothing: not even which sources there are."""
        if self._refusal_interval.is_over():
            log_event("alert.refused", source=source.name if source else "unknown", status=status, says=says)
        return status, {"error": says}

    def store(self, source: AlertSource, body: bytes) -> Reply:
        """Store the alerts of a proven sender's delivery, all of them or none."""
        try:
            batch = source.sender.read(parse_body(body), source.name, source.options)
            self.require_recent(batch)
        except UsageError as error:
            log_event("alert.refused", source=source.name, status=400, says=error)
            return 400, {"error": str(error)}
        try:
            new = self._worker.accept_batch([self.job_of(alert) for alert in batch.alerts]) if batch.alerts else 0
        except TrustError as error:
            log_event("alert.not_stored", source=source.name, alerts=len(batch.alerts), says=error)
            return 503, {"error": "not stored: send it again"}
        log_event("alert.received", source=source.name, alerts=len(batch.alerts), new=new, left_out=batch.left_out)
        return 202, {"alerts": len(batch.alerts), "new": new}

    def require_recent(self, batch: AlertBatch) -> None:
        """Refuse a signed delivery that is kept back or replayed. Raises UsageError `alert_body`."""
        if not batch.sent_at:
            return
        age = self._clock() - datetime.fromisoformat(batch.sent_at)
        if not -AHEAD <= age <= LATEST:
            raise UsageError(f"sent at {batch.sent_at}: later than {LATEST} or ahead of this server's clock", reason="alert_body")

    def job_of(self, alert: Alert) -> NewJob:
        """Return the job of an alert: begun at once, or after the hold of its rule."""
        rule = self._rules.first(alert)
        is_held = rule is not None and not alert.is_resolved and not alert.is_critical
        hold = rule.hold if rule is not None and is_held else timedelta()
        return NewJob(KIND, alert.key, alert.dump(), alert.episode, BEGIN_WITHIN + hold, SAME, hold)


async def _reply(send: Send, reply: Reply) -> None:
    status, content = reply
    await answer(send, status, json.dumps(content).encode(), "application/json")
