"""What a root shell can still do on a host that can start no program: lines of builtins, for people to type.

`sysctl`, `cat` or `systemctl` need a new process, and one failed fork may end the only root shell there is. POSIX shells
have echo, read, kill and arithmetic built in. A change is written so where the facts show that no task is left, and for
a host that gave no session, where there are no facts at all.
"""

import shlex
from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.judge import Facts
from triagebook.tools.actions.action import Argv

LEAST_FREE = 5  # as few free tasks as a runbook may call "at the limit": whoever logs in needs some of them
PROGRAM = "# starts a program, so it works only once tasks are free again:"

# For a host that gives no session: no fact is known, so a line reads what it needs. By the kernel value it changes.
CONSOLE_LINES: Mapping[str, str] = {
    "kernel.pid_max": "echo 4194304 > /proc/sys/kernel/pid_max",
    "kernel.threads-max": "read n < /proc/sys/kernel/threads-max && echo $((n * 2)) > /proc/sys/kernel/threads-max",
    "vm.overcommit_memory": "echo 0 > /proc/sys/vm/overcommit_memory",
}
SSH_UNIT_LINE = 'for f in /sys/fs/cgroup/system.slice/ssh*.service/pids.max; do echo max > "$f"; done'
LOOK = (
    "read l < /proc/loadavg; read t < /proc/sys/kernel/threads-max; read p < /proc/sys/kernel/pid_max; "
    "read o < /proc/sys/vm/overcommit_memory; "
    'echo "running/tasks: $l, threads-max: $t, pid_max: $p, overcommit_memory: $o"'
)


def is_out_of_tasks(facts: Facts) -> bool:
    """Tell whether the host itself has so few tasks or PID numbers left that a program may fail to start."""
    rooms = [getattr(probe, name, None) for probe in facts.values() for name in ("threads_room", "pid_room")]
    return any(isinstance(room, int) and room <= LEAST_FREE for room in rooms)


def builtin_line(argv: Argv) -> str | None:
    """Return the same change as a line of shell builtins, or None where only a program can make it."""
    if argv[:2] == ("sysctl", "-w") and len(argv) == 3:
        key, _equals, value = argv[2].partition("=")
        return f"echo {shlex.quote(value)} > {shlex.quote('/proc/sys/' + key.replace('.', '/'))}"
    return shlex.join(argv) if argv[0] == "kill" else None


def without_fork(commands: Sequence[Argv]) -> tuple[str, ...]:
    """Return commands for a host without a free task. One that needs a program says so on a line before it."""
    lines: list[str] = []
    for argv in commands:
        line = builtin_line(argv)
        lines += [line] if line is not None else [PROGRAM, shlex.join(argv)]
    return tuple(lines)


def console_lines(runbook: model.Runbook, suspects: Sequence[str]) -> tuple[str, ...]:
    """Return sentences for the person at the console of a host that gave no session: what to type for each suspected cause."""
    told: dict[str, None] = {}
    for name in suspects:
        for line in _lines_for(runbook, name):
            told[f"On its console, if it is {name}: `{line}`"] = None
    if not told:
        return ()
    start = "On its console, or in a root shell that is already open, these lines start no program. To see which it is: "
    return (f"{start}`{LOOK}`", *told)


def _lines_for(runbook: model.Runbook, check_id: str) -> list[str]:
    """Return the lines for one cause, from the changes that its check offers."""
    lines = []
    for offer in runbook.check(check_id).offers:
        remediation = runbook.remediations[offer.id]
        key = remediation.params.get("key")
        if remediation.action == "sysctl" and key is not None:
            lines += [line for name, line in CONSOLE_LINES.items() if key.default == f"'{name}'"]
        elif remediation.action == "unit_tasks_max":
            lines.append(SSH_UNIT_LINE)
    return lines
