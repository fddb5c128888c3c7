"""Reads by systemctl(1) which services ended by a signal or a dump, or were restarted (a `run` kind, fixed argv).

Result, code and status are of the last run that ended, and are set back when the next run starts: in a loop of crashes only the
number of restarts is steady, and it says nothing of their reason. Any account may ask.
"""

import re
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "LimitCORE",
    "LimitSTACK",
)
_NAMES = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 31: "SIGSYS"}
_MOST = 12


@dataclass(frozen=True)
class CrashedUnit:
    """Describes one service. `signal` names the signal that ended its last run, "" for none of a crash."""

    IDENTITY: ClassVar[str] = "unit"

    unit: str
    active_state: str = fact("", "systemctl show ActiveState of {unit}")
    sub_state: str = fact("", "systemctl show SubState of {unit}")
    result: str = fact("", "systemctl show Result of {unit}")
    signal: str = fact("", "systemctl show ExecMainCode and ExecMainStatus of {unit}")
    is_dumped: bool = fact("", "systemctl show ExecMainCode of {unit}")  # a dump handler ran; that a file exists is another matter
    restarts: int = fact("restarts", "systemctl show NRestarts of {unit}")
    limit_core: str = fact("", "systemctl show LimitCORE of {unit}")  # a count or "infinity"
    limit_stack: str = fact("", "systemctl show LimitSTACK of {unit}")


@dataclass(frozen=True)
class CrashedUnits:
    """Holds the services that a signal of a crash ended, or that systemd restarted by itself."""

    IS_ASKED: ClassVar[bool] = True

    units: Collection[CrashedUnit]
    services: int = fact("services", "systemctl show '*.service'")


FACTS = CrashedUnits


def command(subject: str = "services") -> tuple[str, ...]:
    """Return the argv; the only subject is "services".

    Raises:
        ValueError: another subject.
    """
    if subject != "services":
        raise ValueError(f"not a subject of crashes: {safe_text(subject, 80)!r}")
    return ("systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", "*.service")


def parse(stdout: str) -> CrashedUnits | Unreadable:
    """Read blocks of KEY=VALUE lines."""
    units, services = [], 0
    for block in stdout.split("\n\n"):
        shown = {key: value for line in block.split("\n") for key, found, value in (line.partition("="),) if found}
        if shown.get("Id"):
            services += 1
            unit = _unit(shown)
            if unit.signal or unit.restarts:
                units.append(unit)
    if not services:
        return Unreadable("systemctl showed no service")
    units.sort(key=lambda one: (not one.signal, -one.restarts, one.unit))
    more = len(units) - _MOST
    partial = f"{more} more services are not listed" if more > 0 else ""
    return CrashedUnits(Collection(tuple(units[:_MOST]), partial, services - len(units)), services)


def _unit(shown: dict[str, str]) -> CrashedUnit:
    is_ended = shown.get("ExecMainCode") in {"2", "3"}
    status = _count(shown.get("ExecMainStatus", ""))
    return CrashedUnit(
        unit=safe_text(shown["Id"], 300),
        active_state=safe_text(shown.get("ActiveState", ""), 40),
        sub_state=safe_text(shown.get("SubState", ""), 40),
        result=safe_text(shown.get("Result", ""), 40),
        signal=_NAMES.get(status, "") if is_ended else "",
        is_dumped=shown.get("ExecMainCode") == "3",
        restarts=_count(shown.get("NRestarts", "")),
        limit_core=_limit(shown.get("LimitCORE", "")),
        limit_stack=_limit(shown.get("LimitSTACK", "")),
    )


def _count(value: str) -> int:
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0


def _limit(value: str) -> str:
    return "infinity" if value == str(2**64 - 1) else safe_text(value, 40)
