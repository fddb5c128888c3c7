"""What a person would type for an offered change, and to undo it: fixed argv per action, quoted once by shlex.

Only printed. What the product itself executes is an order of typed fields (`tools/actions`), never these lines.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from triagebook.runbooks.engine.conclude import Conclusion
from triagebook.runbooks.engine.conclude import with_commands as _with_commands
from triagebook.runbooks.engine.diagnosis import OfferedRemediation, Verdict
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.triage import Facts

Argv = tuple[str, ...]
SYSCTL_FACTS = {
    "vm.max_map_count": "max_map_count",
    "vm.overcommit_ratio": "overcommit_ratio",
    "vm.overcommit_memory": "overcommit_memory",
    "kernel.pid_max": "pid_max",
    "kernel.threads-max": "threads_max",
}


@dataclass(frozen=True)
class Change:
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


def _tasks_max(change: Change) -> Lines:
    unit, limit = str(change.params["unit"]), change.params["limit"]
    before = change.verdict.limit.value if change.verdict.limit else None
    undo = [("systemctl", "set-property", "--runtime", unit, f"TasksMax={before:.0f}")] if before else []
    return [("systemctl", "set-property", "--runtime", unit, f"TasksMax={limit}")], undo


def _prlimit(change: Change, resource: str) -> Lines:
    pid, limit = change.params.get("pid", change.verdict.culprit.pid), change.params["limit"]
    before = change.verdict.limit.value if change.verdict.limit else None
    undo = [("prlimit", "--pid", str(pid), f"--{resource}={before:.0f}:")] if before else []
    return [("prlimit", "--pid", str(pid), f"--{resource}={limit}:")], undo


def _sysctl(change: Change) -> Lines:
    key, value = str(change.params["key"]), change.params["value"]
    before = change.before(SYSCTL_FACTS[key])
    return [("sysctl", "-w", f"{key}={value}")], [("sysctl", "-w", f"{key}={before}")] if before is not None else []


def _swap_file(change: Change) -> Lines:
    path, size = str(change.params["path"]), change.params["size_mib"]
    make = [("fallocate", "-l", f"{size}MiB", path), ("chmod", "600", path), ("mkswap", path), ("swapon", path)]
    return make, [("swapoff", path), ("rm", path)]


def _signal(change: Change) -> Lines:
    return [("kill", f"-{change.params['signal']}", str(change.params["pid"]))], []


ACTIONS: Mapping[str, Callable[[Change], Lines]] = {
    "unit_tasks_max": _tasks_max,
    "user_nproc": lambda change: _prlimit(change, "nproc"),
    "unit_limit": lambda change: _prlimit(change, str(change.params["resource"])),
    "process_limit": lambda change: _prlimit(change, str(change.params["resource"])),
    "sysctl": _sysctl,
    "swap_file": _swap_file,
    "process_signal": _signal,
}


def with_commands(offer: OfferedRemediation, conclusion: Conclusion, history: Sequence[Facts]) -> OfferedRemediation:
    """The offer with its command lines at the default parameters; as root on that host."""
    verdicts = [item for item in (conclusion.verdict, *conclusion.also) if item is not None]
    verdict = next(item for item in verdicts if item.cause == offer.cause and item.culprit.id == offer.culprit)
    params = {name: bounds.default for name, bounds in offer.params.items()}
    commands, undo = ACTIONS[offer.action](Change(params, verdict, history[-1]))
    return _with_commands(offer, [shlex.join(argv) for argv in commands], [shlex.join(argv) for argv in undo])
