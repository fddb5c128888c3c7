"""What a caller asks of one host, and what comes back."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.text import did_you_mean, nearest, safe_text
from triagebook.runbooks.engine.triage import Found, Triage
from triagebook.tools.collector import collect
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.inventory.target import TargetName


@dataclass(frozen=True)
class Question:
    """What a caller asks: which host, by which runbook ("": all that are asked by default), what is known of the incident."""

    target: TargetName
    runbook: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    sample_s: float = 2.0
    samples: int = 0  # 0: as many as could change the answer; 1: one look and no programs asked; 2: always compare
    extra_lookups: tuple[tuple[str, str], ...] = ()  # (kind, subject) of programs to ask whatever was found
    extra_readings: tuple[HostReading, ...] = ()  # what else to read by the same login
    left_out: tuple[str, ...] = ()  # ids of runbooks that are not to be asked: whoever asks may not
    is_brief: bool = False  # for a table: the status, the first sentence and the verdicts, without what supports them


@dataclass(frozen=True)
class Answer:
    """A diagnosis and the facts after each sample, for `--save` and for cases.

    Where no runbook was named, `triage` is the whole answer, the diagnosis is its first, and `others` hold the rest of them.
    """

    diagnosis: Diagnosis
    history: tuple[Facts, ...]
    extra_facts: Facts = field(default_factory=dict)  # by kind, what the question asked for besides
    extra_outputs: tuple[collect.Output | Unreadable, ...] = ()  # of the question's readings, in their order
    triage: Triage | None = None
    others: tuple["Answer", ...] = ()

    @property
    def result(self) -> Found:
        """Return what a face shows: the triage where several runbooks were asked, else the diagnosis."""
        return self.triage or self.diagnosis


Progress = Callable[[str, Callable[[], Answer] | None], None]  # a stage, and the answer so far, which costs as much as the last


_FORMS = {
    "pid": (re.compile(r"[1-9][0-9]{0,9}"), "the number of a process"),
    "systemd_unit": (re.compile(r"[!-~]{1,255}"), "the name of a systemd unit"),
    "user": (re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,255}"), "the name or number of a user"),
    "text": (re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]{1,10000}"), "text without control characters"),
}


def check_inputs(runbook: model.Runbook, question: Question) -> None:
    """Refuse inputs and accepted checks the runbook does not know. Raises UsageError."""
    _refuse_others("takes no input", "input", question.inputs, runbook, runbook.inputs)
    for name, value in question.inputs.items():
        form, says = _FORMS[runbook.inputs[name].type]
        if value and not form.fullmatch(str(value)):
            raise UsageError(f"{runbook.name}: input {name}: expected {says}, got {safe_text(str(value), 60)!r}", reason="input")
    if question.accepted:
        _refuse_others("has no check", "check", question.accepted, runbook, [check.id for check in runbook.checks])


def _refuse_others(what: str, reason: str, names: Iterable[str], runbook: model.Runbook, known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{runbook.name} {what} {name!r}{did_you_mean(name, known)}", reason=reason)


def checks_to_accept(runbook: model.Runbook, question: Question, configured: Sequence[str]) -> tuple[str, ...]:
    """Return the checks whose unknown result is accepted: those of the question, then of the configuration and the inventory.

    What is configured is for all runbooks, so a check of another one is left out. Raises UsageError for one that is misspelt.
    """
    known = [check.id for check in runbook.checks]
    accepted = dict.fromkeys(question.accepted)
    for name in (*configured, *question.target.accept):
        if name in known:
            accepted[name] = None
        elif near := nearest(name, known, 0.8):
            raise UsageError(f"accept_unknown: {runbook.name} has no check {name!r} (did you mean {near!r}?)", reason="check")
    return tuple(accepted)
