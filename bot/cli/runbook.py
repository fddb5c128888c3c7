"""`triagebook runbook ...` lists, shows, checks, tests and compares runbooks, and starts new ones."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from triagebook.bot.cli import options, runbook_release, runbook_words
from triagebook.runbooks.engine.errors import RunbookError, UsageError

if TYPE_CHECKING:
    from triagebook.runbooks.library.catalog import Catalog

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(runbook_words.app)
app.add_typer(runbook_release.app)
RunbookName = Annotated[str, typer.Argument(metavar="RUNBOOK", help="ID or ID@VERSION")]
OptionalName = Annotated[
    str, typer.Argument(metavar="[RUNBOOK]", help="ID or ID@VERSION; all runbooks if omitted", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


def _catalog() -> "Catalog":
    """Return the runbooks of this person."""
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415 - light start

    return setup.service(setup.settings()).catalog


@app.command("list")
def list_runbooks(*, as_json: JsonOption = False) -> None:
    """List the runbooks. Shows version, state (released or draft), digest and number of cases.

    Example: triagebook runbook list
    """
    from triagebook.bot.render.runbooks import runbooks_text  # noqa: PLC0415 - light start
    from triagebook.bot.render.style import style_of  # noqa: PLC0415 - as above

    catalog = _catalog()
    released = catalog.lock()
    rows = []
    for entry in catalog.entries():
        runbook = catalog.load(entry.name)
        state = "released" if entry.name in released else "draft"
        rows.append(
            {"name": entry.name, "title": runbook.title, "state": state, "digest": runbook.digest, "cases": len(entry.cases)}
        )
    if as_json:
        typer.echo(json.dumps(rows))
        return
    sys.stdout.write(runbooks_text(rows, style_of(sys.stdout)))


@app.command()
def show(name: RunbookName, *, as_json: JsonOption = False) -> None:
    """Show the decision tree of a runbook. Lists its checks in order, their states and remediations.

    Example: triagebook runbook show my-runbook
    """
    from triagebook.bot.render.runbooks import tree_text  # noqa: PLC0415 - light start
    from triagebook.bot.render.style import style_of  # noqa: PLC0415 - as above
    from triagebook.runbooks.engine.plain_data import to_plain  # noqa: PLC0415

    runbook = _catalog().load(name)
    if as_json:
        typer.echo(json.dumps({**to_plain(runbook), "digest": runbook.digest}))
        return
    cases = sorted(file.stem for file in _catalog().find(name).cases)
    sys.stdout.write(tree_text(runbook, cases, style_of(sys.stdout)))


@app.command()
def lint(name: OptionalName = "") -> None:
    """Check runbooks for mistakes. Exits 1 and lists them.

    It checks form, names, expressions and templates, that each remediation asks for an action that exists and for values
    that it takes, and that the recorded cases cover every state.

    Example: triagebook runbook lint my-runbook
    """
    from triagebook.runbooks.library.coverage import gaps, line_of_gap  # noqa: PLC0415
    from triagebook.runbooks.library.remediations import misfits  # noqa: PLC0415
    from triagebook.tools.actions import ACTIONS  # noqa: PLC0415

    complaints = 0
    for missing in _catalog().missing_releases():
        complaints += 1
        typer.echo(f"{missing}: released (in runbooks.lock), but its folder is missing")
    for entry, runbook, cases in _with_cases(name):
        document = entry.document()
        unproved = ((line_of_gap(gap, runbook, document), gap) for gap in gaps(runbook, cases))
        found = [*misfits(runbook, document, ACTIONS), *(f"{entry.name}: runbook.yaml:{line}: {gap}" for line, gap in unproved)]
        complaints += len(found)
        for sentence in found:
            typer.echo(sentence)
    if complaints:
        raise typer.Exit(1)
    typer.echo("no complaints")


@app.command()
def test(name: OptionalName = "", *, as_json: JsonOption = False) -> None:
    """Run the recorded cases of runbooks. Exits 1 if a verdict differs from the expected one.

    Each case is named where one runbook is; of all runbooks only those that fail are.

    Example: triagebook runbook test my-runbook
    """
    from triagebook.runbooks.library.cases import run_case  # noqa: PLC0415

    failed = passed = 0
    for entry, runbook, cases in _with_cases(name):
        for case in cases:
            result = run_case(runbook, case)
            failed, passed = failed + bool(result.failures), passed + (not result.failures)
            if as_json:
                typer.echo(json.dumps({"runbook": entry.name, "case": case.name, "failures": result.failures}))
                continue
            for failure in result.failures:
                typer.echo(f"{entry.name} {case.name}: {failure}")
            if name and not result.failures:
                typer.echo(f"ok  {entry.name} {case.name}: {case.about}")
    typer.echo(f"{passed} passed, {failed} failed", err=as_json)
    if failed or not passed:
        raise typer.Exit(1)


def _with_cases(name: str) -> list[tuple[Any, Any, Any]]:
    from triagebook.runbooks.library.cases import read_cases  # noqa: PLC0415
    from triagebook.runbooks.probes.catalog import facts_types  # noqa: PLC0415

    catalog = _catalog()
    entries = [catalog.find(name)] if name else catalog.entries()
    found = []
    for entry in entries:
        runbook = catalog.load(entry.name)
        found.append((entry, runbook, read_cases(entry, facts_types(), runbook)))
    return found


@app.command()
def schema(
    what: Annotated[
        str,
        typer.Argument(metavar="[SCHEMA]", help="runbook, triage (of `diagnose --json`) or diagnosis (the same with -r)"),
    ] = "runbook",
) -> None:
    """Print a JSON Schema. Describes a runbook file, for editors, or what `diagnose --json` prints, for programs.

    Example: triagebook runbook schema > runbook.schema.json
    """
    from triagebook.runbooks.library.schema_files import diagnosis_schema, runbook_schema, triage_schema  # noqa: PLC0415

    schemas = {"runbook": runbook_schema, "diagnosis": diagnosis_schema, "triage": triage_schema}
    if what not in schemas:
        raise UsageError(f"no schema {what!r}; choose one of: {', '.join(schemas)}")
    typer.echo(json.dumps(schemas[what](), indent=1, sort_keys=True))


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="ID@VERSION")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="ID@VERSION")],
) -> None:
    """Compare two versions of a runbook, path by path. Exits 1 if they differ.

    Example: triagebook runbook diff my-runbook@1.0.0 my-runbook@1.1.0
    """
    from triagebook.bot.render.changes import changes  # noqa: PLC0415 - light start
    from triagebook.runbooks.engine.plain_data import to_plain  # noqa: PLC0415

    catalog = _catalog()
    before, after = to_plain(catalog.load(old)), to_plain(catalog.load(new))
    lines = changes(before, after)
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(1)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of the new runbook")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that holds your runbooks")],
) -> None:
    """Start a new runbook in FOLDER/ID/0.1.0. It gets a working definition and cases to extend.

    Example: triagebook runbook new my-runbook ./runbooks
    """
    from triagebook.runbooks.library.starter import start_runbook  # noqa: PLC0415

    for file in start_runbook(name, folder):
        typer.echo(str(file))


@app.command()
def record(
    host: Annotated[str, typer.Argument(metavar="HOST", help="HOST, USER@HOST or localhost")],
    case: Annotated[Path, typer.Argument(metavar="FILE", help="The new case file, for example cases/my-host.yaml")],
    *,
    runbook: options.RunbookOption = "",
    about: Annotated[str, typer.Option(metavar="TEXT", help="Describe in one sentence what was broken")] = "",
    samples: Annotated[int, typer.Option(metavar="N", help="Record one or two samples", min=1, max=2)] = 2,
    symptom: Annotated[str, typer.Option(metavar="TEXT", help="The error message seen on the host")] = "",
    ssh_config: options.SshConfig = "",
) -> None:
    """Record a test case from a live host. It holds the host's facts, with names replaced, and today's verdict.

    Without -r it is of the runbook that the first sentence of `diagnose` would be of. Review the file before you share it.

    Example: triagebook runbook record web01 web01.yaml --about 'worker is full'
    """
    from triagebook.runbooks.engine.plain_data import to_plain  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.diagnosis.question import Question  # noqa: PLC0415
    from triagebook.tools.diagnosis.recording import plain_facts, record_case  # noqa: PLC0415
    from triagebook.tools.inventory.target import parse_target  # noqa: PLC0415
    from triagebook.tools.own_file import require_new, write_new  # noqa: PLC0415

    require_new(case)
    settings = setup.settings()
    service = setup.service(settings, ssh_config=ssh_config)
    inputs = {"symptom": symptom} if symptom else {}
    answer = service.diagnose(Question(parse_target(host), runbook or settings.default_runbook, inputs, samples=samples))
    if not answer.history:
        raise RunbookError(f"nothing to record: {answer.diagnosis.headline}")
    facts = plain_facts(answer)
    found = answer.diagnosis
    write_new(case, record_case(facts, to_plain(found), about=about or found.headline, symptom=symptom if found.symptom else ""))
    typer.echo(f"{case}: a case of {found.runbook.id}. {found.headline}")
