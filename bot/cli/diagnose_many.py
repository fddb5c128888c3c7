"""Diagnose many hosts: which of those named, answers as they arrive, one table or a JSON line each, and a file for the rest."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.bot.cli.near_names import NearNames
from triagebook.bot.render.fleet import WITHOUT_ANSWER, HostRow, render_table, row_of, row_of_failure
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import move, write_json
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.fleet import AT_ONCE, FleetBounds, Outcome, fleet
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.own_file import write_hosts_left
from triagebook.tools.server.client import default_socket

NO_ANSWER = "triagebook/no-answer/v1"  # status failed | not_asked: every host named gets a line
OPENSSH_AT_ONCE = 50  # each host costs a process


def names_in(file: str) -> tuple[str, ...]:
    """Return the hosts that a file names, one a line; `-` is standard input, and what follows a # is a comment.

    Raises UsageError: the file cannot be read, or names none.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--hosts-from {file}: {getattr(error, 'strerror', None) or error}") from None
    names = tuple(name for line in text.splitlines() if (name := line.partition("#")[0].strip()))
    if not names:
        raise UsageError(f"--hosts-from {file}: it names no host; write one a line")
    return names


def choose(targets: Sequence[TargetName], only: Sequence[str], exclude: Sequence[str]) -> tuple[TargetName, ...]:
    """Return the hosts that match one pattern of `only` (none: every host) and none of `exclude`, such as `web*`.

    Raises UsageError: a pattern matches no host, or none is left.
    """
    names = [target.text for target in targets]
    for option, patterns in (("--limit", only), ("--exclude", exclude)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise UsageError(f"{option} {pattern!r} matches none of the {len(names)} hosts{did_you_mean(pattern, names)}")
    chosen = tuple(
        target
        for target in targets
        if (not only or any(fnmatchcase(target.text, pattern) for pattern in only))
        and not any(fnmatchcase(target.text, pattern) for pattern in exclude)
    )
    if not chosen:
        raise UsageError(f"--limit and --exclude leave none of the {len(names)} hosts")
    return chosen


@dataclass(frozen=True)
class FleetOutput:
    """Where answers go: standard output, and standard error for progress."""

    out: TextIO
    err: TextIO


def ask_many(service: Service, questions: Sequence[Question], options: DiagnoseOptions, to: FleetOutput) -> list[str]:
    """Print the answers as they arrive, then the table; return each host's status. Of each host only its row stays in memory.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the table of those that had answered is printed before.
    """
    runbook = questions[0].runbook
    service.runbooks_for(questions[0])  # refuses what no host could be asked
    gc.freeze()  # objects made before the first host live on: the garbage collector need not visit them again
    rows: list[HostRow] = []
    near = NearNames(setup.settings(), options.ssh_config, to.err)
    names = [question.target.text for question in questions]
    try:
        for outcome in _ask(service, runbook, questions, options):
            rows.append(_row(outcome))
            _show(outcome, rows, len(questions), to, as_json=options.as_json)
            if outcome.answer is not None and outcome.answer.diagnosis.status == "unreachable":
                near.tell(rows[-1].host, outcome.answer.diagnosis.login)
            del outcome  # frees all facts of the host
    except KeyboardInterrupt:
        _finish(rows, names, options, to)
        raise
    _finish(rows, names, options, to)
    return [row.status for row in rows]


def _ask(service: Service, runbook: str, questions: Sequence[Question], options: DiagnoseOptions) -> Iterator[Outcome]:
    at_once = options.at_once or (OPENSSH_AT_ONCE if options.transport == "openssh" else AT_ONCE)
    bounds = FleetBounds(at_once, options.max_errors)
    return fleet(service, runbook, bounds).ask([replace(question, is_brief=not options.as_json) for question in questions])


def _show(outcome: Outcome, rows: Sequence[HostRow], asked: int, to: FleetOutput, *, as_json: bool) -> None:
    """Print a host's line of JSON, or how many have answered. A failure is told once: in the table, or beside the JSON."""
    row = rows[-1]
    if as_json and outcome.error is not None:
        to.err.write(f"triagebook: {outcome.error}\n")
    elif to.err.isatty():
        move(to.err, "\r")
        to.err.write(f"{len(rows)}/{asked} hosts ")
        to.err.flush()
    if as_json and outcome.answer is not None:
        write_json(to.out, to_plain(outcome.answer.result))
    elif as_json:
        write_json(to.out, {"schema": NO_ANSWER, "host": {"name": row.host}, "status": row.status, "message": row.line})


def _finish(rows: Sequence[HostRow], names: Sequence[str], options: DiagnoseOptions, to: FleetOutput) -> None:
    """Print the table and what was not done, and write the file of hosts that gave no answer, or not yet."""
    if to.err.isatty():
        move(to.err, "\r\x1b[K")
    counts = Counter(row.status for row in rows)
    if counts["not_asked"]:
        to.err.write(f"triagebook: stopped after {options.max_errors} errors; {counts['not_asked']} hosts were not diagnosed\n")
    if options.retry_file:
        answered = {row.host for row in rows if row.status not in WITHOUT_ANSWER}
        write_hosts_left(Path(options.retry_file), [name for name in names if name not in answered])
    if any(row.status == "unreachable" for row in rows) and default_socket().is_socket():
        to.err.write("triagebook: the approval server may hold open sessions to hosts that you do not reach: diagnose --server\n")
    if rows and not options.as_json:
        to.out.write(render_table(rows, style_of(to.out), asked=len(names), retry_file=options.retry_file))


def _row(outcome: Outcome) -> HostRow:
    if outcome.answer is not None:
        return row_of(outcome.answer.result)
    if outcome.error is not None:
        return row_of_failure(outcome.question.target.text, outcome.error.reason, str(outcome.error))
    return HostRow(outcome.question.target.text, "not_asked", "stopped by --max-errors before this host")
