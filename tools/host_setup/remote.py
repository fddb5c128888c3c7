"""Runs programs on a host as root, one fixed argv at a time. A file is sent through the standard input of dd."""

import hashlib
from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Session

TIMEOUT_S = 60.0


class PrepareError(TriagebookError):
    """A step of preparing a host failed; the message names the program and what it printed."""

    reason = "prepare"


@dataclass(frozen=True)
class Ran:
    """The exit status and output of a program."""

    argv: tuple[str, ...]
    status: int | None
    stdout: str
    stderr: str


class Remote:
    """Runs programs on the session's host. `root` is put before each: empty in a session of root, else sudo."""

    def __init__(self, session: Session, root: Sequence[str] = ()) -> None:
        self._session = session
        self._root = tuple(root)

    def ask(self, *argv: str, stdin: bytes = b"") -> Ran:
        """Run a program and return its result, also if it failed."""
        process = self._session.start((*self._root, *argv))
        if stdin:
            process.write(stdin)
        ended = process.finish(TIMEOUT_S)  # what it printed stays to be read
        stdout = b"".join(iter(lambda: process.read(TIMEOUT_S), b""))
        log_event("setup.ran", program=argv[0], on=argv[-1], status=ended.status)
        return Ran(argv, ended.status, stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace"))

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """Run a program and return its standard output. Raises PrepareError: it failed."""
        ran = self.ask(*argv, stdin=stdin)
        if ran.status != 0:
            said = " ".join((ran.stderr or ran.stdout).split())[:300]
            raise PrepareError(f"{' '.join(argv)}: exit status {ran.status}: {said}")
        return ran.stdout

    def succeeds(self, *argv: str) -> bool:
        """Tell whether a program ends with exit status 0."""
        return self.ask(*argv).status == 0

    def exists(self, path: str) -> bool:
        """Tell whether anything has that path."""
        return self.succeeds("test", "-e", path)

    def put(self, path: str, text: str, mode: str, *check: str) -> None:
        """Write a file owned by root: write a neighbour, check it with `check NEIGHBOUR` if given, then rename it.

        Raises:
            PrepareError: a step failed or what arrived is not what was sent; `path` is then as it was.
        """
        neighbour = f"{path}.new"  # sudo and sshd ignore such a name
        data = text.encode("utf-8")
        try:
            self.run("dd", f"of={neighbour}", "status=none", stdin=data)
            self.run("chown", "root:root", neighbour)
            self.run("chmod", mode, neighbour)
            if self.run("sha256sum", neighbour).split()[0] != hashlib.sha256(data).hexdigest():
                raise PrepareError(f"{neighbour}: the file arrived damaged")
            if check:
                self.run(*check, neighbour)
            self.run("sync", neighbour)
            self.run("mv", "-f", neighbour, path)
        except PrepareError:
            self.ask("rm", "-f", neighbour)
            raise
