"""`triagebook diagnose`: one host or many, text or JSON, progress on standard error."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from triagebook.bot.render.fleet import Row, render_table, row_of
from triagebook.bot.render.text import Style, render
from triagebook.runbooks.engine.diagnosis import Diagnosis, as_json
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools import setup
from triagebook.tools.fleet import AT_ONCE, Bounds, Fleet, Outcome, fleet
from triagebook.tools.inventory_sources import expand
from triagebook.tools.save import save_answer
from triagebook.tools.service import Question, Service, check_inputs

EXIT_STATUS: Mapping[str, int] = {
    "healthy": 0,
    "cause_found": 1,
    "inconclusive": 3,
    "unreachable": 4,
    "warning": 6,
    "failed": 4,
    "not_asked": 4,
}
WORST_FIRST = (4, 3, 1, 6, 0)
OPENSSH_AT_ONCE = 50  # a program for each host
NO_ANSWER = "triagebook/no-answer/v1"  # status failed | not_asked: every host asked for has a line


@dataclass(frozen=True)
class Options:
    """What was asked on the command line."""

    hosts: tuple[str, ...]
    runbook: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)
    sample_s: float = 2.0
    explain: bool = False
    as_json: bool = False
    save: str = ""
    accepted: tuple[str, ...] = ()
    transport: str = "ssh"
    ssh_config: str = ""
    at_once: int = 0
    max_errors: int = 0


def run(options: Options, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Diagnose, print, and return the exit status."""
    out, err = out or sys.stdout, err or sys.stderr
    settings = setup.settings()
    targets = expand(options.hosts, settings.inventory, setup.config_file(settings, options.ssh_config))
    if not targets:
        raise UsageError(f"no hosts in {', '.join(options.hosts)}")
    service = setup.service(settings, transport=options.transport, ssh_config=options.ssh_config)
    runbook = options.runbook or setup.default_runbook(settings, service.catalog)
    questions = [Question(target, runbook, options.inputs, options.accepted, options.sample_s) for target in targets]
    if options.save and len(questions) > 1:
        raise UsageError("--save takes one host at a time")
    if len(questions) == 1:
        return _one(service, questions[0], options, out, err)
    check_inputs(service.catalog.load(runbook), questions[0])
    return _many(fleet(service, runbook, _bounds(options)), questions, options, out, err)


def _one(service: Service, question: Question, options: Options, out: TextIO, err: TextIO) -> int:
    show = _live_line(err, question.target.text)
    answer = service.diagnose(question, show)
    show("done", None)
    if options.save:
        save_answer(Path(options.save), answer)
    if options.as_json:
        _write_json(out, as_json(answer.diagnosis))
    else:
        out.write(render(answer.diagnosis, _style(options, out)))
    return exit_status([answer.diagnosis.status])


def _many(asking: Fleet, questions: Sequence[Question], options: Options, out: TextIO, err: TextIO) -> int:
    """Answers as they come; of each host only its row of the table is kept, and with --json not even that."""
    rows: list[Row] = []
    statuses: Counter[str] = Counter()
    for number, outcome in enumerate(asking.ask(questions), 1):
        row = _row(outcome)
        statuses[row.status] += 1
        if outcome.error is not None:
            err.write(f"triagebook: {outcome.error}\n")
        elif err.isatty():
            err.write(f"\r{number}/{len(questions)} hosts ")
        if not options.as_json:
            rows.append(row)
        elif outcome.answer is not None:
            _write_json(out, as_json(outcome.answer.diagnosis))
        else:
            _write_json(out, {"schema": NO_ANSWER, "host": {"name": row.host}, "status": row.status, "message": row.line})
        del outcome  # it holds all facts of a host
    if err.isatty():
        err.write("\r\x1b[K")
    if statuses["not_asked"]:
        err.write(f"triagebook: stopped after {options.max_errors} errors; {statuses['not_asked']} hosts were not asked\n")
    if rows:
        out.write(render_table(rows, _style(options, out)))
    return exit_status(statuses)


def _row(outcome: Outcome) -> Row:
    if outcome.answer is not None:
        return row_of(outcome.answer.diagnosis)
    if outcome.error is not None:
        return Row(outcome.question.target.text, "failed", outcome.error.reason, str(outcome.error))
    return Row(outcome.question.target.text, "not_asked", "the error budget was used up")


def _bounds(options: Options) -> Bounds:
    at_once = options.at_once or (OPENSSH_AT_ONCE if options.transport == "openssh" else AT_ONCE)
    return Bounds(at_once, options.max_errors)


def _write_json(out: TextIO, value: object) -> None:
    out.write(json.dumps(value, ensure_ascii=False) + "\n")
    out.flush()


class _live_line:  # noqa: N801 - used as a function
    """One line of progress on a terminal, erased at the end; nothing elsewhere."""

    def __init__(self, err: TextIO, host: str) -> None:
        self.err, self.host = err, host

    def __call__(self, stage: str, diagnosis: Diagnosis | None) -> None:
        if not self.err.isatty():
            return
        words = {"connecting": "connecting...", "asking": "asking systemd and the journal...", "done": ""}
        first = f"first look: {diagnosis.headline[:90]} looking again..." if diagnosis else words.get(stage, stage)
        self.err.write(f"\r\x1b[K{self.host}: {first}" if first else "\r\x1b[K")
        self.err.flush()


def exit_status(statuses: Iterable[str]) -> int:
    """For several hosts the first present of 4, 3, 1, 6, 0."""
    present = {EXIT_STATUS[status] for status in statuses}
    return next((status for status in WORST_FIRST if status in present), 4)


def _style(options: Options, out: TextIO) -> Style:
    colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour=colour, explain=options.explain)
