"""Diagnosing one host: collect, decide, look again where it could change the answer, conclude.

The one door for every face. Deciding is the engine's; reading the host is the collector's; this is the loop between.
"""

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triagebook.runbooks.engine import model, triage
from triagebook.runbooks.engine.catalog import Catalog
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import (
    Diagnosis,
    FactEntry,
    HostInfo,
    LoginResult,
    RunbookRef,
    SampleTime,
    SymptomRef,
    TargetCost,
)
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.symptoms import asked
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import CheckOutcome, Facts, Needs, needs
from triagebook.runbooks.probes import catalog as probes
from triagebook.runbooks.probes.records import Sample
from triagebook.tools import by_hand, lookups
from triagebook.tools.collector import collect
from triagebook.tools.collector.readings import Reading
from triagebook.tools.target_name import TargetName
from triagebook.tools.transport import waiting
from triagebook.tools.transport.base import LoginFailed, Transport

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import Conclusion

BESIDE_S = 60.0  # what a change starts from must be known, also of a host that is slow because it suffers
CONCLUDING = "triagebook.runbooks.engine.conclude"  # with the templates: 45 ms, while the host is waited for


@dataclass(frozen=True)
class Question:
    """What a caller asks: which host, by which runbook, and what is known of the incident."""

    target: TargetName
    runbook: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    sample_s: float = 2.0
    samples: int = 0  # 0: as many as could change the answer; 1: one look and no programs asked; 2: always compare
    also: tuple[tuple[str, str], ...] = ()  # (kind, subject) of programs to ask whatever was found
    beside: tuple[Reading, ...] = ()  # what else to read by the same login


@dataclass(frozen=True)
class Answer:
    """A diagnosis and the facts after each sample, for `--save` and for cases."""

    diagnosis: Diagnosis
    history: tuple[Facts, ...]
    also: Facts = field(default_factory=dict)  # by kind, what the question asked for besides
    beside: tuple[collect.Output | Unreadable, ...] = ()  # of the question's readings, in their order


Progress = Callable[[str, "Diagnosis | None"], None]


@dataclass
class Service:
    """Diagnoses hosts. The clock and the pause are given, so that tests need not wait."""

    catalog: Catalog
    transport_for: Callable[[TargetName], Transport]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = waiting.pause
    loaded: Mapping[str, model.Runbook] = field(default_factory=dict)  # by the name asked for: read once for many hosts

    def diagnose(self, question: Question, progress: Progress | None = None) -> Answer:
        """One host, one answer. A host that gives no session is an answer too (`unreachable`).

        Raises RunbookError or UsageError; never LoginFailed.
        """
        started, clock = self.now(), time.perf_counter()
        runbook = self.loaded.get(question.runbook) or self.catalog.load(question.runbook)
        check_inputs(runbook, question)
        run = _Run(runbook, question, started, clock, progress or (lambda _stage, _diagnosis: None))
        if question.target.kind == "replay":
            return run.replayed(self.catalog)
        kinds = lookups.collected_kinds(runbook)
        run.progress("connecting", None)
        if not probes.are_loaded(kinds):
            threading.Thread(target=get_ready, args=(runbook, kinds), daemon=True).start()
        try:
            collection = collect.start(self.transport_for(question.target), question.target.reach, kinds)
        except LoginFailed as error:
            return run.unreachable(error)
        try:
            answer = run.observed(collection, kinds, self.now, self.pause)
            waiting.line_up()
            return answer
        finally:
            collection.close()


def get_ready(runbook: model.Runbook, kinds: Sequence[str]) -> None:
    """Import and compile what the first answer will be read and judged with, while it is waited for."""
    importlib.import_module(CONCLUDING)
    for kind in kinds:
        probes.load(kind)
    triage.compile_rules(runbook)


def check_inputs(runbook: model.Runbook, question: Question) -> None:
    """Refuse inputs and accepted checks the runbook does not know. Raises UsageError."""
    _refuse_others("takes no input", "input", question.inputs, runbook, runbook.inputs)
    if question.accepted:
        _refuse_others("has no check", "check", question.accepted, runbook, [check.id for check in runbook.checks])


