"""`triagebook slack`: the manifest of the app, and whether its tokens are what they must be."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="The Slack app: its manifest, and whether its tokens fit.")


@app.command()
def manifest(
    *,
    url: Annotated[str, typer.Option(help="https://NAME where Slack reaches --slack-http; without it for Socket Mode")] = "",
    history: Annotated[
        bool,
        typer.Option("--history", help="Ask to read channels too: a card that was posted just before a crash is found again"),
    ] = False,
) -> None:
    """Print the app's manifest, for these runbooks and commands. Paste it at api.slack.com/apps, Create New App."""
    from triagebook.bot.slack.manifest import as_yaml  # noqa: PLC0415
    from triagebook.bot.slack.manifest import manifest as made  # noqa: PLC0415

    if url and not url.startswith("https://"):
        raise UsageError("--url: Slack sends to https only", reason="usage")
    sys.stdout.write(as_yaml(made(_commands(), url, has_history=history)))


@app.command()
def check(
    *,
    over_http: Annotated[bool, typer.Option("--http", help="The signing secret is needed, the app-level token is not")] = False,
) -> None:
    """Ask Slack whether the tokens are valid and allow what is needed. Exit status 4 when something is missing."""
    from triagebook.bot.slack.checking import problems  # noqa: PLC0415
    from triagebook.bot.slack.settings import credentials  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415

    settings = setup.settings()
    found = problems(credentials(over_http=over_http), str(settings.slack.get("approvals") or ""))
    for line in found:
        sys.stdout.write(f"{line}\n")
    if any(line.startswith("MISSING") for line in found):
        raise typer.Exit(4)


def _commands() -> Mapping[str, str]:
    from triagebook.bot.slack.settings import slack_settings  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415

    settings = setup.settings()
    runbooks = tuple(dict.fromkeys(entry.id for entry in setup.runbooks(settings).entries()))
    return slack_settings(settings.slack, runbooks).commands
