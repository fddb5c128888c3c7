"""Reads what a person wrote: `HOST [RUNBOOK] [unit=... user=... pid=... symptom="..."]`, or a message with an error in it."""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import field
from difflib import get_close_matches

from triagebook.bot.slack.cards.mrkdwn import words
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean, is_whole_number

INPUTS = ("unit", "user", "pid", "symptom")
HELP = "help"
_MENTION = re.compile(r"<[@!#][^>]*>")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MOST_SYMPTOM = 500


@dataclass(frozen=True)
class DiagnosisWish:
    """The diagnosis that a person wants. The host is empty if none was named."""

    host: str = ""
    runbook: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    is_help: bool = False


def read_command(text: str, runbook: str = "", runbooks: Collection[str] = ()) -> DiagnosisWish:
    """Read the text after a slash command that means `runbook` (empty: the text may name one of `runbooks`). Raises UsageError.

    Without a runbook, words behind the host are the error text.
    """
    said = _words(plain(text))
    if said and said[0].lower() == HELP:
        return DiagnosisWish(is_help=True)
    named, inputs = [], {}
    for word in said:
        key, equals, value = word.partition("=")
        if not equals:
            named.append(word)
        elif key not in INPUTS:
            raise UsageError(f"{key[:40]!r} is none of {', '.join(INPUTS)}{did_you_mean(key, INPUTS)}", reason="input")
        else:
            inputs[key] = value[:MOST_SYMPTOM]
    if len(named) > 1 and not runbook:
        if not runbooks or named[1] in runbooks:
            runbook = named.pop(1)
        elif near := len(named) == 2 and get_close_matches(named[1], sorted(runbooks), n=1, cutoff=0.8):
            raise UsageError(f"no runbook {named[1][:40]!r} (did you mean {near[0]!r}?)", reason="unknown_runbook")
        else:
            inputs.setdefault("symptom", " ".join(named[1:])[:MOST_SYMPTOM])
            named = named[:1]
    if len(named) > 1:
        raise UsageError(f'one host at a time: {named[0]} or {named[1]}? An error text is given as symptom="..."', reason="input")
    return DiagnosisWish(named[0] if named else "", runbook, inputs)


def parse_inputs(inputs: Mapping[str, str]) -> dict[str, object]:
    """Return the inputs as the services take them. Raises UsageError."""
    found: dict[str, object] = {name: value for name, value in inputs.items() if value}
    if "pid" in found:
        if not is_whole_number(str(found["pid"])):
            raise UsageError(f"pid: expected a number, got {str(found['pid'])[:20]!r}", reason="input")
        found["pid"] = int(str(found["pid"]))
    return found


def read_message(text: str, hosts: Collection[str], runbooks: Collection[str] = ()) -> DiagnosisWish:
    """Read a mention: the host it names, and the rest. Text that is no command is the symptom."""
    first = next(iter(plain(text).split(maxsplit=1)), "")
    if plain(text).lower() == HELP:
        return DiagnosisWish(is_help=True)
    found = hosts_in(text, hosts)
    if not found:
        return DiagnosisWish(first if _WORD.fullmatch(first) else "")
    rest = plain(text).replace(found[0], " ", 1)
    runbook, inputs, said = "", {}, []
    for word in _words(rest):
        key, equals, value = word.partition("=")
        if equals and key in INPUTS:
            inputs[key] = value
        elif word in runbooks:
            runbook = word
        else:
            said.append(word)
    symptom = " ".join(said)
    if "symptom" not in inputs and len(said) > 2:
        inputs["symptom"] = symptom[:MOST_SYMPTOM]
    return DiagnosisWish(found[0], runbook, inputs)


def hosts_in(text: str, hosts: Collection[str]) -> tuple[str, ...]:
    """Return the inventory names in a text, in order; dots at the end of a name may end a sentence."""
    named = dict.fromkeys(word.rstrip(".-") for word in _WORD.findall(plain(text)))
    return tuple(word for word in named if word in hosts)


def plain(text: str) -> str:
    """Return the text without mentions and with Slack's other forms as plain words."""
    return words(_MENTION.sub(" ", text)).strip()


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its partner
        return text.split()
