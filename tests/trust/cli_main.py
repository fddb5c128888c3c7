"""The trusted side's commands under one name, as `triagebook` has them."""

import sys

import typer
from triagebook.bot import audit_commands, fix_commands, policy_commands, serve_command
from triagebook.runbooks.engine.errors import TriagebookError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(fix_commands.app, name="fix")
app.add_typer(fix_commands.lock_app, name="lock")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(policy_commands.app, name="policy")
app.command()(serve_command.serve)

if __name__ == "__main__":
    try:
        app()
    except TriagebookError as error:
        sys.stderr.write(f"{error.reason}: {error}\n")
        sys.exit(5)
