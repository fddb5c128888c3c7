"""Makes the first sentence of an answer: what was found on the host, and what is to be said of the error text. Pure."""

from collections.abc import Mapping, Sequence
from typing import cast

from triagebook.runbooks.engine import model, symptoms, template
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Status, Unknown, Verdict
from triagebook.runbooks.engine.judge import Facts

REACHED = frozenset({"now", "at_limit"})


@dataclass(frozen=True)
class Said:
    """Holds what a first sentence is made of. `is_open`: somebody named something, and nothing that was found explains it."""

    status: Status
    verdicts: Sequence[Verdict]
    unknown: Sequence[Unknown]
    is_open: bool


def first_sentence(runbook: model.Runbook, said: Said, facts: Facts, of_text: str) -> str:
    """Return the first sentence. `of_text` is what is said of the error text itself: first where nothing explains it, else last."""
    if said.is_open and runbook.unexplained is not None:
        sentence = f"{template.render(runbook.unexplained.says, facts)}{_open_checks(said)}{_beside(said.verdicts)}"
        return f"{of_text} {sentence}" if of_text else sentence
    sentence = _of_host(runbook, said, facts)
    return f"{sentence} {of_text}" if of_text else sentence


def _beside(verdicts: Sequence[Verdict]) -> str:
    """Return the sentence about what was found and is not known to be why, such as a limit that is merely close."""
    if not verdicts:
        return ""
    how = "Close to a limit, but not at it" if verdicts[0].is_only_close else "Found, but it does not explain this"
    return f" {how}: {verdicts[0].summary}"


def _of_host(runbook: model.Runbook, said: Said, facts: Facts) -> str:
    """Return the first sentence about the host, whatever error text was given."""
    first = said.verdicts[0] if said.verdicts else None
    if first is not None and said.status == "warning" and first.is_only_close and runbook.unexplained is not None:
        return (
            f"Nothing was seen to be refused; this is only close to a limit. {first.summary} "
            "If something was refused, it need not be why: name the error text or the unit."
        )
    if first is not None and (said.status in {"cause_found", "warning"} or first.active in REACHED):
        is_guess = said.status == "inconclusive" and first.nature != "other" and runbook.unexplained is not None
        text = getattr(runbook.headlines, first.nature)  # says which of the two it is, as only what is likely may
        sentence = f"Possible, not more: {first.summary}" if is_guess else template.render(text, {**facts, "verdict": first})
        return sentence + _how_it_relates(runbook, said, first, facts)
    sentence = template.render(runbook.headlines.healthy if said.status == "healthy" else runbook.headlines.inconclusive, facts)
    sentence += _open_checks(said) if said.status == "inconclusive" else ""
    return f"{sentence} {first.summary}" if first is not None else sentence


def _open_checks(said: Said) -> str:
    return f" Not judged: {', '.join(item.check for item in said.unknown)}." if said.unknown else ""


def _how_it_relates(runbook: model.Runbook, said: Said, first: Verdict, facts: Facts) -> str:
    """Return how the first verdict stands to what was asked: another matter's, or of an earlier time that is not known."""
    if first.explains_symptom == "no":
        return f" This is real, but it {_why_unrelated(runbook, first, facts)}."
    is_asked = symptoms.names_something(cast(Mapping[str, object], facts["inputs"]))
    if runbook.unexplained is not None and said.status == "warning" and is_asked and first.nature != "other":
        return " That was earlier: if what you ask about is newer, nothing that was seen explains it."
    return ""


def _why_unrelated(runbook: model.Runbook, verdict: Verdict, facts: Facts) -> str:
    """Return why a verdict is not about what was asked: the error cannot come of it, or it concerns somebody else."""
    asked = cast(Mapping[str, object], facts["inputs"])
    if symptoms.explains(runbook.check(verdict.cause), str(asked["symptom_class"])) == "no":
        return "does not explain the error you gave"
    named = [f"{name} {asked[name]}" for name in ("unit", "user", "pid") if asked.get(name)]
    return f"does not concern {' or '.join(named) or asked['symptom_path']}"


def about_text(runbook: model.Runbook, facts: Facts, of_others: str) -> str:
    """Return what is to be said of the error text itself: that it is another matter's, or that nobody here knows it.

    `of_others` is the sentence about a text that none of several runbooks knows.
    """
    asked = cast(Mapping[str, object], facts["inputs"])
    text = str(asked.get("symptom", ""))
    symptom = symptoms.route(runbook, text)
    if symptom is not None and symptom.matter:
        return symptom.says
    unknown = of_others or "The error text is none that this runbook knows; the host was judged without it."
    return unknown if text and symptom is None and not asked["symptom_class"] else ""
