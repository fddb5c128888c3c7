"""Starting, asking, killing a server process."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triagebook.tools.server.client import ask

from tests.hang import GUARD_S

MAIN = Path(__file__).with_name("server_main.py")


@dataclass
class Server:
    """One server process and what it was started with."""

    process: "subprocess.Popen[str]"
    socket: Path
    said: str
    steps: int = -1
    answers: int = -1

    def ask(self, do: str, **members: object) -> Any:
        return ask(self.socket, {"do": do, **members})

    def stop(self) -> int:
        """Ask it to end, by its pid."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.wait()

    def await_step(self) -> str:
        """The next step it stands at."""
        line = b""
        while not line.endswith(b"\n"):
            received = os.read(self.steps, 1)
            if not received:
                raise AssertionError("the server ended before the step")
            line += received
        return line.decode().strip()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(GUARD_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        for descriptor in (self.steps, self.answers):
            if descriptor >= 0:
                os.close(descriptor)
        self.steps = self.answers = -1
        return status


@dataclass
class Starter:
    """Starts servers on one directory and ends every one of them."""

    directory: Path
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    account: dict[str, Any] = field(default_factory=dict)  # user, group, extra_groups of Popen
    started: list[Server] = field(default_factory=list)

    def start(self, *, steps: tuple[str, ...] = (), name: str = "data", **asked: object) -> Server:
        socket = self.directory / f"{name}.sock"
        request: dict[str, Any] = {"data": str(self.directory / name), "socket": str(socket), **asked}
        inner: tuple[int, ...] = ()
        outer = (-1, -1)
        if steps:
            step_read, step_write = os.pipe()
            answer_read, answer_write = os.pipe()
            inner, outer = (answer_read, step_write), (step_read, answer_write)
            request |= {"pipe": inner, "steps": steps}
        process = subprocess.Popen(
            (self.python, str(MAIN), json.dumps(request)),
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=inner,
            env=self.environment,
            **self.account,
        )
        for descriptor in inner:
            os.close(descriptor)
        assert process.stdout is not None
        server = Server(process, socket, process.stdout.readline().strip(), *outer)
        self.started.append(server)
        return server

    def end(self) -> None:
        for server in self.started:
            server.stop()
