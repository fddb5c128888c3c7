"""`triagebook diagnose` of many hosts: a JSON line for each as it comes, or one table at the end."""

import gc
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from triagebook.bot.cli.diagnose import Options, exit_status, style_of, write_json
from triagebook.bot.render.fleet import Row, render_table, row_of
from triagebook.runbooks.engine.diagnosis import as_json
from triagebook.tools.fleet import AT_ONCE, Bounds, Outcome, fleet
from triagebook.tools.service import Question, Service, check_inputs

OPENSSH_AT_ONCE = 50  # a program for each host
NO_ANSWER = "triagebook/no-answer/v1"  # status failed | not_asked: every host asked for has a line


def run(service: Service, questions: Sequence[Question], options: Options, out: TextIO, err: TextIO) -> int:
    """Answers as they come; of each host only its row of the table is kept, and with --json not even that."""
    runbook = questions[0].runbook
    check_inputs(service.catalog.load(runbook), questions[0])
    gc.freeze()  # what is there before the first host stays: no collection need look at it for each hundred hosts
    rows: list[Row] = []
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
            write_json(out, as_json(outcome.answer.diagnosis))
        else:
            write_json(out, {"schema": NO_ANSWER, "host": {"name": row.host}, "status": row.status, "message": row.line})
        del outcome  # it holds all facts of a host
    if err.isatty():
        err.write("\r\x1b[K")
    if statuses["not_asked"]:
        err.write(f"triagebook: stopped after {options.max_errors} errors; {statuses['not_asked']} hosts were not asked\n")
    if rows:
        out.write(render_table(rows, style_of(options, out)))
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
