"""Steps: how a fault is put into a guest, and how it is taken out again.

Taking out has two parts. What can be done without a new process in the guest is done first (sysctls back, the faulty
programs killed: `Machine.clear` does both for every scenario); then each step's `undo`, which may run programs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tests.lab.machines import Machine

BASELINE = {
    "kernel.pid_max": "/proc/sys/kernel/pid_max",
    "kernel.threads-max": "/proc/sys/kernel/threads-max",
    "vm.overcommit_memory": "/proc/sys/vm/overcommit_memory",
    "vm.overcommit_ratio": "/proc/sys/vm/overcommit_ratio",
    "vm.overcommit_kbytes": "/proc/sys/vm/overcommit_kbytes",
    "vm.max_map_count": "/proc/sys/vm/max_map_count",
}


def restore_order(sysctls: dict[str, str]) -> list[str]:
    """In which order to write settings back: strict overcommit ends first.

    Of ratio and kbytes only the one in force is written, because writing one zeroes the other (proc(5)).
    """
    unused = "vm.overcommit_ratio" if sysctls["vm.overcommit_kbytes"] != "0" else "vm.overcommit_kbytes"
    return sorted((name for name in sysctls if name != unused), key=lambda name: name != "vm.overcommit_memory")


class Step(Protocol):
    """One change of a guest."""

    def inject(self, machine: "Machine") -> None:
        """Make the change."""
        ...

    def undo(self, machine: "Machine") -> None:
        """Take it back, when the guest can fork again."""
        ...


@dataclass(frozen=True)
class Sysctl:
    """A kernel setting, by its sysctl name (a key of BASELINE)."""

    name: str
    value: int

    def inject(self, machine: "Machine") -> None:
        machine.agent.do("write", BASELINE[self.name], str(self.value))

    def undo(self, machine: "Machine") -> None:
        """`Machine.clear` has put all of BASELINE back already."""


@dataclass(frozen=True)
class Unit:
    """A service whose unit file is in the image."""

    name: str

    def inject(self, machine: "Machine") -> None:
        machine.agent.check("systemctl", "start", self.name)

    def undo(self, machine: "Machine") -> None:
        """Also what a fix set at run time and a failed test left: the fault would not show the next time."""
        machine.agent.run("systemctl", "stop", self.name)
        machine.agent.run("systemctl", "reset-failed", self.name)
        forget = 'if [ -d "$1" ]; then rm -r "$1" && systemctl daemon-reload; fi'
        machine.agent.check("sh", "-c", forget, "sh", f"/run/systemd/system.control/{self.name}.d")


@dataclass(frozen=True)
class Slice:
    """TasksMax of a slice, set at run time."""

    name: str
    tasks_max: int

    def inject(self, machine: "Machine") -> None:
        machine.agent.check("systemctl", "set-property", "--runtime", self.name, f"TasksMax={self.tasks_max}")

    def undo(self, machine: "Machine") -> None:
        machine.agent.check("rm", "-rf", f"/run/systemd/system.control/{self.name}.d")
        machine.agent.check("systemctl", "daemon-reload")


@dataclass(frozen=True)
class LoginLimit:
    """The number of processes of a user, for logins from now on (pam_limits)."""

    user: str
    processes: int

    def inject(self, machine: "Machine") -> None:
        machine.agent.do("write", self._path(), f"{self.user} - nproc {self.processes}\n")

    def undo(self, machine: "Machine") -> None:
        machine.agent.ask("unlink", self._path())

    def _path(self) -> str:
        return f"/etc/security/limits.d/{self.user}.conf"


@dataclass(frozen=True)
class Session:
    """A program that a user has left running after a real ssh login."""

    user: str
    command: str

    def inject(self, machine: "Machine") -> None:
        machine.ssh(self.user, f"setsid -f {self.command} </dev/null >/dev/null 2>&1")

    def undo(self, machine: "Machine") -> None:
        machine.agent.run("loginctl", "terminate-user", self.user)
        uid = machine.agent.check("id", "-u", self.user).strip()
        machine.agent.run("systemctl", "stop", f"user@{uid}.service", f"user-{uid}.slice")


@dataclass(frozen=True)
class Cgroup:
    """A cgroup that no unit owns, made by mkdir, with a program started in it as `user`."""

    name: str
    pids_max: int
    user: str
    command: str

    def inject(self, machine: "Machine") -> None:
        where = machine.cgroup_directory(f"/{self.name}")
        machine.agent.do("mkdir", where)
        machine.agent.do("write", f"{where}/pids.max", str(self.pids_max))
        become = f"setpriv --reuid {self.user} --regid {self.user} --init-groups --"
        run = f"echo $$ >{where}/cgroup.procs && exec {become} {self.command}"
        machine.agent.check("setsid", "-f", "sh", "-c", f"exec </dev/null >/dev/null 2>&1; {run}")

    def undo(self, machine: "Machine") -> None:
        where = machine.cgroup_directory(f"/{self.name}")
        wait = f"for try in 1 2 3 4 5 6 7 8 9; do rmdir {where} && exit; sleep 0.3; done; exit 1"
        machine.agent.check("sh", "-c", wait)
