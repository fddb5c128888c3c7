"""Words a verdict for every face of people: how pressing and how sure it is, and how it stands to what was asked."""

from triagebook.runbooks.engine.diagnosis import Diagnosis, Verdict

ACTIVE_WORDS = {
    "now": "being refused now",
    "at_limit": "at the limit",
    "past": "was refused earlier",
    "near": "close to the limit",
    "trend": "heading for the limit",
}


def verdict_words(verdict: Verdict, cause: str = "") -> str:
    """Return a verdict in a few words. How sure it is stands with what was reached: beside a limit that is merely close,
    "likely" would read as "the likely cause". `cause` is its name as it is to be written.
    """
    words = [cause or verdict.cause, ACTIVE_WORDS[verdict.active]]
    return ", ".join(words if verdict.is_only_close else [*words, verdict.strength])


def verdict_label(verdict: Verdict) -> str:
    """Return what a verdict is called: a cause is what was reached or refused, and can be what was asked about."""
    return "Cause" if verdict.may_be_why else "Found"


def offers_title(diagnosis: Diagnosis) -> str:
    """Return what stands above the offered changes. Where nothing explains what was asked about, none is known to help."""
    if diagnosis.status == "inconclusive" and not (diagnosis.verdict is not None and diagnosis.verdict.may_be_why):
        return "Changes to what was found, which need not be why (nothing was changed; each needs approval):"
    return "Changes that would help (nothing was changed; each needs approval):"


def relation_text(verdict: Verdict, *, has_error: bool) -> str:
    """Return how a verdict stands to what was asked, or '': only where an error was given is there one it does not explain."""
    if verdict.belongs_to:
        return f"another matter: runbook {verdict.belongs_to}"
    if verdict.explains_symptom != "no":
        return ""
    return "does not explain the error given" if has_error else "does not concern what you named"
