"""The host's end of the channel to `guest/agent.c`: no network, no login and, but for `run`, no fork in the guest."""

import itertools
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes

from tests.lab.errors import LabError, NotStarted

TIMEOUT_S = 60.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What the agent says: the `errno` of what it tried (0: it worked), and what it read."""

    errno: int
    text: str


@dataclass(frozen=True)
class Agent:
    """The agent behind one socket. Each request is a connection of its own."""

    path: Path

    def ask(self, verb: str, *arguments: str, timeout_s: float = TIMEOUT_S) -> Answer:
        """Ask one thing.

        Raises:
            NotStarted: no answer in time.
        """
        mark = f"{os.getpid()}.{next(_numbers)}"
        words = (mark, verb, *(quote_from_bytes(argument.encode(), safe="") for argument in arguments))
        end = time.monotonic() + timeout_s
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.settimeout(timeout_s)
                channel.connect(str(self.path))
                channel.sendall(" ".join(words).encode() + b"\n")
                with channel.makefile("rb") as lines:
                    while time.monotonic() < end:
                        head = lines.readline().split()
                        if len(head) != 3:
                            raise NotStarted(f"lab: agent: {verb}: the channel closed")
                        body = lines.read(int(head[2]))
                        if head[0].decode() == mark:  # else the late answer to somebody who gave up
                            return Answer(int(head[1]), body.decode(errors="replace"))
        except OSError as error:
            raise NotStarted(f"lab: agent: {verb}: {error}") from error
        raise NotStarted(f"lab: agent: {verb}: no answer in {timeout_s:.0f} s")

    def do(self, verb: str, *arguments: str) -> str:
        """Ask, and refuse a failure.

        Raises:
            LabError: the agent could not do it.
        """
        answer = self.ask(verb, *arguments)
        if answer.errno:
            raise LabError(f"lab: agent: {verb} {' '.join(arguments)}: {os.strerror(answer.errno)}")
        return answer.text

    def run(self, *argv: str, timeout_s: int = 60) -> tuple[int, str]:
        """Run a program in the guest as root (this needs a fork there). The exit status, and both its outputs.

        Raises:
            LabError: the guest could not fork.
        """
        answer = self.ask("run", str(timeout_s), *argv, timeout_s=timeout_s + TIMEOUT_S)
        if answer.errno:
            raise LabError(f"lab: agent: run {argv[0]}: fork: {os.strerror(answer.errno)}")
        status, _, output = answer.text.partition("\n")
        return os.waitstatus_to_exitcode(int(status)), output

    def check(self, *argv: str) -> str:
        """Run a program that must succeed."""
        exit_status, output = self.run(*argv)
        if exit_status:
            raise LabError(f"lab: in the guest: {' '.join(argv)}: exit status {exit_status}\n{output}")
        return output

    def is_there(self) -> bool:
        """True when it answers within a second."""
        try:
            return self.ask("ping", timeout_s=1).errno == 0
        except NotStarted:
            return False

    def set_clock(self) -> None:
        """A resumed guest believes it is still the time of its snapshot."""
        now = time.time_ns()
        self.do("clock", str(now // 10**9), str(now % 10**9))

    def pids(self, program: str) -> tuple[int, ...]:
        """Processes of a program, given by its path or by its directory; lowest first."""
        return tuple(sorted(int(line) for line in self.do("find", program).split()))
