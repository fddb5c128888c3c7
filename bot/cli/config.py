"""`triagebook config ...` shows the configuration in use with where each value comes from, and edits it safely."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from triagebook.bot.render.plan import table
from triagebook.bot.render.style import room_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis import setup
from triagebook.tools.inventory.sources import ANSIBLE, load
from triagebook.tools.settings import config_file, config_path, read_settings
from triagebook.tools.settings_origin import origins

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
TEMPLATE = """\
# Configuration of triagebook. All keys may be left out.
# runbook_paths: [runbooks]          # folders of further runbooks, relative to this file
# default_runbook: my-runbook
# ssh_config: ~/.ssh/config
# inventory: [inventory.yaml, ssh_config, "ansible:/etc/ansible/hosts"]
# accept_unknown: [max_map_count]    # checks whose unknown result is a caveat, not inconclusive
"""
LONGEST = 8192  # of a value: it is shown whole
EDITOR = "vi"  # as POSIX programs have it where $VISUAL and $EDITOR are not set


@app.command()
def view(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")] = False) -> None:
    """Show each setting with where it comes from.

    That is a line of config.yaml, a variable of the environment, or `default`.

    Example: triagebook config view
    """
    found = origins()
    if as_json:
        sys.stdout.write("".join(json_line(to_plain(setting)) for setting in found))
        return
    rows = [[item.key, item.value or "-", item.origin] for item in found]
    sys.stdout.write(table(("setting", "value", "from"), rows, room_of(sys.stdout), longest=LONGEST))


@app.command()
def path() -> None:
    """Print where the configuration file is looked for. Exits 4 if there is none.

    Example: triagebook config path
    """
    file = config_path()
    sys.stdout.write(f"{file}\n")
    if not file.exists():
        sys.stderr.write("triagebook: there is no such file, so the defaults are used; make it with: triagebook config edit\n")
        raise typer.Exit(4)


@app.command()
def edit(*, check: Annotated[bool, typer.Option("--check", help="Only check the file as it is; open no editor")] = False) -> None:
    """Edit the configuration file in $VISUAL or $EDITOR. A file with a mistake does not replace the old one.

    Example: triagebook config edit --check
    """
    file = config_path()
    if check:
        _check(file)
        sys.stdout.write(f"{file}: {'no complaints' if file.exists() else 'there is none; the defaults are used'}\n")
        return
    draft = file.with_name("config.yaml.draft")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        if not draft.exists():  # what a mistake left there is edited on
            draft.write_bytes(file.read_bytes() if file.exists() else TEMPLATE.encode())
        _open_editor(draft)
        _check(draft)
        os.replace(draft, file)
    except TriagebookError as error:
        raise UsageError(f"{error}; {file} is unchanged. Go on where you were: triagebook config edit", reason="usage") from None
    sys.stdout.write(f"{file}: changed\n")


def _open_editor(file: Path) -> None:
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR)
    try:
        status = subprocess.run([*editor, str(file)], check=False).returncode
    except OSError as error:
        raise UsageError(f"{editor[0]}: {error.strerror}; set $EDITOR to your editor", reason="usage") from None
    if status:
        raise UsageError(f"{editor[0]} ended with status {status}", reason="usage")


def _check(file: Path) -> None:
    """Check the file, and that what it names is there. Raises TriagebookError naming what is not."""
    settings = read_settings(draft=file)
    catalog = setup.runbooks(settings)
    for name in (*([settings.default_runbook] if settings.default_runbook else []), *settings.triage):
        catalog.find(name)
    files = [source for source in settings.inventory if not source.startswith(ANSIBLE)]
    load(files, config_file(settings, ""))
