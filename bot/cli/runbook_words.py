"""`triagebook runbook kinds` and `runbook explain` say what the words of a runbook mean, read off the code itself."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean

if TYPE_CHECKING:
    from triagebook.bot.render.style import Style
    from triagebook.runbooks.engine import model
    from triagebook.runbooks.library.catalog import Catalog

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")]
_RUNBOOK = re.compile(r"(?P<name>[a-z][a-z0-9-]*(?:@\d+\.\d+\.\d+)?)(?:\.(?P<rest>.+))?")


@app.command()
def kinds(*, as_json: JsonOption = False) -> None:
    """List the kinds of probes with what each reads.

    Example: triagebook runbook kinds
    """
    from triagebook.bot.render.explain import kinds_text  # noqa: PLC0415 - light start
    from triagebook.bot.render.style import style_of  # noqa: PLC0415 - as above
    from triagebook.bot.render.terminal import json_line  # noqa: PLC0415 - as above
    from triagebook.runbooks.engine.plain_data import to_plain  # noqa: PLC0415 - as above
    from triagebook.runbooks.library.vocabulary import describe_kind  # noqa: PLC0415 - as above
    from triagebook.runbooks.probes import catalog  # noqa: PLC0415 - as above

    found = [describe_kind(kind) for kind in catalog.kinds()]
    sys.stdout.write("".join(json_line(to_plain(kind)) for kind in found) if as_json else kinds_text(found, style_of(sys.stdout)))


@app.command()
def explain(
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="KIND, KIND.FACT, RUNBOOK.CHECK, or the id of a check, remediation or action")
    ],
) -> None:
    """Explain a word of runbooks: a kind, fact, check or action.

    Facts come with type, unit and file, actions and remediations with the values that their parameters take.

    \b
    Examples:
      triagebook runbook explain pids_cgroups
      triagebook runbook explain address_spaces.mapped.maps
      triagebook runbook explain max_map_count
      triagebook runbook explain unit_tasks_max
    """
    from triagebook.bot.render.style import style_of  # noqa: PLC0415 - light start
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415 - as above

    sys.stdout.write(text_of(word, setup.runbooks(setup.settings()), style_of(sys.stdout)))


def text_of(word: str, catalog: "Catalog", style: "Style") -> str:
    """Return what a word means. Raises UsageError with the nearest one."""
    from triagebook.bot.render.explain import action_text, check_text, remediation_text  # noqa: PLC0415 - light start
    from triagebook.runbooks.probes import catalog as probes  # noqa: PLC0415 - as above
    from triagebook.tools.actions import ACTIONS  # noqa: PLC0415 - as above

    first, _, rest = word.partition(".")
    kind = _kind(first, rest, style) if first in probes.kinds() else ""
    if kind and word not in ACTIONS:
        return kind
    newest = {name: catalog.load(name) for name in sorted({entry.id for entry in catalog.entries()})}
    if (found := _RUNBOOK.fullmatch(word)) and found["name"].partition("@")[0] in newest:
        newest, word = {found["name"]: catalog.load(found["name"])}, found["rest"] or ""
    elif word in ACTIONS:
        action = action_text(ACTIONS[word], dict(_users_of(word, newest)), style)
        return f"{kind}\n{action}" if kind else action  # some names, as sysctl, are of both
    known = [*probes.kinds(), *ACTIONS, *newest] if len(newest) > 1 or word else []
    for runbook in newest.values():
        for check in runbook.checks:
            if check.id == word:
                return check_text(runbook, check, style)
        if word in runbook.remediations:
            return remediation_text(runbook, runbook.remediations[word], style)
        known += [*(check.id for check in runbook.checks), *runbook.remediations]
    if not word:
        (runbook,) = newest.values()
        raise UsageError(
            f"{runbook.name} is a runbook; say {runbook.id}.CHECK, or: triagebook runbook show {runbook.name}", reason="usage"
        )
    raise UsageError(
        f"{word[:80]!r} is no kind, check, remediation or action{did_you_mean(word, known)}; "
        "kinds: triagebook runbook kinds; checks: triagebook runbook show RUNBOOK",
        reason="usage",
    )


def _kind(kind: str, path: str, style: "Style") -> str:
    from triagebook.bot.render.explain import kind_text  # noqa: PLC0415 - light start
    from triagebook.runbooks.library.vocabulary import describe_kind  # noqa: PLC0415 - as above

    described = describe_kind(kind)
    facts = described.below(path) if path else described.facts
    if path and not facts:
        near = did_you_mean(path, [fact.path for fact in described.facts])
        raise UsageError(f"{kind} has no fact {path[:80]!r}{near}; all: triagebook runbook explain {kind}", reason="usage")
    return kind_text(described, facts, style)


def _users_of(action: str, runbooks: "Mapping[str, model.Runbook]") -> Iterator[tuple[str, str]]:
    for runbook in runbooks.values():
        for remediation in runbook.remediations.values():
            if remediation.action == action:
                yield remediation.id, runbook.name
