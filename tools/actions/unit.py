"""What is read about a unit before it is changed. Its cgroup file is the truth about its limit."""

import re

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.text import is_whole_number, safe_text
from triagebook.tools.actions.action import ManualChange
from triagebook.tools.actions.resources import RESOURCES
from triagebook.tools.collector.readings import HostReading

_UNLIMITED = ("infinity", "18446744073709551615")  # systemd up to 24x prints the number


@dataclass(frozen=True)
class LoadedUnit:
    """A unit that systemd knows. `tasks_max` is the enforced limit, or the configured one while it is inactive."""

    name: str
    is_active: bool
    tasks_max: str
    invocation: str
    limits: dict[str, str]  # resource -> SOFT:HARD
    main_pid: str = ""  # of a service


def capture(unit: str) -> HostReading:
    """Ask what systemd says about it, and its cgroup."""
    return HostReading("unit", (unit,))


def text_from_facts(change: ManualChange, action: str, setting: str, hard: str = "") -> str:
    """Write what `capture` would print if only the verdict's limit were set, and its hard one, where that is known.

    Raises UsageError when the limit was not read.
    """
    if change.verdict.limit is None:
        raise UsageError(f"{action}: the limit itself was not read")
    value = f"{change.verdict.limit.value:.0f}"
    settings = [resource.setting for resource in RESOURCES.values()]
    limits = dict.fromkeys(("TasksMax", *settings, *(f"{one}Soft" for one in settings)), "infinity")
    shown = {"LoadState": "loaded", "ActiveState": "active", **limits, setting: hard or value, f"{setting}Soft": value}
    return "".join(f"{key}={text}\n" for key, text in shown.items())


def parse(unit: str, text: str) -> LoadedUnit:
    """Read what `capture` printed.

    Raises:
        UsageError: systemd has not loaded such a unit (it prints defaults even then).
        ParseError: not the output of `systemctl show`.
    """
    shown: dict[str, str] = dict(re.findall(r"(?m)^([A-Za-z.]+)=(.*)$", text))
    if "LoadState" not in shown:
        raise ParseError(f"{unit}: no LoadState in what systemctl printed")
    if shown["LoadState"] != "loaded":
        raise UsageError(f"{unit}: systemd has not loaded it ({safe_text(shown['LoadState'], 40)})", reason="unit_not_loaded")
    configured = "max" if shown.get("TasksMax") in _UNLIMITED else shown.get("TasksMax", "")
    tasks_max = shown.get("pids.max", configured)
    if not re.fullmatch(r"max|\d+", tasks_max):
        raise ParseError(f"{unit}: TasksMax={tasks_max!r}")
    limits = {
        name: f"{_limit(shown, resource.setting + 'Soft')}:{_limit(shown, resource.setting)}"
        for name, resource in RESOURCES.items()
        if not resource.is_later or resource.setting in shown
    }
    is_active, main_pid = shown.get("ActiveState") == "active", shown.get("MainPID", "")
    return LoadedUnit(unit, is_active, tasks_max, shown.get("InvocationID", ""), limits, main_pid)


def _limit(shown: dict[str, str], key: str) -> str:
    value = shown.get(key, "")
    if value in _UNLIMITED:
        return "unlimited"
    if not is_whole_number(value):
        raise ParseError(f"{key}={value!r}")
    return value
