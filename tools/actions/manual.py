"""What a person would type for an offered change, and to undo it, from the facts of a diagnosis alone.

Where the facts tell what a typed action (`tools/actions`) would read, the lines are that action's own; where they do
not (all limits of a process, the filesystem of a swap file), the nearest fixed argv. A plan is rendered from the host
itself (`tools/execute/renderer.py`). Only printed: what is executed is an order of typed fields, never these lines.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import OfferedRemediation, Verdict
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.triage import Facts

if TYPE_CHECKING:
    from triagebook.runbooks.engine.conclude import Conclusion  # imports the templates

Argv = tuple[str, ...]
SYSCTL_FACTS = {
    "vm.max_map_count": "max_map_count",
    "vm.overcommit_ratio": "overcommit_ratio",
    "vm.overcommit_memory": "overcommit_memory",
    "kernel.pid_max": "pid_max",
    "kernel.threads-max": "threads_max",
}


@dataclass(frozen=True)
class ManualChange:
    """Parameters of an offer at their defaults, the verdict it comes from, and the facts for the values before."""

    params: Mapping[str, int | str]
    verdict: Verdict
    facts: Facts

    def before(self, name: str) -> int | None:
        """The present value of a fact of that name, whichever probe has it."""
        for probe in self.facts.values():
            value = getattr(probe, name, None)
            if isinstance(value, int) and not isinstance(value, Unreadable):
                return value
        return None


Lines = tuple[Sequence[Argv], Sequence[Argv]]


def _by_action(name: str, change: ManualChange, *outputs: str) -> Lines:
    """The lines of the typed action itself, given what its commands would have read."""
    from triagebook.tools.actions import ACTIONS as TYPED  # noqa: PLC0415 - only where something is offered

    action = TYPED[name]
    planned = action.plan_change(change.params, "live" if "live" in action.steps else "persist", outputs)
    return planned.commands, planned.undo_commands


def _unit(change: ManualChange, name: str, setting: str) -> Lines:
    if change.verdict.limit is None:
        raise UsageError(f"{name}: the limit itself was not read")
    value = f"{change.verdict.limit.value:.0f}"
    limits = dict.fromkeys(("TasksMax", "LimitNPROC", "LimitNPROCSoft", "LimitAS", "LimitASSoft"), "infinity")
    shown = {"LoadState": "loaded", "ActiveState": "active", **limits, setting: value, f"{setting}Soft": value}
    return _by_action(name, change, "".join(f"{key}={text}\n" for key, text in shown.items()))


def _unit_limit(change: ManualChange) -> Lines:
    return _unit(change, "unit_limit", {"nproc": "LimitNPROC", "as": "LimitAS"}[str(change.params["resource"])])


def _prlimit(change: ManualChange, resource: str) -> Lines:
    pid, limit = change.params.get("pid", change.verdict.culprit.pid), change.params["limit"]
    before = change.verdict.limit.value if change.verdict.limit else None
    undo = [("prlimit", "--pid", str(pid), f"--{resource}={before:.0f}:")] if before else []
    return [("prlimit", "--pid", str(pid), f"--{resource}={limit}:")], undo


def _sysctl(change: ManualChange) -> Lines:
    key = str(change.params["key"])
    before = change.before(SYSCTL_FACTS[key])
    if before is None:
        return [("sysctl", "-w", f"{key}={change.params['value']}")], []
    other = (change.before("overcommit_bytes") or 0) // 1024  # overcommit_kbytes, which a written ratio makes zero
    return _by_action("sysctl", change, f"{before}\n{other}\n" if key == "vm.overcommit_ratio" else f"{before}\n")


def _swap_file(change: ManualChange) -> Lines:
    path, size = str(change.params["path"]), change.params["size_mib"]
    make = [("fallocate", "-l", f"{size}MiB", path), ("chmod", "600", path), ("mkswap", path), ("swapon", path)]
    return make, [("swapoff", path), ("rm", path)]


def _signal(change: ManualChange) -> Lines:
    return [("kill", "-s", str(change.params["signal"]), str(change.params["pid"]))], []


ACTIONS: Mapping[str, Callable[[ManualChange], Lines]] = {
    "unit_tasks_max": lambda change: _unit(change, "unit_tasks_max", "TasksMax"),
    "user_nproc": lambda change: _prlimit(change, "nproc"),
    "unit_limit": _unit_limit,
    "process_limit": lambda change: _prlimit(change, str(change.params["resource"])),
    "sysctl": _sysctl,
    "swap_file": _swap_file,
    "process_signal": _signal,
    "unit_restart": lambda change: ([("systemctl", "restart", str(change.params["unit"]))], []),
}


def with_commands(offer: OfferedRemediation, conclusion: "Conclusion", history: Sequence[Facts]) -> OfferedRemediation:
    """The offer with its command lines at the default parameters; as root on that host."""
    verdicts = [item for item in (conclusion.verdict, *conclusion.also) if item is not None]
    verdict = next(item for item in verdicts if item.cause == offer.cause and item.culprit.id == offer.culprit)
    params = {name: bounds.default for name, bounds in offer.params.items()}
    try:
        commands, undo = ACTIONS[offer.action](ManualChange(params, verdict, history[-1]))
    except TriagebookError as error:  # an offer at its bounds, or a fact that is missing: the offer stands, without lines
        return replace(offer, commands=(f"# cannot be written down from these facts: {error}",), undo_commands=())
    return replace(offer, commands=tuple(map(shlex.join, commands)), undo_commands=tuple(map(shlex.join, undo)))
