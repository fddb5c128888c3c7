"""Assembles the diagnosis that every face renders, from a run's facts or from how its login failed."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.diagnosis import (
    Diagnosis,
    FactEntry,
    HostInfo,
    LoginResult,
    OfferedRemediation,
    RunbookRef,
    SampleTime,
    SymptomRef,
    TargetCost,
)
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.judge import CheckOutcome, Facts
from triagebook.runbooks.engine.symptoms import rule_inputs
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.library.catalog import Catalog
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.tools.diagnosis.login_advice import BEFORE_THE_HOST, login_advice
from triagebook.tools.diagnosis.name_check import absent_names
from triagebook.tools.diagnosis.needs_root import with_cure
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.times import rfc3339
from triagebook.tools.transport.base import LoginFailed

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import Conclusion, OtherRunbooks
    from triagebook.tools.collector.collect import HostReader


def diagnosis_id(started: datetime) -> str:
    """Return a new id: when it was started, and eight random digits."""
    return f"{rfc3339(started).rstrip('Z').replace('-', '').replace(':', '')}-{os.urandom(4).hex()}"


class DiagnosisRun:
    """One diagnosis under way: what was asked, by which runbook, when, and what was seen so far."""

    def __init__(self, runbook: model.Runbook, question: Question, started: datetime, clock: float) -> None:
        self.runbook, self.question, self.started, self.clock = runbook, question, started, clock
        self.samples: list[SampleTime] = []
        self._newest = started  # when the newest sample had come
        self.outcomes: tuple[CheckOutcome, ...] = ()  # of the newest sample
        self._about = ""  # of a recorded case: what it shows
        self.missing: tuple[str, ...] = ()  # sentences: what the person named and the host does not have
        self.beside: OtherRunbooks | None = None  # what the other runbooks of the same question add
        self.is_open = False  # as concluded last: something was named, and nothing that was found explains it
        self.id = diagnosis_id(started)

    def add_sample(self, moment: datetime) -> None:
        """Note when the next sample was taken."""
        self.samples.append(SampleTime(len(self.samples) + 1, rfc3339(moment, "milliseconds")))
        self._newest = moment

    def diagnosis(
        self, history: Sequence[Facts], collection: "HostReader", extra: Sequence[FactEntry], collected_ms: float
    ) -> Diagnosis:
        decided = time.perf_counter()
        conclusion = self._conclude(history)
        session = collection.session
        timings = {**session.route.timings_ms, "collect": collected_ms, "decide": (time.perf_counter() - decided) * 1000}
        spent = collection.cost
        cost = TargetCost(
            transport=session.route.transport,
            collector=" ".join(part for part in (spent.collector, spent.awk) if part),
            forks=spent.forks,
            cpu_ms=spent.cpu_ms,
            bytes=spent.bytes,
            clock_skew_s=self._skew(history),
            host_key=session.route.host_key,
            notes=tuple(safe_text(note, 300) for note in (*session.route.notes, *spent.notes)),
        )
        login = LoginResult(session.login.phase, session.login.outcome, safe_text(session.login.message, 300))
        return self._compose(conclusion, history, extra, login=login, cost=cost, timings=timings, truncated=_truncations(history))

    def _conclude(self, history: Sequence[Facts]) -> "Conclusion":
        from triagebook.runbooks.engine.conclude import conclude  # noqa: PLC0415 - templates, 45 ms: while the host is waited for

        asked = self.question
        conclusion = conclude(
            self.runbook,
            history,
            asked.inputs,
            accepted=asked.accepted,
            outcomes=self.outcomes,
            beside=self.beside,
            is_brief=asked.is_brief,
        )
        self.is_open = conclusion.is_open
        return conclusion

    def _skew(self, history: Sequence[Facts]) -> float | None:
        """Return by how much the host's clock was certainly off: a slow login or a slow host does not make it wrong."""
        now_s = getattr(self._host(history), "now_s", None)
        if not isinstance(now_s, float):
            return None
        return round(min(now_s - self.started.timestamp(), 0.0) + max(now_s - self._newest.timestamp(), 0.0), 1)

    def _host(self, history: Sequence[Facts]) -> object:
        name = next((name for name, kind in self.runbook.probes.items() if kind == "host"), "")
        return history[-1].get(name) if history else None

    def _compose(
        self,
        conclusion: "Conclusion",
        history: Sequence[Facts],
        extra: Sequence[FactEntry],
        *,
        login: LoginResult,
        cost: TargetCost,
        timings: Mapping[str, float],
        truncated: Sequence[str],
    ) -> Diagnosis:
        host = self._host(history)
        if self.missing:
            conclusion = _without_reassurance(conclusion, self.missing)
        elif conclusion.status == "inconclusive":
            conclusion = with_cure(conclusion, self.question)
        text = str(self.question.inputs.get("symptom", ""))
        names = ("hostname", "kernel", "boot_id", "machine_id", "container")
        return Diagnosis(
            id=self.id,
            host=HostInfo(self.question.target.text, **{name: _text(getattr(host, name, "")) for name in names}),
            runbook=RunbookRef(self.runbook.id, self.runbook.version, self.runbook.digest),
            symptom=SymptomRef(safe_text(text, 500), conclusion.error_class) if text else None,
            started_at=rfc3339(self.started, "milliseconds"),
            duration_ms=round((time.perf_counter() - self.clock) * 1000),
            status=conclusion.status,
            headline=conclusion.headline,
            verdict=conclusion.verdict,
            also=conclusion.also,
            checks=conclusion.checks,
            unknown=conclusion.unknown,
            facts=(*conclusion.facts, *extra),
            remediations=_offers(conclusion, history),
            next=conclusion.next,
            samples=tuple(self.samples),
            truncated=(*truncated, *([f"{conclusion.omitted} more verdicts"] if conclusion.omitted else [])),
            login=login,
            target=cost,
            timings_ms={name: round(spent, 1) for name, spent in timings.items()},
            caveats=conclusion.caveats,
        )

    def load_case(self, catalog: Catalog) -> tuple[Facts, ...]:
        """Return the facts of the recorded case that the question names, after each sample. Raises RunbookError: no such case."""
        from triagebook.runbooks.library.cases import read_case  # noqa: PLC0415 - 10 ms: for a recorded case only

        case = read_case(catalog.find(self.runbook.name), self.question.target.host, facts_types(), self.runbook)
        accepted = (*case.accept, *self.question.accepted)
        self.question = replace(self.question, inputs={**case.inputs, **self.question.inputs}, accepted=accepted)
        self.samples = [SampleTime(number, rfc3339(self.started, "milliseconds")) for number in range(1, len(case.history) + 1)]
        self.missing = absent_names(None, case.history[-1], self.question.inputs, self.question.target.text)
        self._about = case.about
        return case.history

    def replay(self, history: Sequence[Facts]) -> Diagnosis:
        """Conclude now on the facts of the recorded case."""
        cost = TargetCost(transport="replay", notes=(safe_text(self._about, 300),))
        return self._compose(self._conclude(history), history, (), login=LoginResult(), cost=cost, timings={}, truncated=())

    def unreachable(self, error: LoginFailed) -> Diagnosis:
        """Answer without a session: how far the login went, and what that means."""
        from triagebook.runbooks.engine.conclude import Conclusion, unreachable_headline  # noqa: PLC0415 - as in _conclude

        login = LoginResult(error.login.phase, error.login.outcome, safe_text(str(error), 1000))
        was_there = login.phase not in BEFORE_THE_HOST
        meaning = next((item for item in self.runbook.logins if was_there and item.outcome == login.outcome), None)
        error_class = rule_inputs(self.runbook, self.question.inputs)["symptom_class"]
        headline, advice = unreachable_headline(self.runbook, login), login_advice(login)
        empty = Conclusion("unreachable", headline, None, (), (), (), (), (), advice, (), error_class)
        if meaning is not None:
            from triagebook.tools.actions.without_fork import console_lines  # noqa: PLC0415 - as in _offers

            empty = replace(empty, next=(meaning.says, *_suspects_text(meaning), *console_lines(self.runbook, meaning.suspects)))
        return self._compose(empty, (), (), login=login, cost=TargetCost(), timings={}, truncated=())


