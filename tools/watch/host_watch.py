"""Watches one host: keeps a session open, samples it when due or asked, and opens a new session when it breaks.

One thread drives it, so the session has one owner; others put a WatchRequest into its queue. A session that
merely goes silent is kept: on a host where nothing can fork it is the only one there will be.
"""

import queue
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from triagebook.runbooks.engine.conclude import unreachable_headline
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import LoginResult
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.collector.collect import HostReader
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.triage_run import histories_of, parse_from
from triagebook.tools.log import log_event
from triagebook.tools.times import rfc3339
from triagebook.tools.transport.base import LoginFailed
from triagebook.tools.watch.observation import Observation, WatchCost, WatchUpdate
from triagebook.tools.watch.session_requests import answer
from triagebook.tools.watch.watched_runbook import RunbookWatch, WatchedRunbook, WatchedSample, first_sentence, forget, order

CPU_SHARE = 0.001  # of one CPU of the host: what a watch may cost, unless more is allowed
SLOWEST_S = 60.0  # but a host in trouble is not left unseen for longer
KEEPALIVE_S = 5.0  # the host's keepalives are answered at least this often
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
SILENT_SAMPLES = 3  # so many that did not come, and a second session is tried beside the first
MOST_REQUESTS = 16


@dataclass
class WatchRequest:
    """A request to the open session, as the listener read it; the answer goes into `reply`."""

    request: Mapping[str, Any]
    reply: "queue.Queue[Mapping[str, object]]" = field(default_factory=lambda: queue.Queue(1))


