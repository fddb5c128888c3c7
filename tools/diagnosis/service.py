"""Diagnoses one host: collect, decide, look again where it could change the answer, conclude.

Every face asks here. Deciding is the engine's; reading the host is the collector's; this is the loop between.
"""

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial

from triagebook.runbooks.engine import judge, model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry
from triagebook.runbooks.library.catalog import Catalog
from triagebook.runbooks.probes import catalog as probes
from triagebook.runbooks.probes.reading import may_be_a_crowd
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.name_check import WORDS, absent_names
from triagebook.tools.diagnosis.question import Answer, Progress, Question
from triagebook.tools.diagnosis.runbook_choice import (
    DefaultRunbooks,
    RunbookQuestion,
    choose_many,
    choose_one,
    runbooks_by_default,
)
from triagebook.tools.diagnosis.triage_run import TriageRun
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.log import is_logged, log_event
from triagebook.tools.transport import waiting
from triagebook.tools.transport.base import LoginFailed, Transport

EXTRA_READING_S = 60.0  # what a change starts from must be known, also of a host that is slow because it suffers
CONCLUDING = "triagebook.runbooks.engine.conclude"  # with the templates: 45 ms, while the host is waited for


@dataclass
class Service:
    """Diagnoses hosts. The clock and the pause are given, so that tests need not wait."""

    catalog: Catalog
    transport_for: Callable[[TargetName], Transport]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = waiting.pause
    default: DefaultRunbooks = DefaultRunbooks()
    accept_unknown: tuple[str, ...] = ()  # of the configuration: checks whose unknown result is a caveat
    silent_s: float = 0.0  # how long a host may be silent; 0: the usual time
    loaded: Mapping[str, model.Runbook] = field(default_factory=dict)  # by the name asked for: read once for many hosts

    def diagnose(self, question: Question, progress: Progress | None = None) -> Answer:
        """One host, one answer. A host that gives no session is an answer too (`unreachable`).

        Raises RunbookError or UsageError; never LoginFailed.
        """
        started, clock = self.now(), time.perf_counter()
        asked = self.runbooks_for(question)
        run = TriageRun(question, asked, started, clock)
        names = ",".join(item.runbook.id for item in asked)
        log_event("diagnosis.started", host=question.target.text, runbook=names)
        answer = run.replay(self.catalog) if question.target.kind == "replay" else self._ask(run, progress or _say_nothing)
        if is_logged("diagnosis.concluded"):
            for found in (answer, *answer.others):
                _log_conclusion(question, found.diagnosis)
        return answer

    def load(self, name: str) -> model.Runbook:
        """Return a runbook by name, as it was read before where it was. Raises RunbookError."""
        return self.loaded.get(name) or self.catalog.load(name)

    def runbooks_for(self, question: Question) -> tuple[RunbookQuestion, ...]:
        """Return the runbooks that the question is put to. Raises RunbookError or UsageError."""
        if question.runbook:
            return choose_one(self.load(question.runbook), question, self.accept_unknown)
        catalog = self.catalog if self.loaded else self.catalog.snapshot()

        def load(name: str) -> model.Runbook:
            return self.loaded.get(name) or catalog.load(name)

        return choose_many(self.default, catalog, load, question, self.accept_unknown)

    def runbooks_with(self, remediation: str) -> tuple[str, ...]:
        """Return the runbooks, of those asked where none is named, that may offer this remediation. Raises RunbookError."""
        names = runbooks_by_default(self.default, self.catalog)
        return tuple(name for name in names if remediation in self.load(name).remediations)

    def preload_runbooks(self, runbook: str) -> "Service":
        """Return the service with the runbooks of its questions read once for many hosts. Raises RunbookError."""
        names = (runbook,) if runbook else runbooks_by_default(self.default, self.catalog)
        loaded = {**self.loaded, **{name: self.catalog.load(name) for name in names}}
        return replace(self, loaded=loaded, default=self.default if runbook else replace(self.default, names=names))

    def _ask(self, run: TriageRun, progress: Progress) -> Answer:
        """Reach the host, and observe it."""
        progress("connecting", None)
        if not probes.are_loaded(run.kinds):
            threading.Thread(target=preload, args=([item.runbook for item in run.asked], run.kinds), daemon=True).start()
        target = run.question.target
        try:
            collection = collect.start(
                self.transport_for(target),
                target.reach,
                run.kinds,
                timeouts=collect.sample_timeouts_for(self.silent_s),
                cache=self.catalog.cache,
            )
        except LoginFailed as error:
            return run.unreachable(error)
        try:
            return self.observe(run, collection, progress)
        finally:
            collection.close()

    def observe(self, run: TriageRun, collection: collect.HostReader, progress: Progress) -> Answer:
        """Read, decide what is still needed, read again, conclude."""
        question, collected_ms = run.question, (time.perf_counter() - run.clock) * 1000
        run.take(collection.samples, self.now())
        extra: list[FactEntry] = []
        beside = tuple(collection.look(reading, EXTRA_READING_S) for reading in question.extra_readings)
        wanted = run.join_needs()
        if wanted.sample or (question.samples != 1 and may_be_a_crowd(collection.samples[-1])):
            log_event("diagnosis.second_sample", host=question.target.text, after_s=float(question.sample_s))
            progress("first", partial(run.answer, collection, extra, collected_ms))
            self.pause(question.sample_s)
            collection.take_sample(wanted.suspects, asked=wanted.asked)
            run.take(collection.samples, self.now())
            wanted = run.join_needs()
        if wanted.lookups:
            log_event("diagnosis.lookups", host=question.target.text, lookups=len(wanted.lookups))
            progress("asking", None)
            extra = run.ask_programs(collection, wanted)
        if question.samples != 1 and any(question.inputs.get(name) for name in WORDS):
            run.miss(absent_names(collection, run.facts(), question.inputs, question.target.text))
        also = lookups.facts(collection, question.extra_lookups)
        return replace(run.answer(collection, extra, collected_ms), extra_facts=also, extra_outputs=beside)


def _say_nothing(_stage: str, _answer: Callable[[], Answer] | None) -> None:
    """Take no interest in the progress."""


def _log_conclusion(question: Question, found: Diagnosis) -> None:
    verdict, login = found.verdict, found.login
    log_event(
        "diagnosis.concluded",
        host=question.target.text,
        runbook=f"{found.runbook.id}@{found.runbook.version}",
        status=found.status,
        cause=verdict.cause if verdict else None,
        strength=verdict.strength if verdict else None,
        login=f"{login.phase}:{login.outcome}" if found.status == "unreachable" else None,
        samples=len(found.samples),
        id=found.id,
        ms=float(found.duration_ms),
    )


def preload(runbooks: Sequence[model.Runbook], kinds: Sequence[str]) -> None:
    """Import and compile what the first answer will be read and judged with, while it is waited for."""
    importlib.import_module(CONCLUDING)
    for kind in kinds:
        probes.load(kind)
    for runbook in runbooks:
        judge.compile_rules(runbook, kinds)
