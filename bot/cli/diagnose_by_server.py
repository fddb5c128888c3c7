"""Has the approval server of this machine diagnose: with `--server`, and by itself where a host is out of a person's own reach."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

from triagebook.bot.cli.answer_output import print_answer
from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.bot.cli.progress import Progress
from triagebook.bot.render.fleet import HostRow, render_table, row_of, row_of_failure
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import write_json
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.stored_diagnosis import read_plain
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.server.client import ask, default_socket
from triagebook.tools.settings import Settings, has_watch

AT_ONCE = 6  # below what the server lets one user hold at a time
SILENT = frozenset(
    {"no_server", "inventory", "host_name", "no_inventory", "busy"}
)  # it cannot help: the person's own answer stands


def ask_server(targets: Sequence[TargetName], options: DiagnoseOptions, out: TextIO, err: TextIO) -> list[str]:
    """Print what the server answers for each host; return the statuses. Raises TriagebookError where only one host was named."""
    if options.save or options.accepted:
        raise UsageError("--save and --accept-unknown are for diagnoses of your own: leave out --server", reason="usage")
    if all(target.kind == "local" for target in targets):
        raise UsageError("--server needs a host of the server's inventory; this machine is diagnosed without it", reason="usage")
    with Progress(f"The approval server diagnoses {_names(targets)}", err):
        if len(targets) == 1:
            found = _ask(targets[0], options)
            print_answer(found, options, out)
            return [found.status]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda target: _try(target, options), targets))
    rows = []
    for target, answer in zip(targets, answers, strict=True):
        rows.append(_row(target, answer))
        if options.as_json and not isinstance(answer, TriagebookError):
            write_json(out, to_plain(answer))
        elif options.as_json:
            err.write(f"triagebook: {safe_text(str(answer), 400)}\n")
    if not options.as_json:
        out.write(render_table(rows, style_of(out), asked=len(rows), retry_file=""))
    return [row.status for row in rows]


def ask_instead(target: TargetName, options: DiagnoseOptions, err: TextIO) -> Found | None:
    """Return what the server finds of a host that this person does not reach; None if there is no server, or it does no better.

    It may hold an open session, of a watch that began while the host was well, where no new login works.
    """
    if target.kind != "remote" or not default_socket().is_socket():
        return None
    try:
        with Progress(f"{target.text} is unreachable from here; asking the approval server, which may hold an open session", err):
            found = _ask(target, options)
    except TriagebookError as error:
        if error.reason not in SILENT:
            err.write(f"triagebook: the approval server does not diagnose {safe_text(target.text, 80)} for you: {error}\n")
        return None
    if found.status == "unreachable":
        err.write(f"triagebook: the approval server does not reach {safe_text(target.text, 80)} either\n")
        return None
    err.write(f"triagebook: {safe_text(target.text, 80)} is unreachable from here; this is what the approval server finds\n")
    return found


def tell_of_watch(target: TargetName, settings: Settings, ssh_config: str, err: TextIO) -> None:
    """Say that a watch of this account has an open session to the host, which is there under another spelling of its name."""
    if target.kind != "remote" or not has_watch(settings):
        return
    plain = parse_target(target.text).host
    for name in dict.fromkeys((plain, f"root@{plain}", plain.partition(".")[0])):
        for other in setup.targets(settings, (name,), ssh_config):
            path = setup.watch_socket(settings, other, ssh_config)
            if name != target.text and path is not None and path.exists():
                err.write(f"triagebook: a watch of it runs; its open session answers: triagebook diagnose {safe_text(name, 80)}\n")
                return


def _ask(target: TargetName, options: DiagnoseOptions) -> Found:
    """Ask for one host, by the name that an inventory would have. Raises the server's refusal."""
    name = target.text if target.kind == "replay" else parse_target(target.text).host
    request = {"do": "diagnose", "host": name, "runbook": options.runbook, "inputs": dict(options.inputs)}
    return read_plain(ask(default_socket(), request))


def _try(target: TargetName, options: DiagnoseOptions) -> Found | TriagebookError:
    try:
        return _ask(target, options)
    except TriagebookError as error:
        return error


def _row(target: TargetName, answer: Found | TriagebookError) -> HostRow:
    if isinstance(answer, TriagebookError):
        return row_of_failure(target.text, answer.reason, str(answer))
    return row_of(answer)


def _names(targets: Sequence[TargetName]) -> str:
    return safe_text(targets[0].text, 80) if len(targets) == 1 else f"{len(targets)} hosts"
