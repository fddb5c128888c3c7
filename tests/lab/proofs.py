"""Proofs: a failing call, made in the guest at the place of the fault, and the error it met."""

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tests.lab.errors import LabError

if TYPE_CHECKING:
    from tests.lab.machines import Machine

EAGAIN, ENOMEM = 11, 12
PROGRAMS = "/usr/local/bin"


@dataclass(frozen=True)
class Symptom:
    """What a call came to. `errno` 0: it succeeded; None: the call has none (a login, a counter).

    `is_as_expected` is the scenario's promise about this proof.
    """

    by: str
    call: str
    errno: int | None
    text: str
    detail: str
    is_as_expected: bool

    def __str__(self) -> str:
        errno = "" if self.errno is None else f" {self.errno}"
        return f"{self.by}: {self.call}:{errno} {self.text or 'no error'} ({self.detail})"


class Proof(Protocol):
    """Something to try."""

    def prove(self, machine: "Machine") -> Symptom:
        """Try it now."""
        ...


def text_of(errno: int) -> str:
    """The words of strerror(3); empty for 0."""
    return os.strerror(errno) if errno else ""


@dataclass(frozen=True)
class Victim:
    """The faulty program's own last try of `call`, which it repeats each second and writes into /run/lab/NAME."""

    program: str
    call: str
    errno: int

    def prove(self, machine: "Machine") -> Symptom:
        status = machine.agent.ask("read", f"/run/lab/{self.program}").text
        found = re.search(rf"^{self.call}\s+(\d+)\s+(\d+)\s+(\d+)", status, re.MULTILINE)
        if not found:
            return Symptom(self.program, self.call, None, "", "has not tried yet", False)
        errno, held, refused = (int(number) for number in found.groups())
        detail = f"holds {held}, refused {refused} times"
        return Symptom(self.program, self.call, errno, text_of(errno), detail, errno == self.errno)


@dataclass(frozen=True)
class Fork:
    """The agent tries to make `count` children at once: as root, or as `uid` with that RLIMIT_NPROC.

    They are charged to its own cgroup, or to that of the program `inside`. `at_least` so many must succeed.
    """

    errno: int
    inside: str = ""
    uid: int = 0
    limit: int = 0
    count: int = 1
    at_least: int = 0

    def prove(self, machine: "Machine") -> Symptom:
        options = [f"count={self.count}"]
        if self.inside:
            where = machine.cgroup_directory(machine.cgroup(self.inside))
            key = "into" if machine.release.cgroup_version == 2 else "move"
            home = machine.cgroup_directory("/system.slice/lab-agent.service")
            options += [f"{key}={where}", f"home={home}"]
        if self.uid:
            options += [f"uid={self.uid}", f"nproc={self.limit}"]
        answer = machine.agent.ask("fork", *options)
        made = int(answer.text.strip() or 0)
        who = f"agent in the cgroup of {self.inside}" if self.inside else f"agent as uid {self.uid}"
        good = answer.errno == self.errno and made >= self.at_least
        return Symptom(who, "fork", answer.errno, text_of(answer.errno), f"{made} of {self.count} children", good)


@dataclass(frozen=True)
class Mmap:
    """The agent asks for private memory without touching it."""

    errno: int
    mib: int

    def prove(self, machine: "Machine") -> Symptom:
        errno = machine.agent.ask("mmap", str(self.mib * 1024 * 1024)).errno
        return Symptom("agent", "mmap", errno, text_of(errno), f"{self.mib} MiB", errno == self.errno)


@dataclass(frozen=True)
class Login:
    """A new ssh login as `user`, from this machine; `works` is the promise."""

    user: str
    works: bool

    def prove(self, machine: "Machine") -> Symptom:
        done = machine.ssh(self.user, "/bin/true", timeout_s=40)
        said = " / ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        detail = f"exit status {done.returncode}"
        return Symptom("ssh", f"login as {self.user}", None, said, detail, (done.returncode == 0) == self.works)


@dataclass(frozen=True)
class Counter:
    """A number in a file of the guest; it must be `at_least`, or rise by that while watched.

    `{pids}` and `{memory}` in the path stand for the roots of these controllers, `{inside}` for that program's cgroup.
    The pattern's one group is the number. `v1` is the path to read instead on cgroup v1.
    """

    path: str
    pattern: str
    at_least: float
    inside: str = ""
    rises: bool = False
    timeout_s: float = 15
    v1: str = ""

    def prove(self, machine: "Machine") -> Symptom:
        path = self._path(machine)
        end = time.monotonic() + self.timeout_s
        first = self._read(machine, path) if self.rises else 0.0
        while True:
            last = self._read(machine, path)
            good = last - first >= self.at_least
            if good or time.monotonic() > end:
                detail = f"{first:g} -> {last:g}" if self.rises else f"{last:g}"
                return Symptom("kernel", path, None, "", detail, good)
            time.sleep(0.5)

    def _path(self, machine: "Machine") -> str:
        roots = {"pids": machine.release.pids_root, "memory": machine.release.memory_root}
        path = self.v1 if self.v1 and machine.release.cgroup_version == 1 else self.path
        return path.format(**roots, inside=machine.cgroup(self.inside) if self.inside else "")

    def _read(self, machine: "Machine", path: str) -> float:
        found = re.search(self.pattern, machine.agent.do("read", path), re.MULTILINE)
        if not found:
            raise LabError(f"lab: {path}: nothing matches {self.pattern}")
        return float(found[1])
