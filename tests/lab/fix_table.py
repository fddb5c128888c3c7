"""The table of fixes: for each scenario the fixes tried one after the other and how each must end. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Relief = Literal["", "shrink", "slay"]


@dataclass(frozen=True)
class Step:
    """One fix. `persist`: the permanent step of the fix before it. An irreversible one has no way back."""

    remediation: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    ending: str = "validated"
    is_persist: bool = False
    is_reversible: bool = True


@dataclass(frozen=True)
class Trial:
    """A scenario and its fixes; those that can be are taken back in reverse order.

    `relief` ends the load before that: `shrink` lets the faulty program give back what it holds, `slay` ends it.
    `stopped`: the faulty program does not react to SIGTERM.
    """

    name: str
    scenario: str
    steps: tuple[Step, ...]
    who: str = "diag"
    relief: Relief = ""
    is_stopped: bool = False
    runbook: str = "enomem"


def live_and_permanent(remediation: str, **parameters: int) -> tuple[Step, ...]:
    """A live fix, then its permanent step."""
    return Step(remediation, parameters), Step(remediation, is_persist=True)


RESTART = Step("restart_unit", is_reversible=False)
TRIALS = (
    Trial("F1 task limit", "unit-tasksmax", live_and_permanent("raise_tasks_max", limit=400), relief="shrink"),
    Trial("F2 user's processes", "user-nproc", live_and_permanent("raise_user_nproc", limit=400), relief="shrink"),
    Trial("F2 service's processes, running", "unit-limitnproc", (Step("raise_running_nproc", {"limit": 400}),), relief="shrink"),
    Trial(
        "F2 service's processes, from its next start",
        "unit-limitnproc",
        (Step("raise_unit_nproc", {"limit": 400}, ending="unresolved"), RESTART),
        relief="slay",
    ),
    Trial("F3 mappings", "max-map-count", live_and_permanent("raise_max_map_count"), who="root", relief="slay"),
    Trial("F3 address space, running", "limit-as", (Step("raise_address_space"),), relief="shrink"),
    Trial(
        "F3 address space, from its next start",
        "limit-as",
        (Step("raise_unit_address_space", ending="unresolved"), RESTART),
        relief="slay",
    ),
    Trial("F4 overcommit ratio", "overcommit-fork", live_and_permanent("raise_overcommit_ratio", value=100), relief="slay"),
    Trial("F4 overcommit mode", "overcommit-fork", live_and_permanent("relax_overcommit"), relief="slay"),
    Trial("F5 PID numbers", "pid-max-near", live_and_permanent("raise_pid_max"), relief="slay"),
    Trial("F5 threads", "threads-max-near", live_and_permanent("raise_threads_max"), relief="slay"),
    Trial("F6 swap", "true-shortage", live_and_permanent("add_swap", size_mib=128), relief="slay"),
    Trial("F7 end a process", "true-shortage", (Step("terminate_process", is_reversible=False),)),
    Trial(
        "F7 kill a process that will not end",
        "threads-max-near",
        (
            Step("terminate_process", ending="unresolved", is_reversible=False),
            Step("kill_process", is_reversible=False),
        ),
        is_stopped=True,
    ),
    Trial(
        "F6 swap for the host whose kernel would kill",
        "true-shortage",
        (Step("add_swap", {"size_mib": 128}),),
        relief="slay",
        runbook="oom",
    ),
    Trial(
        "F7 end the largest consumer before the kernel does",
        "true-shortage",
        (Step("terminate_process", is_reversible=False),),
        runbook="oom",
    ),
    Trial(
        "F7 kill the largest consumer that will not end",
        "true-shortage",
        (
            Step("terminate_process", ending="unresolved", is_reversible=False),
            Step("kill_process", is_reversible=False),
        ),
        is_stopped=True,
        runbook="oom",
    ),
)
