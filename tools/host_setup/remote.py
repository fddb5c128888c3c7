"""A host on which programs are run as root, one fixed argv at a time. A file goes there through dd's standard input."""

import hashlib
from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Session

TIMEOUT_S = 60.0


class PrepareError(TriagebookError):
    """A step of preparing a host failed; the message has the program and what it said."""

    reason = "prepare"


@dataclass(frozen=True)
class Ran:
    """What a program answered."""

    argv: tuple[str, ...]
    status: int | None
    stdout: str
    stderr: str


class Remote:
    """Runs programs on the session's host. `root` goes before each: empty when the session is root's, else sudo."""

    def __init__(self, session: Session, root: Sequence[str] = ()) -> None:
        self._session = session
        self._root = tuple(root)

    def ask(self, *argv: str, stdin: bytes = b"") -> Ran:
        """Run it and say how it went; a failure is an answer."""
        process = self._session.start((*self._root, *argv))
        if stdin:
            process.write(stdin)
        ended = process.finish(TIMEOUT_S)  # what it printed stays to be read
        stdout = b"".join(iter(lambda: process.read(TIMEOUT_S), b""))
        log_event("setup.ran", program=argv[0], on=argv[-1], status=ended.status)
        return Ran(argv, ended.status, stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace"))

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """Run it; its standard output. Raises PrepareError when it fails."""
        ran = self.ask(*argv, stdin=stdin)
        if ran.status != 0:
            said = " ".join((ran.stderr or ran.stdout).split())[:300]
            raise PrepareError(f"{' '.join(argv)}: exit status {ran.status}: {said}")
        return ran.stdout

    def succeeds(self, *argv: str) -> bool:
        """Whether it ends with 0."""
        return self.ask(*argv).status == 0

    def exists(self, path: str) -> bool:
        """Whether anything has that name."""
        return self.succeeds("test", "-e", path)

    def put(self, path: str, text: str, mode: str, *check: str) -> None:
        """Write a file of root's: a neighbour, checked by `check NEIGHBOUR` if given, then renamed over it.

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
                raise PrepareError(f"{neighbour}: what arrived is not what was sent")
            if check:
                self.run(*check, neighbour)
            self.run("sync", neighbour)
            self.run("mv", "-f", neighbour, path)
        except PrepareError:
            self.ask("rm", "-f", neighbour)
            raise
