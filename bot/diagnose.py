"""`triagebook diagnose`: one host or many, text or JSON, progress on standard error."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from triagebook.bot.render.text import Style, render
from triagebook.runbooks.engine.diagnosis import Diagnosis, as_json
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.tools import setup
from triagebook.tools.save import save_answer
from triagebook.tools.service import Answer, Question, Service
from triagebook.tools.target_name import parse_target

if TYPE_CHECKING:
    from triagebook.tools.transport.ssh import SshTransport

EXIT_STATUS: Mapping[str, int] = {"healthy": 0, "cause_found": 1, "inconclusive": 3, "unreachable": 4, "warning": 6}
WORST_FIRST = (4, 3, 1, 6, 0)
AT_ONCE = 128  # a silent host holds its place for 8 s: with 32 places, one in ten stops a fleet of 500


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
    dialing: "SshTransport | None" = None


def run(options: Options, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Diagnose, print, and return the exit status."""
    out, err = out or sys.stdout, err or sys.stderr
    settings = setup.settings()
    targets = [parse_target(host) for host in dict.fromkeys(options.hosts)]
    service = setup.service(settings, transport=options.transport, ssh_config=options.ssh_config, dialing=options.dialing)
    runbook = options.runbook or setup.default_runbook(settings, service.catalog)
    questions = [Question(target, runbook, options.inputs, options.accepted, options.sample_s) for target in targets]
    if options.save and len(questions) > 1:
        raise UsageError("--save takes one host at a time")
    style = Style(colour=_wants_colour(out), explain=options.explain)
    diagnoses: list[Diagnosis] = []  # not the answers: the facts of a fleet would stay in memory
    failed = 0
    for result in _ask(service, questions, err):
        if isinstance(result, TriagebookError):
            failed += 1
            err.write(f"triagebook: {result}\n")
            continue
        diagnoses.append(result.diagnosis)
        if options.save:
            save_answer(Path(options.save), result)
        if options.as_json:
            out.write(json.dumps(as_json(result.diagnosis), ensure_ascii=False) + "\n")
            out.flush()
    if not options.as_json:
        _print(diagnoses, style, out)
    return exit_status(diagnoses, failed=failed)


def _ask(service: Service, questions: Sequence[Question], err: TextIO) -> Iterator[Answer | TriagebookError]:
    """Answers as they come. A single question's own failure is raised: nothing else would say it better."""
    if len(questions) == 1:
        show = _live_line(err, questions[0].target.text)
        yield service.diagnose(questions[0], show)
        show("done", None)
        return
    from concurrent.futures import ThreadPoolExecutor, as_completed  # noqa: PLC0415 - for many hosts only

    service.catalog.load(questions[0].runbook)  # once, not by every thread at the same moment
    with ThreadPoolExecutor(min(AT_ONCE, len(questions))) as pool:
        # nobody else keeps the futures, so what has been told is forgotten
        for number, future in enumerate(as_completed([pool.submit(service.diagnose, question) for question in questions]), 1):
            if err.isatty():
                err.write(f"\r{number}/{len(questions)} hosts ")
            try:
                yield future.result()
            except TriagebookError as error:
                yield error
    if err.isatty():
        err.write("\r\x1b[K")


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


def _print(diagnoses: Sequence[Diagnosis], style: Style, out: TextIO) -> None:
    if len(diagnoses) == 1:
        out.write(render(diagnoses[0], style))
    elif diagnoses:
        from triagebook.bot.render.fleet import render_table  # noqa: PLC0415 - for many hosts only

        out.write(render_table(diagnoses, style))


def exit_status(diagnoses: Iterable[Diagnosis], *, failed: int = 0) -> int:
    """For several hosts the first present of 4, 3, 1, 6, 0."""
    present = {EXIT_STATUS[diagnosis.status] for diagnosis in diagnoses} | ({4} if failed else set())
    return next((status for status in WORST_FIRST if status in present), 4)


def _wants_colour(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
