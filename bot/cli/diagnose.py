"""Run `triagebook diagnose`: one host or many, text or JSON, progress on standard error."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from triagebook.bot.cli import output
from triagebook.bot.cli.answer_output import print_answer
from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.bot.render.terminal import move
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.log import is_logged
from triagebook.tools.settings import Settings

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


def run(options: DiagnoseOptions, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Diagnose the hosts, print the answers and return the exit status."""
    out, err = out or sys.stdout, err or sys.stderr
    settings = setup.settings()
    targets = _targets(settings, options)
    service = setup.service(
        settings,
        transport=options.transport,
        ssh_config=options.ssh_config,
        dialing=options.dialing,
        silent_s=options.timeout_s,
    )
    if options.is_by_server:
        from triagebook.bot.cli.diagnose_by_server import ask_server  # noqa: PLC0415 - where the server is asked only

        return exit_status(ask_server(targets, options, out, err))
    runbook = options.runbook or settings.default_runbook
    questions = [Question(target, runbook, options.inputs, options.accepted, options.sample_s) for target in targets]
    if options.save and len(questions) > 1:
        raise UsageError("--save works with one host only")
    _require_files(options)
    if len(questions) == 1 and not options.retry_file:
        return _one(service, questions[0], options, out, err)
    from triagebook.bot.cli.diagnose_many import FleetOutput, ask_many  # noqa: PLC0415 - for many hosts only

    try:
        return exit_status(ask_many(service, questions, options, FleetOutput(out, err)))
    except KeyboardInterrupt:
        return output.INTERRUPTED


def _require_files(options: DiagnoseOptions) -> None:
    """Refuse, before any host is asked, files that may not be written afterwards. Raises UsageError."""
    if options.save or options.retry_file:
        from triagebook.tools import own_file  # noqa: PLC0415 - where something is written only

        if options.save:
            own_file.require_new(Path(options.save))
        if options.retry_file:
            own_file.require_own(Path(options.retry_file), own_file.HOSTS_LEFT)


def _targets(settings: Settings, options: DiagnoseOptions) -> tuple[TargetName, ...]:
    """Return the hosts to diagnose: those named, or of a file, less those that the patterns leave out. Raises UsageError."""
    names = options.hosts
    if options.hosts_from or options.only or options.exclude:
        from triagebook.bot.cli.diagnose_many import choose, names_in  # noqa: PLC0415 - for many hosts only

        names = (*names, *names_in(options.hosts_from)) if options.hosts_from else names
        return choose(setup.targets(settings, names, options.ssh_config), options.only, options.exclude)
    return setup.targets(settings, names or ("localhost",), options.ssh_config)


def _one(service: Service, question: Question, options: DiagnoseOptions, out: TextIO, err: TextIO) -> int:
    show = _live_line(err, question.target.text)
    answer = service.diagnose(question, show)
    show("done", None)
    if answer.diagnosis.status == "unreachable" and options.hosts:
        from triagebook.bot.cli.diagnose_by_server import ask_instead, tell_of_watch  # noqa: PLC0415 - for a host out of reach

        if (by_server := ask_instead(question.target, options, err)) is not None:
            print_answer(by_server, options, out)
            return exit_status([by_server.status])
        tell_of_watch(question.target, setup.settings(), options.ssh_config, err)
    _tell_near_name(answer.diagnosis, options, err)
    if options.save:
        from triagebook.tools.diagnosis.recording import save_answer  # noqa: PLC0415 - compiles patterns of secrets for 10 ms

        save_answer(Path(options.save), answer)
    print_answer(answer.result, options, out)
    return exit_status([answer.diagnosis.status])


def _tell_near_name(diagnosis: Diagnosis, options: DiagnoseOptions, err: TextIO) -> None:
    """Say which name was probably meant when this one has no address."""
    if diagnosis.status == "unreachable":
        from triagebook.bot.cli.near_names import NearNames  # noqa: PLC0415 - for a mistyped name only

        NearNames(setup.settings(), options.ssh_config, err).tell(diagnosis.host.name, diagnosis.login)


class _live_line:  # noqa: N801 - used as a function
    """Show one line of progress on a terminal, erased at the end; print nothing elsewhere."""

    def __init__(self, err: TextIO, host: str) -> None:
        self.err, self.host = err, host

    def __call__(self, stage: str, answer: Callable[[], Answer] | None) -> None:
        if not self.err.isatty() or is_logged("diagnosis.started"):  # with -v it is said line by line
            return
        words = {"connecting": "connecting...", "asking": "reading systemd and the journal...", "done": ""}
        first = f"first sample: {answer().result.headline[:90]} taking a second one..." if answer else words.get(stage, stage)
        move(self.err, "\r\x1b[K")
        if first:
            self.err.write(f"{self.host}: {first}")
        self.err.flush()


def exit_status(statuses: Iterable[str]) -> int:
    """Return the exit status for these hosts: the first that occurs of 4, 3, 1, 6, 0."""
    present = {EXIT_STATUS[status] for status in statuses}
    return next((status for status in WORST_FIRST if status in present), 4)
