"""Holds one question under way: the runbooks it is put to, over the same samples of one host, and the answer they make."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry
from triagebook.runbooks.engine.judge import Facts, Needs, needs
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import RunbookDiagnosis, is_explained, join
from triagebook.runbooks.library.catalog import Catalog
from triagebook.runbooks.probes.records import Sample
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.assemble import DiagnosisRun, diagnosis_id
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.runbook_choice import RunbookQuestion
from triagebook.tools.transport.base import LoginFailed

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import OtherRunbooks
    from triagebook.tools.collector.collect import HostReader

MAX_SUSPECTS = 8
MAX_LOOKUPS = 8  # programs of a last round, of all runbooks together
UNKNOWN_TEXT = "The error text is none that the runbooks asked here know; the host was judged without it."
History = tuple[Facts, ...]
FactsByKind = Mapping[str, object]


class TriageRun:
    """One question under way. Every runbook has a run of its own; the samples and the programs asked are shared."""

    def __init__(self, question: Question, asked: Sequence[RunbookQuestion], started: datetime, clock: float) -> None:
        self.question, self.asked, self.clock = question, tuple(asked), clock
        self.id = diagnosis_id(started)
        self.runs = tuple(DiagnosisRun(item.runbook, item.question, started, clock) for item in asked)
        self.kinds = lookups.kinds_to_collect([item.runbook for item in asked])
        self.steps: tuple[FactsByKind, ...] = ()  # the facts after each sample
        self.histories: tuple[History, ...] = ()
        self.needs: tuple[Needs, ...] = ()

    @property
    def is_together(self) -> bool:
        """Say whether no runbook was named: the answer is a triage, whether of one runbook or of several."""
        return not self.question.runbook

    def take(self, samples: Sequence[Sample], moment: datetime) -> None:
        """Turn the samples so far into each runbook's facts."""
        self.steps = (*self.steps, *parse_from(len(self.steps), self.kinds, samples))
        self.histories = histories_of([run.runbook for run in self.runs], self.steps)
        for run in self.runs:
            run.add_sample(moment)

    def join_needs(self) -> Needs:
        """Return what all runbooks together still need. `for_rules` is left to `put`."""
        if self.question.samples == 1:
            return Needs()
        self.needs = tuple(
            needs(run.runbook, history[-1], len(history), run.question.inputs)
            for run, history in zip(self.runs, self.histories, strict=True)
        )
        for run, found in zip(self.runs, self.needs, strict=True):
            run.outcomes = found.outcomes
        programs = {(kind, subject): (name, kind, subject) for found in self.needs for name, kind, subject in found.lookups}
        return Needs(
            sample=any(found.sample for found in self.needs) or self.question.samples > len(self.histories[0]),
            suspects=tuple(dict.fromkeys(pid for found in self.needs for pid in found.suspects))[:MAX_SUSPECTS],
            asked=tuple(dict.fromkeys(kind for found in self.needs for kind in found.asked)),
            lookups=tuple(programs.values())[:MAX_LOOKUPS],
        )

    def ask_programs(self, collection: "HostReader", wanted: Needs) -> list[FactEntry]:
        """Run the last round's programs, put what rules are to see of the answers into the facts, return them as evidence too."""
        extra, answers = lookups.ask(collection, wanted.lookups)
        by_kind = {(kind, subject): answers[name, subject] for name, kind, subject in wanted.lookups if (name, subject) in answers}
        histories = []
        for run, found, history in zip(self.runs, self.needs, self.histories, strict=True):
            told = {
                name: by_kind[run.runbook.probes[name], subject]
                for name, subject in found.for_rules
                if (run.runbook.probes[name], subject) in by_kind
            }
            if told:
                history = (*history[:-1], {**history[-1], **told})  # noqa: PLW2901 - the same history, with what was told
                run.outcomes = ()
            histories.append(history)
        self.histories = tuple(histories)
        return extra

    def facts(self) -> Facts:
        """Return the newest facts of all runbooks by kind."""
        found: dict[str, object] = {}
        for run, history in zip(self.runs, self.histories, strict=True):
            found.update({run.runbook.probes[name]: value for name, value in history[-1].items()})
        return found

    def miss(self, sentences: Sequence[str]) -> None:
        """Note what the person named and the host does not have."""
        for run in self.runs:
            run.missing = tuple(sentences)

    def answer(self, collection: "HostReader", extra: Sequence[FactEntry], collected_ms: float) -> Answer:
        """Conclude by every runbook, and join what they say."""
        return self._join(lambda run, history: run.diagnosis(history, collection, extra, collected_ms))

    def unreachable(self, error: LoginFailed) -> Answer:
        """Answer without a session."""
        self.histories = ((),) * len(self.runs)
        return self._join(lambda run, _history: run.unreachable(error))

    def replay(self, catalog: Catalog) -> Answer:
        """Conclude on the facts of a recorded case. Raises RunbookError: no such case."""
        self.histories = tuple(run.load_case(catalog) for run in self.runs)
        return self._join(DiagnosisRun.replay)

    def _join(self, diagnose: Callable[[DiagnosisRun, History], Diagnosis]) -> Answer:
        """Diagnose by each run. What one found may explain what another leaves open: that one concludes once more."""
        if not self.is_together:
            return Answer(diagnose(self.runs[0], self.histories[0]), self.histories[0])
        if len(self.runs) > 1:
            self._tell_of_text()
        found = [self._one(index, diagnose) for index in range(len(self.runs))]
        if len(self.runs) > 1 and any(run.is_open for run in self.runs) and is_explained(found):
            for index, run in enumerate(self.runs):
                if run.is_open:
                    run.beside = _beside(explained=True, of_text=run.beside.of_text if run.beside else "")
                    found[index] = self._one(index, diagnose)
        text = safe_text(str(self.question.inputs.get("symptom", "")), 500)
        triage = join(self.id, text, found, round((time.perf_counter() - self.clock) * 1000))
        answers = {item.diagnosis.id: Answer(item.diagnosis, history) for item, history in zip(found, self.histories, strict=True)}
        first, *others = (answers[diagnosis.id] for diagnosis in triage.diagnoses)
        return replace(first, triage=triage, others=tuple(others))

    def _one(self, index: int, diagnose: Callable[[DiagnosisRun, History], Diagnosis]) -> RunbookDiagnosis:
        item = self.asked[index]
        return RunbookDiagnosis(diagnose(self.runs[index], self.histories[index]), item.why, item.route)

    def _tell_of_text(self) -> None:
        """Have what is said of an error text that a runbook was told and does not know be true of all of them."""
        for run, item in zip(self.runs, self.asked, strict=True):
            if item.route.fit in {"leads", "unknown"}:
                run.beside = _beside(explained=False, of_text=item.route.says or UNKNOWN_TEXT)


def parse_from(first: int, kinds: Sequence[str], samples: Sequence[Sample]) -> tuple[FactsByKind, ...]:
    """Return the facts after each sample, from the one of that index on."""
    return tuple(collect.parse(kinds, samples[: number + 1]) for number in range(first, len(samples)))


def histories_of(runbooks: Sequence[model.Runbook], steps: Sequence[FactsByKind]) -> tuple[History, ...]:
    """Return for each runbook the facts after each sample, by its own names for its probes."""
    return tuple(
        tuple({name: step[kind] for name, kind in runbook.probes.items() if kind in step} for step in steps) for runbook in runbooks
    )


def _beside(*, explained: bool, of_text: str) -> "OtherRunbooks":
    from triagebook.runbooks.engine.conclude import OtherRunbooks  # noqa: PLC0415 - templates, 45 ms: while the host is waited for

    return OtherRunbooks(explained, of_text)
