"""Builds the help for one person: only the commands that this person may use."""

from collections.abc import Collection, Iterator, Sequence

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import Block, bullets, context, fixed_width, header, note
from triagebook.bot.slack.cards.limits import Card, Part, card

MAX_RUNBOOKS = 12
SAYS = (
    ("diagnose", "Diagnose a host: nothing on it is changed. Also by mention in a thread, or by the shortcut of a message."),
    ("propose", "Propose a fix from a diagnosis' card. Nothing changes until others have approved it."),
    ("approve", "Approve or deny fixes of other people; never your own. App Home lists what waits for you."),
    ("apply", "Apply what is approved."),
    ("break_lock", "Break the lock of a host, with a reason (triagebook lock break)."),
    ("read_audit", "Read the audit log (triagebook audit list)."),
)


def help_card(allowed: Collection[str], command: str, runbooks: Sequence[tuple[str, str]]) -> Card:
    """Return the help card. `allowed` are actions the policy allows on some host; `runbooks` are (name, title), default first."""
    may = [says for action, says in SAYS if action in allowed]
    commands = list(_commands(command, [name for name, _title in runbooks])) if "diagnose" in allowed else []
    parts: list[Part | Block] = [header("triagebook: what you may do here")]
    if not may:
        parts.append(note("Nothing: the policy allows your account no action. Ask the policy owner."))
    if "diagnose" in allowed:
        parts.append(fixed_width("Commands", commands))
        told = [f"{name}: {title}" for name, title in runbooks[:MAX_RUNBOOKS]]
        parts.append(Part(bullets("Runbooks", map(mrkdwn.plain, told or ["none"])), 1, len(told)))
    if may:
        parts.append(bullets("You may", may))
    parts.append(context("What you may not do is not listed. `triagebook policy check` explains why."))
    return card(parts, mrkdwn.fallback(["What you may do here:", *(may or ["nothing"]), *commands]))


def _commands(command: str, runbooks: Sequence[str]) -> Iterator[str]:
    yield f"{command} HOST"
    yield f'{command} HOST symptom="the error text" unit=worker.service user=app pid=123'
    yield f"{command}               (a form)"
    if runbooks:
        yield f"/triage HOST {runbooks[0]}"
    yield f"{command} help"
