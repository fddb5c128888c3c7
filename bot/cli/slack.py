"""`triagebook slack ...` prints the manifest of the Slack app and checks its tokens."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError

app = typer.Typer(no_args_is_help=True)


@app.command()
def manifest(
    *,
    url: Annotated[
        str, typer.Option(metavar="URL", help="https://NAME under which Slack reaches --slack-http; omit it for Socket Mode")
    ] = "",
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Also request permission to read channels, so that a card posted just before a crash is found"
        ),
    ] = False,
    agent: Annotated[
        bool, typer.Option("--agent", help="Also let people write to the app itself, as to an assistant: a host and its error text")
    ] = False,
) -> None:
    """Print the manifest of the Slack app. It covers your runbooks and commands.

    Paste it at api.slack.com/apps, Create New App, From a manifest.

    Example: triagebook slack manifest --url https://triagebook.example.org
    """
    from triagebook.bot.slack.manifest import manifest as made  # noqa: PLC0415
    from triagebook.runbooks.library.yaml_text import write_yaml  # noqa: PLC0415

    if url and not url.startswith("https://"):
        raise UsageError("--url: Slack sends only to https", reason="usage")
    sys.stdout.write(write_yaml(made(_commands(), url, has_history=history, has_agent=agent)))


@app.command()
def check(
    *,
    over_http: Annotated[
        bool, typer.Option("--http", help="Check for --slack-http: the signing secret is required, the app-level token is not")
    ] = False,
) -> None:
    """Check the Slack tokens, and have Slack judge our cards. Exits 4 if one is invalid or lacks a scope that is needed.

    Example: triagebook slack check
    """
    from triagebook.bot.slack.settings import credentials  # noqa: PLC0415
    from triagebook.bot.slack.token_check import problems  # noqa: PLC0415
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
