"""What only root may read leaves a healthy host without a verdict: says so in a sentence, with what to do about it."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.symptoms import names_something
from triagebook.tools.diagnosis.question import Question

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import Conclusion  # imports the templates

DENIED = "permission denied"


def with_cure(conclusion: "Conclusion", question: Question) -> "Conclusion":
    """Return the conclusion with the ways to judge what was denied: ask as root, or accept that it stays unknown.

    Where nothing else is open, the first sentence says that the host is healthy but for that.
    """
    open_checks = [item for item in conclusion.unknown if item.check not in question.accepted]
    denied = [item.check for item in open_checks if item.because.startswith(DENIED)]
    if not denied:
        return conclusion
    names = ", ".join(denied)
    headline = conclusion.headline
    if len(denied) == len(open_checks) and conclusion.verdict is None and not names_something(question.inputs):
        headline = f"Healthy but for what only root may read here: {names}. {headline}"
    return replace(conclusion, headline=headline, next=(*conclusion.next, *_cures(names, denied, question)))


def _cures(names: str, denied: list[str], question: Question) -> tuple[str, ...]:
    target = question.target
    if target.kind == "replay":
        return ()
    options = " ".join(f"--accept-unknown {name}" for name in denied)
    host = "" if target.kind == "local" else f" {shlex.quote(target.text)}"
    as_root = "sudo triagebook diagnose" if target.kind == "local" else f"triagebook diagnose {shlex.quote(f'root@{target.host}')}"
    return (
        f"To judge {names}, ask as root: `{as_root}`",
        f"To accept that it stays unknown: `triagebook diagnose{host} {options}` For every face and for good, name it under "
        "accept_unknown in config.yaml, or of a host or group in inventory.yaml; the host is then healthy with a caveat.",
    )
