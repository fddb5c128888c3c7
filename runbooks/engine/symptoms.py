"""Finds the class of an error text, and what else it says. The class is the first split of the causes; the text proves none."""

import re
from collections.abc import Mapping
from typing import Any

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.expressions import matches
from triagebook.runbooks.engine.libc_messages import in_english

MAX_SYMPTOM = 2000
NAMED = ("symptom", "unit", "user", "pid")  # inputs by which somebody says what it happened to
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(
    r"\b(?:mmap|commit_memory|malloc|mlock)\((?:0x[0-9a-f]+, ?)?(?P<call>[0-9]{5,18})\b"
    r"|(?<![\w.])(?P<number>[0-9]{1,18}(?:\.[0-9]{1,3})?)[ -]?(?P<unit>bytes?|[kmgt]i?b?)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(?<![\w.@:\\-])[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,200}\.(?:service|scope)\b(?![\w.-])")
_CONTROLLED = re.compile(r"pids controller in (?P<path>/[^\s,;]{1,255})")


def route(runbook: model.Runbook, text: str) -> model.Symptom | None:
    """Return the first symptom of the runbook that matches; None when none does, or there is no text."""
    if not text:
        return None
    text = in_english(text[:MAX_SYMPTOM])
    return next((symptom for symptom in runbook.symptoms if matches(symptom.match, text)), None)


def classify(runbook: model.Runbook, text: str) -> str:
    """Return the class of the first symptom of the runbook that matches, '' if none does."""
    symptom = route(runbook, text)
    return symptom.error_class if symptom else ""


def rule_inputs(runbook: model.Runbook, inputs: Mapping[str, object], error_class: str = "") -> dict[str, Any]:
    """Return what rules see as `inputs`: the caller's words, and what the error text says.

    `symptom_class` is '' when no error was given. `symptom_bytes` is the largest size that the text names (0: none),
    `symptom_path` the cgroup that the kernel's own line names. `about_unit` is the unit that the caller or else the text names.
    """
    text = str(inputs.get("symptom", ""))[:MAX_SYMPTOM]
    path, unit = _CONTROLLED.search(text), _UNIT.search(text)
    return {
        **inputs,
        "symptom_class": error_class or classify(runbook, text),
        "symptom_bytes": largest_size(text),
        "symptom_path": path["path"] if path else "",
        "about_unit": inputs.get("unit") or (unit[0] if unit else ""),
    }


def largest_size(text: str) -> int:
    """Return the largest size in bytes that a text names, 0 if none: `mmap(8589934592)`, `8.00 GiB`, `4194304-byte block`."""
    sizes = [0]
    for match in _SIZE.finditer(text):
        if match["call"]:
            sizes.append(int(match["call"]))
        else:
            sizes.append(int(float(match["number"]) * _UNITS[match["unit"][0].lower()]))
    return min(max(sizes), 2**53 - 1)


def names_something(inputs: Mapping[str, object]) -> bool:
    """Say whether the caller named an error, a unit, a user or a process."""
    return any(inputs.get(name) for name in NAMED)


def explains(check: model.Check, error_class: str) -> str:
    """Say whether a cause can produce such an error: yes | no | unknown (no class given)."""
    if not error_class:
        return "unknown"
    return "yes" if error_class in check.explains else "no"
