"""`triagebook feedback ...` shows and gives the word of people on answers, and writes the draft of a case of one that was wrong."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, call_server, show_answer
from triagebook.bot.render.feedback import feedback_text
from triagebook.bot.render.style import style_of

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
AnswerArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of the answer, such as 20261130T141500-be2e41fd")]


@app.command(name="list")
def list_(
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="Only what was said of answers about this host")] = "",
    *,
    limit: Annotated[int, typer.Option(metavar="N", help="How many to show", min=1, max=500)] = 50,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """List answers that people called right or wrong.

    The newest are first; of one person's words on one answer the last counts. They stand in the audit log.

    Example: triagebook feedback list web01
    """
    request = {"do": "feedback", "host": host, "limit": limit}
    show_answer(request, socket, as_json, lambda found: feedback_text(found, style_of(sys.stdout)))


@app.command()
def right(answer: AnswerArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Record that an answer was right.

    Example: triagebook feedback right 20261130T141500-be2e41fd
    """
    _give({"do": "give_feedback", "answer": answer, "was": "right"}, socket, as_json=as_json)


@app.command()
def wrong(
    answer: AnswerArgument,
    it_was: Annotated[str, typer.Argument(metavar="TEXT", help="What it was, in your own words")],
    *,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Record that an answer was wrong, and what it was.

    Example: triagebook feedback wrong 20261130T141500-be2e41fd 'a full disk'
    """
    _give({"do": "give_feedback", "answer": answer, "was": "wrong", "it_was": it_was}, socket, as_json=as_json)


@app.command()
def case(
    answer: AnswerArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new case file, for example cases/my-host.yaml")],
    *,
    socket: SocketOption = None,
) -> None:
    """Write the draft of a case, kept of a wrong answer.

    It holds the facts of the host at that time, with names replaced, and the verdict to be corrected. Review it before
    you share it.

    Example: triagebook feedback case 20261130T141500-be2e41fd cases/web01.yaml
    """
    from triagebook.tools.own_file import require_new, write_new  # noqa: PLC0415 - light start

    require_new(file)
    write_new(file, str(call_server({"do": "get_case", "answer": answer}, socket)))
    sys.stdout.write(f"{file}: correct what it expects, then: triagebook runbook test\n")


def _give(request: dict[str, object], socket: Path | None, *, as_json: bool) -> None:
    show_answer(request, socket, as_json, lambda said: feedback_text([said], style_of(sys.stdout)))
