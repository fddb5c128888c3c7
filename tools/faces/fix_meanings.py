"""Says for each state of a fix what it means and what to do next, in the same words on every face for people.

`{fix}` and `{host}` in a command stand for the fix and its host. A command is a whole line that can be pasted.
"""

from collections.abc import Mapping

from triagebook.runbooks.engine.dataclass import dataclass

_DIAGNOSE = "triagebook diagnose {host}"
_SHOW = "triagebook fix show {fix}"
_REVERT = "triagebook fix revert {fix}"


@dataclass(frozen=True)
class FixMeaning:
    """What a state means, what to do now, and the commands for it."""

    says: str
    advice: str = ""
    commands: tuple[str, ...] = ()


MEANINGS: Mapping[str, FixMeaning] = {
    "proposed": FixMeaning("Nothing was changed.", "Another person reads the plan and decides.", ("triagebook fix approve {fix}",)),
    "approved": FixMeaning(
        "The host is read again before anything runs; a plan that no longer holds is not applied.",
        commands=("triagebook fix apply {fix}",),
    ),
    "running": FixMeaning("The host is being changed.", commands=(_SHOW,)),
    "reverting": FixMeaning("The previous value is being restored.", commands=(_SHOW,)),
    "validated": FixMeaning(
        "The change took effect and the cause is gone.",
        "A live change ends at the next boot or restart. To keep it, or to put it back:",
        ("triagebook fix persist {fix}", _REVERT),
    ),
    "unresolved": FixMeaning(
        "The change is in place, but the cause could not be shown to be gone.",
        "Diagnose the host: if the limit is full again, find out what fills it before raising it; or put it back:",
        (_DIAGNOSE, _REVERT),
    ),
    "reverted": FixMeaning("The previous value is in place again.", commands=(_DIAGNOSE,)),
    "failed": FixMeaning(
        "The change was not carried out as planned.", "The outcome says why. Diagnose the host before the next plan:", (_DIAGNOSE,)
    ),
    "unknown": FixMeaning(
        "The outcome is not known yet. The fix will not run again; the journal on the host will settle it.",
        "Change nothing else on this host until it is settled:",
        (_SHOW,),
    ),
    "denied": FixMeaning("Nothing was changed."),
    "withdrawn": FixMeaning("Nothing was changed."),
    "expired": FixMeaning("Nothing was changed. It can be proposed again.", commands=(_DIAGNOSE,)),
    "stale": FixMeaning(
        "Nothing was changed: the plan rested on facts that no longer hold.",
        "Propose a fix for what the host is now:",
        (_DIAGNOSE,),
    ),
}
LASTING = FixMeaning("The change is in its file: it holds from the next start on.")  # a permanent step that was carried out


def meaning_of(state: str, action: str, step: str) -> FixMeaning | None:
    """Return what a state means for a plan of that action and step; None for a state this release does not know."""
    if state == "validated" and action == "undo":
        return MEANINGS["reverted"]
    if state in {"validated", "unresolved"} and step == "persist":
        return LASTING
    return MEANINGS.get(state)


def commands_of(meaning: FixMeaning, fix: str, host: str) -> list[str]:
    """Return the commands with the fix and its host in them."""
    return [line.replace("{fix}", fix).replace("{host}", host) for line in meaning.commands]