def _refuse_others(what: str, reason: str, names: Iterable[str], runbook: model.Runbook, known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            from triagebook.runbooks.engine.nearest import did_you_mean  # noqa: PLC0415 - seldom

            raise UsageError(f"{runbook.name} {what} {name!r}{did_you_mean(name, known)}", reason=reason)


def history_of(runbook: model.Runbook, kinds: Sequence[str], samples: Sequence[Sample]) -> tuple[Facts, ...]:
    """The facts after each sample, by the runbook's names for its probes."""
    steps = [collect.parse(kinds, samples[: number + 1]) for number in range(len(samples))]
    return tuple({name: step[kind] for name, kind in runbook.probes.items() if kind in step} for step in steps)


class _Run:
    """One diagnosis under way."""

    def __init__(self, runbook: model.Runbook, question: Question, started: datetime, clock: float, progress: Progress) -> None:
        self.runbook, self.question, self.started, self.clock, self.progress = runbook, question, started, clock, progress
        self.samples: list[SampleTime] = []
        self.outcomes: tuple[CheckOutcome, ...] = ()  # of the newest sample
        self.id = f"{_stamp(started)[:19].replace('-', '').replace(':', '')}-{os.urandom(4).hex()}"

    def observed(
        self, collection: Any, kinds: Sequence[str], now: Callable[[], datetime], pause: Callable[[float], None]
    ) -> Answer:
        """Read, decide what is still needed, read again, conclude."""
        collected_ms = (time.perf_counter() - self.clock) * 1000
        self.samples.append(SampleTime(1, _stamp(now())))
        extra: list[FactEntry] = []
        waiting.line_up()
        history = history_of(self.runbook, kinds, collection.samples)
        beside = tuple(collection.look(reading, BESIDE_S) for reading in self.question.beside)
        wanted = self._needs(history)
        if wanted.sample:
            self.progress("first", self._diagnosis(history, collection, extra, collected_ms))
            pause(self.question.sample_s)
            collection.again(wanted.suspects)
            self.samples.append(SampleTime(2, _stamp(now())))
            history = history_of(self.runbook, kinds, collection.samples)
            wanted = self._needs(history)
        if wanted.lookups:
            self.progress("asking", None)
            extra = lookups.ask(collection, wanted.lookups)
        also = lookups.facts(collection, self.question.also)
        waiting.line_up()
        return Answer(self._diagnosis(history, collection, extra, collected_ms), history, also, beside)

    def _needs(self, history: Sequence[Facts]) -> Needs:
        if self.question.samples == 1:
            return Needs()
        waiting.line_up()
        wanted = needs(self.runbook, history[-1], len(history), self.question.inputs)
        self.outcomes = wanted.outcomes
        return replace(wanted, sample=True) if self.question.samples > len(history) else wanted

    def _diagnosis(self, history: Sequence[Facts], collection: Any, extra: Sequence[FactEntry], collected_ms: float) -> Diagnosis:
        decided = time.perf_counter()
        conclusion = self._conclude(history)
        session = collection.session
        timings = {**session.path.timings_ms, "collect": collected_ms, "decide": (time.perf_counter() - decided) * 1000}
        spent = collection.cost
        cost = TargetCost(
            transport=session.path.transport,
            collector=" ".join(part for part in (spent.collector, spent.awk) if part),
            forks=spent.forks,
            cpu_ms=spent.cpu_ms,
            bytes=spent.bytes,
            clock_skew_s=self._skew(history),
            host_key=session.path.host_key,
            notes=tuple(safe_text(note, 300) for note in (*session.path.notes, *spent.notes)),
        )
        login = LoginResult(session.login.phase, session.login.outcome, safe_text(session.login.message, 300))
        return self._compose(conclusion, history, extra, login=login, cost=cost, timings=timings, truncated=_truncated(history))

    def _conclude(self, history: Sequence[Facts]) -> "Conclusion":
        from triagebook.runbooks.engine.conclude import conclude  # noqa: PLC0415

        return conclude(self.runbook, history, self.question.inputs, accepted=self.question.accepted, outcomes=self.outcomes)

    def _skew(self, history: Sequence[Facts]) -> float | None:
        now_s = getattr(self._host(history), "now_s", None)
        return round(now_s - self.started.timestamp(), 1) if isinstance(now_s, float) else None

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
        text = str(self.question.inputs.get("symptom", ""))
        names = ("hostname", "kernel", "boot_id", "machine_id", "container")
        return Diagnosis(
            id=self.id,
            host=HostInfo(self.question.target.text, **{name: _text(getattr(host, name, "")) for name in names}),
            runbook=RunbookRef(self.runbook.id, self.runbook.version, self.runbook.digest),
            symptom=SymptomRef(safe_text(text, 500), conclusion.error_class) if text else None,
            started_at=_stamp(self.started),
            duration_ms=round((time.perf_counter() - self.clock) * 1000),
            status=conclusion.status,
            headline=conclusion.headline,
            verdict=conclusion.verdict,
            also=conclusion.also,
            checks=conclusion.checks,
            unknown=conclusion.unknown,
            facts=(*conclusion.facts, *extra),
            remediations=tuple(by_hand.with_commands(offer, conclusion, history) for offer in conclusion.remediations),
            next=conclusion.next,
            samples=tuple(self.samples),
            truncated=(*truncated, *([f"{conclusion.omitted} more verdicts"] if conclusion.omitted else [])),
            login=login,
            target=cost,
            timings_ms={name: int(spent * 10 + 0.5) / 10 for name, spent in timings.items()},  # tenths; round() is slow
            caveats=conclusion.caveats,
        )

    def replayed(self, catalog: Catalog) -> Answer:
        """The facts of a recorded case, concluded now. Raises RunbookError: no such case."""
        from triagebook.runbooks.engine.cases import read_case  # noqa: PLC0415 - only for replays
        from triagebook.runbooks.probes.catalog import facts_types  # noqa: PLC0415

        case = read_case(catalog.find(self.runbook.name), self.question.target.host, facts_types(), self.runbook)
        accepted = (*case.accept, *self.question.accepted)
        self.question = replace(self.question, inputs={**case.inputs, **self.question.inputs}, accepted=accepted)
        self.samples = [SampleTime(number, _stamp(self.started)) for number in range(1, len(case.history) + 1)]
        cost = TargetCost(transport="replay", notes=(safe_text(case.about, 300),))
        diagnosis = self._compose(
            self._conclude(case.history), case.history, (), login=LoginResult(), cost=cost, timings={}, truncated=()
        )
        return Answer(diagnosis, case.history)

    def unreachable(self, error: LoginFailed) -> Answer:
        """No session: how far the way in went, and what that tells."""
        from triagebook.runbooks.engine.conclude import Conclusion, unreachable_headline  # noqa: PLC0415

        login = LoginResult(error.login.phase, error.login.outcome, safe_text(str(error), 1000))
        meaning = next((item for item in self.runbook.logins if item.outcome == login.outcome), None)
        error_class = asked(self.runbook, self.question.inputs)["symptom_class"]
        empty = Conclusion("unreachable", unreachable_headline(self.runbook, login), None, (), (), (), (), (), (), (), error_class)
        if meaning is not None:
            empty = replace(empty, next=(meaning.says, *_suspected(meaning)))
        return Answer(self._compose(empty, (), (), login=login, cost=TargetCost(), timings={}, truncated=()), ())


def _suspected(meaning: model.LoginMeaning) -> tuple[str, ...]:
    return (f"Not judged without a session, but it would fit: {', '.join(meaning.suspects)}.",) if meaning.suspects else ()


def _truncated(history: Sequence[Facts]) -> tuple[str, ...]:
    """Collections whose answer was bounded on the host, by probe."""
    found = []
    for probe, facts in (history[-1] if history else {}).items():
        for name, value in vars(facts).items():
            if type(value) is Collection and "bounded" in value.partial:
                found.append(f"{probe}.{name}: {value.partial}")
    return tuple(found)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    return "" if isinstance(value, Unreadable) else str(value)
