"""A session over the ssh program, as small as the protocol allows: for trials on a lab guest."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

from triagebook.tools.transport.base import Exit, Login, Route


class SshProcess:
    """One ssh; output is read whole when it ends."""

    def __init__(self, session: "SshSession", argv: Sequence[str]) -> None:
        self.session = session
        pipe = subprocess.PIPE
        self._process = subprocess.Popen((*session.command, shlex.join(argv)), stdin=pipe, stdout=pipe, stderr=pipe)
        self._stdin = b""
        self._stdout = b""

    def write(self, data: bytes) -> None:
        """Kept until the end."""
        self._stdin += data

    def finish(self, timeout_s: float) -> Exit:
        """Send, drain, wait."""
        self._stdout, stderr = self._process.communicate(self._stdin, timeout=timeout_s)
        return Exit(self._process.returncode, stderr)

    def read(self, timeout_s: float) -> bytes:
        """What was drained, then the end."""
        taken, self._stdout = self._stdout, b""
        return taken


class SshSession:
    """A host by `ssh -F CONFIG ALIAS`, a login for each process."""

    def __init__(self, *command: str) -> None:
        self.command = ("ssh", *command)
        self.login = Login("exec", "ok")
        self.route = Route("openssh")

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> SshProcess:
        """One more ssh."""
        return SshProcess(self, argv)

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Not here."""
        return dict.fromkeys(paths, "not by this session")

    def close(self) -> None:
        """Nothing is held open."""


def of(config: FilePath, alias: str, *options: str) -> SshSession:
    """A session on a lab guest."""
    return SshSession("-F", str(config), *options, alias)
