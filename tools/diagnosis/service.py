"""Diagnoses one host: collect, decide, look again where it could change the answer, conclude.

Every face asks here. Deciding is the engine's; reading the host is the collector's; this is the loop between.
"""

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from triagebook.runbooks.engine import model, triage
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry
from triagebook.runbooks.engine.triage import Facts, Needs, needs
from triagebook.runbooks.library.catalog import Catalog
from triagebook.runbooks.probes import catalog as probes
from triagebook.runbooks.probes.records import Sample
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.assemble import DiagnosisRun
from triagebook.tools.diagnosis.named import WORDS, absent_names
from triagebook.tools.diagnosis.question import Answer, Progress, Question, check_inputs, checks_to_accept
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
    accept_unknown: tuple[str, ...] = ()  # of the configuration: checks whose unknown result is a caveat
    loaded: Mapping[str, model.Runbook] = field(default_factory=dict)  # by the name asked for: read once for many hosts

    def diagnose(self, question: Question, progress: Progress | None = None) -> Answer:
        """One host, one answer. A host that gives no session is an answer too (`unreachable`).

        Raises RunbookError or UsageError; never LoginFailed.
        """
        started, clock = self.now(), time.perf_counter()
        runbook = self.loaded.get(question.runbook) or self.catalog.load(question.runbook)
        check_inputs(runbook, question)
        question = replace(question, accepted=checks_to_accept(runbook, question, self.accept_unknown))
        run = DiagnosisRun(runbook, question, started, clock)
        log_event("diagnosis.started", host=question.target.text, runbook=runbook.id)
        answer = run.replay(self.catalog) if question.target.kind == "replay" else self._ask(run, progress or _say_nothing)
        if is_logged("diagnosis.concluded"):
            _log_conclusion(question, answer.diagnosis)
        return answer

    def _ask(self, run: DiagnosisRun, progress: Progress) -> Answer:
        """Reach the host, and observe it."""
        runbook, question = run.runbook, run.question
        kinds = lookups.kinds_to_collect(runbook)
        progress("connecting", None)
        if not probes.are_loaded(kinds):
            threading.Thread(target=preload, args=(runbook, kinds), daemon=True).start()
        try:
            transport = self.transport_for(question.target)
            collection = collect.start(transport, question.target.reach, kinds, cache=self.catalog.cache)
        except LoginFailed as error:
            return run.unreachable(error)
        try:
            return self.observe(run, collection, kinds, progress)
        finally:
            collection.close()

    def observe(self, run: DiagnosisRun, collection: collect.HostReader, kinds: Sequence[str], progress: Progress) -> Answer:
        """Read, decide what is still needed, read again, conclude."""
        collected_ms = (time.perf_counter() - run.clock) * 1000
        run.add_sample(self.now())
        extra: list[FactEntry] = []
        history = history_of(run.runbook, kinds, collection.samples)
        beside = tuple(collection.look(reading, EXTRA_READING_S) for reading in run.question.extra_readings)
        wanted = _needs(run, history)
        if wanted.sample:
            log_event("diagnosis.second_sample", host=run.question.target.text, after_s=float(run.question.sample_s))
            progress("first", run.diagnosis(history, collection, extra, collected_ms))
            self.pause(run.question.sample_s)
            collection.take_sample(wanted.suspects)
            run.add_sample(self.now())
            history = history_of(run.runbook, kinds, collection.samples)
            wanted = _needs(run, history)
        if wanted.lookups:
            log_event("diagnosis.lookups", host=run.question.target.text, lookups=len(wanted.lookups))
            progress("asking", None)
            extra, answers = lookups.ask(collection, wanted.lookups)
            told = {probe: answers[probe, subject] for probe, subject in wanted.for_rules if (probe, subject) in answers}
            if told:
                history, run.outcomes = (*history[:-1], {**history[-1], **told}), ()
        if run.question.samples != 1 and any(run.question.inputs.get(name) for name in WORDS):
            run.missing = absent_names(collection, history[-1], run.question.inputs, run.question.target.text)
        also = lookups.facts(collection, run.question.extra_lookups)
        return Answer(run.diagnosis(history, collection, extra, collected_ms), history, also, beside)


def _say_nothing(_stage: str, _diagnosis: Diagnosis | None) -> None:
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


def preload(runbook: model.Runbook, kinds: Sequence[str]) -> None:
    """Import and compile what the first answer will be read and judged with, while it is waited for."""
    importlib.import_module(CONCLUDING)
    for kind in kinds:
        probes.load(kind)
    triage.compile_rules(runbook)


def history_of(runbook: model.Runbook, kinds: Sequence[str], samples: Sequence[Sample]) -> tuple[Facts, ...]:
    """The facts after each sample, by the runbook's names for its probes."""
    steps = [collect.parse(kinds, samples[: number + 1]) for number in range(len(samples))]
    return tuple({name: step[kind] for name, kind in runbook.probes.items() if kind in step} for step in steps)


def _needs(run: DiagnosisRun, history: Sequence[Facts]) -> Needs:
    if run.question.samples == 1:
        return Needs()
    wanted = needs(run.runbook, history[-1], len(history), run.question.inputs)
    run.outcomes = wanted.outcomes
    return replace(wanted, sample=True) if run.question.samples > len(history) else wanted