def _without_reassurance(conclusion: "Conclusion", missing: Sequence[str]) -> "Conclusion":
    """Return the conclusion with what was named and is not there said first: such a host is not called healthy."""
    status = "inconclusive" if conclusion.status in {"healthy", "warning"} else conclusion.status
    return replace(conclusion, status=status, headline=" ".join((*missing, conclusion.headline)))


def _offers(conclusion: "Conclusion", history: Sequence[Facts]) -> tuple[OfferedRemediation, ...]:
    """Return what is offered, with its command lines. A host without a finding is not kept waiting for every action's import."""
    if not conclusion.remediations:
        return ()
    from triagebook.tools.actions.manual import with_commands  # noqa: PLC0415 - 22 M instructions, 7 ms: only where one is offered

    return tuple(with_commands(offer, conclusion, history) for offer in conclusion.remediations)


def _suspects_text(meaning: model.LoginMeaning) -> tuple[str, ...]:
    return (f"Not judged without a session, but it would fit: {', '.join(meaning.suspects)}.",) if meaning.suspects else ()


def _truncations(history: Sequence[Facts]) -> tuple[str, ...]:
    """Collections whose answer was bounded on the host, by probe."""
    found = []
    for probe, facts in (history[-1] if history else {}).items():
        for name, value in vars(facts).items():
            if isinstance(value, Collection) and "bounded" in value.partial:
                found.append(f"{probe}.{name}: {value.partial}")
    return tuple(found)


def _text(value: object) -> str:
    return "" if isinstance(value, Unreadable) else str(value)
