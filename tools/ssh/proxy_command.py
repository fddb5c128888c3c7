"""A byte stream through the user's `ProxyCommand`. It comes from his own ssh_config, never from a host."""

import socket
import subprocess
import tempfile

from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.failures import Cut, ProxyFailed
from triagebook.tools.ssh.stream import SocketStream
from triagebook.tools.transport import waiting

GRACE_S = 0.5  # for the command to end by itself


class ProxyCommandStream(SocketStream):
    """The standard input and output of a `ProxyCommand`, started by the shell as ssh_config(5) says."""

    def __init__(self, command: str) -> None:
        ours, theirs = socket.socketpair()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._complaints,
                start_new_session=True,
            )
        self._has_received = False
        super().__init__(ours, is_tcp=False)

    def send(self, data: bytes, until: float) -> None:
        """As SocketStream. Raises ProxyFailed when the command ended badly before the host said a word."""
        try:
            super().send(data, until)
        except Cut as cut:
            raise self._explain(cut) from None

    def receive(self, until: float) -> bytes:
        """As SocketStream. Raises ProxyFailed when the command ended badly before the host said a word."""
        try:
            data = super().receive(until)
        except Cut as cut:
            raise self._explain(cut) from None
        self._has_received = True
        return data

    def _explain(self, cut: Cut) -> Exception:
        if self._has_received or not self._await_end(GRACE_S):
            return cut
        self._complaints.seek(0)
        said = safe_line(self._complaints.read(300))
        return ProxyFailed(f"the proxy command ended with status {self._process.returncode}: {said}")

    def _await_end(self, seconds: float) -> bool:
        """Whether it ended, and not well."""
        return waiting.until(lambda: self._process.poll() is not None, seconds) and self._process.returncode != 0

    def close(self) -> None:
        super().close()
        self._process.terminate()
        if not waiting.until(lambda: self._process.poll() is not None, GRACE_S):
            self._process.kill()
            self._process.wait()
        self._complaints.close()