class HostWatch:
    """Runs the watch of one host. `connect` opens a session and takes its first sample; `emit` gets each WatchUpdate."""

    def __init__(
        self,
        host: str,
        runbooks: Sequence[WatchedRunbook],
        connect: Callable[[], HostReader],
        emit: Callable[[WatchUpdate], None],
        *,
        every_s: float,
        now: Callable[[], datetime],
        cpu_share: float = CPU_SHARE,
    ) -> None:
        self.host, self.every_s, self._cpu_share = host, every_s, cpu_share
        self._watched = tuple(RunbookWatch(watched) for watched in runbooks)
        self.runbooks = [watched.runbook for watched in runbooks]
        self.kinds = lookups.kinds_to_collect(self.runbooks)
        alone = (lookups.kinds_to_collect([runbook]) for runbook in self.runbooks)
        self._answers = tuple(dict.fromkeys([self.kinds, *alone]))  # the questions that this session can answer
        self.requests: queue.Queue[WatchRequest | None] = queue.Queue(MOST_REQUESTS)
        self.collection: HostReader | None = None
        self._connect, self._emit, self._now = connect, emit, now
        self._number = self._silent = 0
        self._retry_s, self._cpu_ms, self._sample_ms = FIRST_RETRY_S, 0.0, 0.0
        self._is_stopped = False

    def stop(self) -> None:
        """Stop it, from another thread: it ends when the sample under way has come, at the latest."""
        self._is_stopped = True
        try:
            self.requests.put_nowait(None)
        except queue.Full:
            return  # it is awake anyway

    def run(self, samples: int = 0) -> None:
        """Run until `stop`, or until so many samples were due (0: no end)."""
        try:
            while not self._is_stopped and not (samples and self._number >= samples):
                self._number += 1
                pace_s = self._take_sample() if self.collection is not None else self._open()
                if not (samples and self._number >= samples):
                    self._wait(pace_s)
        finally:
            if self.collection is not None:
                self.collection.close()

    def _open(self) -> float:
        """Try for a session. Returns the seconds until the next look, or the next try."""
        try:
            self.collection = self._connect()
        except LoginFailed as error:
            self._report_loss(LoginResult(error.login.phase, error.login.outcome, safe_text(str(error), 500)))
            pace_s, self._retry_s = self._retry_s * random.uniform(0.8, 1.2), min(LAST_RETRY_S, self._retry_s * 2)  # noqa: S311
            return pace_s
        log_event("watch.open", host=self.host, route=self.collection.session.route.transport)
        self._retry_s, self._cpu_ms, self._sample_ms, self._silent = FIRST_RETRY_S, 0.0, 0.0, 0
        return self._report(self.collection)

    def _take_sample(self) -> float:
        """Take one more sample of the open session."""
        collection = self.collection
        assert collection is not None  # noqa: S101 - `run` looks before
        collection.take_sample(is_brief=True)
        collection.drop_old_samples()
        if collection.has_ended:
            self._end_session("the session broke")
            return 0.0
        self._silent = 0 if collection.samples[-1].is_complete else self._silent + 1
        if self._silent >= SILENT_SAMPLES:
            self._try_second_session()
        return self._report(self.collection or collection)

    def _try_second_session(self) -> None:
        """Replace a session that may be dead without a sign (a host that was reset), but only if a new one can be opened."""
        self._silent = 0
        try:
            fresh = self._connect()
        except LoginFailed as error:
            log_event("watch.silent", host=self.host, samples=SILENT_SAMPLES, says=error)
            return
        log_event("watch.replaced", host=self.host)
        if self.collection is not None:
            self.collection.close()
        self.collection, self._cpu_ms = fresh, 0.0

    def _end_session(self, why: str) -> None:
        if self.collection is not None:
            self.collection.close()
        self.collection = None
        self._report_loss(LoginResult("session", "cut", why))

    def _report(self, collection: HostReader) -> float:
        """Conclude on the newest sample and emit. Returns the seconds until the next one."""
        pace_s = self._pace(collection)
        cost = WatchCost(collection.cost.cpu_ms, collection.cost.bytes, round(pace_s, 1), collection.cost.notes[-2:])
        if not collection.samples[-1].is_complete:
            why = collection.cost.notes[-1] if collection.cost.notes else "it was cut"
            headline = f"The sample did not come; the session is kept ({safe_text(why, 200)})."
            self._emit(WatchUpdate(Observation(self.host, self._stamp(), self._number, "inconclusive", headline, cost=cost)))
            return pace_s
        whole = tuple(sample for sample in collection.samples[-2:] if sample.is_complete)
        histories, now_s = histories_of(self.runbooks, parse_from(0, self.kinds, whole)), time.monotonic()
        said = order([watch.judge(now_s, history) for watch, history in zip(self._watched, histories, strict=True)])
        first, *others = (sample.conclusion for sample in said)
        headings = [heading for sample in said for heading in sample.headings]
        observation = Observation(
            host=self.host,
            at=self._stamp(),
            sample=self._number,
            status=first.status,
            headline=first_sentence(said),
            verdict=first.verdict,
            also=(*first.also, *(item for other in others for item in (other.verdict, *other.also) if item is not None)),
            changes=tuple(dict.fromkeys(change for sample in said for change in sample.changes)),
            refusals=tuple(refusal for sample in said for refusal in sample.refusals),
            trends=tuple(sorted(headings, key=lambda item: item.trend.seconds_to_limit)),
            cost=cost,
        )
        log_event("watch.sample", host=self.host, sample=self._number, status=first.status, next_s=pace_s)
        self._emit(self._update(observation, said))
        return pace_s

    def _update(self, observation: Observation, said: Sequence[WatchedSample]) -> WatchUpdate:
        """Return the observation with every use, and the course of the fullest one."""
        watches = {watch.runbook.id: watch for watch in self._watched}
        pairs = [(watches[sample.runbook_id], use) for sample in said for use in sample.uses]
        fullest = max(pairs, key=lambda pair: pair[1].used / pair[1].limit.value, default=None)
        found = tuple(use for _watch, use in pairs)
        if fullest is None:
            return WatchUpdate(observation, found)
        watch, use = fullest
        return WatchUpdate(observation, found, watch.course.of(use.key), use.title)

    def _pace(self, collection: HostReader) -> float:
        """Seconds to the next sample: as asked, or more, up to a minute, where a sample costs the host more than the share."""
        spent = collection.cost.cpu_ms
        if spent is not None:
            if self._cpu_ms:
                latest = max(0.0, spent - self._cpu_ms)
                self._sample_ms = latest if not self._sample_ms else 0.7 * self._sample_ms + 0.3 * latest
            self._cpu_ms = spent
        return max(self.every_s, min(self._sample_ms / 1000 / self._cpu_share, SLOWEST_S))

    def _report_loss(self, login: LoginResult) -> None:
        headline = unreachable_headline(self.runbooks[0], login)
        log_event("watch.lost", host=self.host, phase=login.phase, outcome=login.outcome, says=login.message)
        before = forget(self._watched)
        changes = (f"{before} -> unreachable",) if before else ()
        cost = WatchCost(None, 0, round(self._retry_s, 1))
        self._emit(
            WatchUpdate(
                Observation(
                    self.host, self._stamp(), self._number, "unreachable", headline, login=login, changes=changes, cost=cost
                )
            )
        )

    def _wait(self, seconds: float) -> None:
        """Wait until the next sample is due; answer requests, and the host's keepalives, in between."""
        until = time.monotonic() + seconds
        while not self._is_stopped and (left := until - time.monotonic()) > 0:
            try:
                request = self.requests.get(timeout=min(left, KEEPALIVE_S))
            except queue.Empty:
                if self.collection is not None:
                    self.collection.poll_keepalive()
                    if self.collection.has_ended:
                        return  # the next look tells
                continue
            if request is not None:
                request.reply.put(self._answer(request.request))

    def _answer(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        return answer(self.collection, request, self._answers)

    def _stamp(self) -> str:
        return rfc3339(self._now(), "milliseconds")
