"""Error text to error class. The class is the first split of the causes; the text itself proves none of them."""

from collections.abc import Mapping
from typing import Any

from triagebook.runbooks.engine import model, rules

MAX_SYMPTOM = 2000


def classify(runbook: model.Runbook, text: str) -> str:
    """The class of the first symptom of the runbook that matches, '' if none does."""
    if not text:
        return ""
    for symptom in runbook.symptoms:
        if rules.matches(symptom.match, text[:MAX_SYMPTOM]):
            return symptom.error_class
    return ""


def rule_inputs(runbook: model.Runbook, inputs: Mapping[str, object], error_class: str = "") -> dict[str, Any]:
    """What rules see as `inputs`: the caller's words and `symptom_class`, which is '' when no error was given."""
    return {**inputs, "symptom_class": error_class or classify(runbook, str(inputs.get("symptom", "")))}


def explains(check: model.Check, error_class: str) -> str:
    """Whether a cause can produce such an error: yes | no | unknown (no class given)."""
    if not error_class:
        return "unknown"
    return "yes" if error_class in check.explains else "no"
