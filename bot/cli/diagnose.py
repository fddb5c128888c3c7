"""Run `triagebook diagnose`: one host or many, text or JSON, progress on standard error."""

import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from triagebook.bot.render.text import Style, render
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Question, check_inputs
from triagebook.tools.diagnosis.recording import save_answer
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.log import is_logged

if TYPE_CHECKING:
    from triagebook.bot.render.fleet import HostRow
    from triagebook.tools.diagnosis.fleet import FleetBounds, Outcome
    from triagebook.tools.ssh.transport import SshTransport

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
OPENSSH_AT_ONCE = 50  # each host costs a process
NO_ANSWER = "triagebook/no-answer/v1"  # status failed | not_asked: every host named gets a line


@dataclass(frozen=True)
class DiagnoseOptions:
    """The options of `triagebook diagnose` as parsed from the command line."""

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
    dialing: "SshTransport | None" = None


def run(options: DiagnoseOptions, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Diagnose the hosts, print the answers and return the exit status."""
    out, err = out or sys.stdout, err or sys.stderr
    settings = setup.settings()
    targets = setup.targets(settings, options.hosts, options.ssh_config)
    if not targets:
        raise UsageError(f"no hosts in {', '.join(options.hosts)}")
    service = setup.service(settings, transport=options.transport, ssh_config=options.ssh_config, dialing=options.dialing)
    runbook = options.runbook or setup.default_runbook(settings, service.catalog)
    questions = [Question(target, runbook, options.inputs, options.accepted, options.sample_s) for target in targets]
    if options.save and len(questions) > 1:
        raise UsageError("--save works with one host only")
    if len(questions) == 1:
        return _one(service, questions[0], options, out, err)
    return _many(service, questions, options, out, err)


def _one(service: Service, question: Question, options: DiagnoseOptions, out: TextIO, err: TextIO) -> int:
    show = _live_line(err, question.target.text)
    answer = service.diagnose(question, show)
    show("done", None)
    if options.save:
        save_answer(Path(options.save), answer)
    if options.as_json:
        write_json(out, to_plain(answer.diagnosis))
    else:
        out.write(render(answer.diagnosis, style_of(options, out)))
    return exit_status([answer.diagnosis.status])


def write_json(out: TextIO, value: object) -> None:
    """Write a value as one line of JSON."""
    out.write(json.dumps(value, ensure_ascii=False) + "\n")
    out.flush()


def _many(service: Service, questions: Sequence[Question], options: DiagnoseOptions, out: TextIO, err: TextIO) -> int:
    """Print answers as they arrive. Of each host only its table row stays in memory, and with --json not even that."""
    from triagebook.bot.render.fleet import render_table  # noqa: PLC0415 - for many hosts only
    from triagebook.tools.diagnosis.fleet import fleet  # noqa: PLC0415

    runbook = questions[0].runbook
    check_inputs(service.catalog.load(runbook), questions[0])
    gc.freeze()  # objects made before the first host live on: the garbage collector need not visit them again
    rows: list[HostRow] = []
    statuses: Counter[str] = Counter()
    for number, outcome in enumerate(fleet(service, runbook, _bounds(options)).ask(questions), 1):
        row = _row(outcome)
        statuses[row.status] += 1
        if outcome.error is not None:
            err.write(f"triagebook: {outcome.error}\n")
        elif err.isatty():
            err.write(f"\r{number}/{len(questions)} hosts ")
        if not options.as_json:
            rows.append(row)
        elif outcome.answer is not None:
            write_json(out, to_plain(outcome.answer.diagnosis))
        else:
            write_json(out, {"schema": NO_ANSWER, "host": {"name": row.host}, "status": row.status, "message": row.line})
        del outcome  # frees all facts of the host
    if err.isatty():
        err.write("\r\x1b[K")
    if statuses["not_asked"]:
        err.write(f"triagebook: stopped after {options.max_errors} errors; {statuses['not_asked']} hosts were not diagnosed\n")
    if rows:
        out.write(render_table(rows, style_of(options, out)))
    return exit_status(statuses)


def _row(outcome: "Outcome") -> "HostRow":
    from triagebook.bot.render.fleet import HostRow, row_of  # noqa: PLC0415

    if outcome.answer is not None:
        return row_of(outcome.answer.diagnosis)
    if outcome.error is not None:
        return HostRow(outcome.question.target.text, "failed", outcome.error.reason, str(outcome.error))
    return HostRow(outcome.question.target.text, "not_asked", "stopped by --max-errors before this host")


def _bounds(options: DiagnoseOptions) -> "FleetBounds":
    from triagebook.tools.diagnosis.fleet import AT_ONCE, FleetBounds  # noqa: PLC0415

    at_once = options.at_once or (OPENSSH_AT_ONCE if options.transport == "openssh" else AT_ONCE)
    return FleetBounds(at_once, options.max_errors)


class _live_line:  # noqa: N801 - used as a function
    """Show one line of progress on a terminal, erased at the end; print nothing elsewhere."""

    def __init__(self, err: TextIO, host: str) -> None:
        self.err, self.host = err, host

    def __call__(self, stage: str, diagnosis: Diagnosis | None) -> None:
        if not self.err.isatty() or is_logged("diagnosis.started"):  # with -v it is said line by line
            return
        words = {"connecting": "connecting...", "asking": "reading systemd and the journal...", "done": ""}
        first = f"first sample: {diagnosis.headline[:90]} taking a second one..." if diagnosis else words.get(stage, stage)
        self.err.write(f"\r\x1b[K{self.host}: {first}" if first else "\r\x1b[K")
        self.err.flush()


def exit_status(statuses: Iterable[str]) -> int:
    """Return the exit status for these hosts: the first that occurs of 4, 3, 1, 6, 0."""
    present = {EXIT_STATUS[status] for status in statuses}
    return next((status for status in WORST_FIRST if status in present), 4)


def style_of(options: DiagnoseOptions, out: TextIO) -> Style:
    """Return the style of the output: colour on a terminal unless NO_COLOR is set or TERM is dumb."""
    colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour=colour, explain=options.explain)
