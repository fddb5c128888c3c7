"""`triagebook runbook release` writes the digest of a finished version into the lock file of its folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from triagebook.runbooks.engine.errors import RunbookError, UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
LOCK = "runbooks.lock"


@app.command()
def release(
    name: Annotated[str, typer.Argument(metavar="RUNBOOK", help="ID@VERSION: the version whose content may never change again")],
) -> None:
    """Release a version of a runbook; it never changes again. Its lint and its cases must pass.

    The digest is added to runbooks.lock beside the runbook's folder. A later change is a new version folder.

    Example: triagebook runbook release my-runbook@1.0.0
    """
    from triagebook.runbooks.library.cases import read_cases, run_case  # noqa: PLC0415 - light start
    from triagebook.runbooks.library.coverage import gaps  # noqa: PLC0415 - as above
    from triagebook.runbooks.library.remediations import misfits  # noqa: PLC0415 - as above
    from triagebook.runbooks.probes.catalog import facts_types  # noqa: PLC0415 - as above
    from triagebook.tools.actions import ACTIONS  # noqa: PLC0415 - as above
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415 - as above

    catalog = setup.runbooks(setup.settings())
    entry = catalog.find(name)
    if "@" not in name:
        raise UsageError(f"say which version is released: triagebook runbook release {entry.name}", reason="usage")
    if entry.name in catalog.lock():
        raise UsageError(f"{entry.name} is released already", reason="usage")
    runbook = catalog.load(name)
    cases = read_cases(entry, facts_types(), runbook)
    failing = [case.name for case in cases if run_case(runbook, case).failures]
    complaints = (*misfits(runbook, entry.document(), ACTIONS), *gaps(runbook, cases))
    if failing or complaints:
        wrong = [*([f"{len(complaints)} complaints of lint"] if complaints else []), *(f"case {case} fails" for case in failing)]
        see = f"triagebook runbook lint {entry.name}" if complaints else f"triagebook runbook test {entry.name}"
        raise RunbookError(f"{entry.name} is not released: {', '.join(wrong[:5])}. See: {see}", reason="usage")
    _add(entry.folder.parent.parent / LOCK, f"{entry.name} {runbook.digest}")
    sys.stdout.write(f"{entry.name} is released: {runbook.digest}\n")


def _add(file: Path, line: str) -> None:
    from triagebook.tools.files import write_whole  # noqa: PLC0415 - light start

    try:
        before = file.read_text("utf-8") if file.is_file() else ""
        apart = "" if not before or before.endswith("\n") else "\n"
        write_whole(file, f"{before}{apart}{line}\n".encode(), mode=file.stat().st_mode & 0o777 if before else 0o644)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", reason="usage") from None
