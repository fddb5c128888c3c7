"""Probes by a program with a fixed argv (a `run` kind): LimitNPROC of every loaded service, from systemctl(1) show."""

from collections import Counter
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

_NO_LIMIT = {str(2**64 - 1), "infinity"}
_MOST_DIGITS = 20


@dataclass(frozen=True)
class ServiceLimit:
    """Describes a service whose limit is another than that of most services of the host."""

    IDENTITY: ClassVar[str] = "unit"

    unit: str
    nproc: str = fact("", "systemctl show LimitNPROC of {unit}")


@dataclass(frozen=True)
class ProcessLimits:
    """Describes the limits of services. `usual` is what most have: the manager's default. A limit is a count, or "infinity"."""

    special: Collection[ServiceLimit]
    usual: str | Unreadable = fact("", "systemctl show LimitNPROC of most services")


FACTS = ProcessLimits


def command(subject: str) -> tuple[str, ...]:
    """Return the argv; the only subject is "services".

    Raises:
        ValueError: another subject.
    """
    if subject != "services":
        raise ValueError(f"not a subject of these limits: {safe_text(subject, 80)!r}")
    return ("systemctl", "show", "--no-pager", "--property=Id,LoadState,LimitNPROC", "--", "*.service")


def parse(stdout: str) -> ProcessLimits | Unreadable:
    """Read blocks of KEY=VALUE lines. What is not loaded prints defaults, which are no facts."""
    limits: dict[str, str] = {}
    for block in stdout.split("\n\n"):
        shown = {key: value for line in block.split("\n") for key, found, value in (line.partition("="),) if found}
        value = "infinity" if shown.get("LimitNPROC") in _NO_LIMIT else shown.get("LimitNPROC", "")
        is_count = value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS
        if shown.get("LoadState") == "loaded" and shown.get("Id") and (is_count or value == "infinity"):
            limits[safe_text(shown["Id"], 300)] = value
    if not limits:
        return Unreadable("systemctl showed no service")
    usual = Counter(limits.values()).most_common(1)[0][0]
    special = tuple(ServiceLimit(unit, value) for unit, value in sorted(limits.items()) if value != usual)
    return ProcessLimits(Collection(special, counted=len(limits) - len(special)), usual)
