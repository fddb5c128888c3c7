"""A process of this machine behind pipes, read with deadlines and caps: for `local` and `openssh`."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from triagebook.tools.transport import waiting
from triagebook.tools.transport.base import Exit, ProcessDeadlines, Session

MAX_ERROR_BYTES = 1 << 20  # of standard error, whatever the cap: a watch has none
MAX_DROPPED_BYTES = 64 << 20  # beyond the cap: a process that goes on longer than this is ended
GRACE_S = 0.5  # between the end of its input, SIGTERM and SIGKILL


class PipeProcess:
    """A started process. Output beyond `cap_bytes` (each of both streams) is dropped and marks it truncated."""

    def __init__(self, argv: Sequence[str], cap_bytes: int, log: tuple[int, Callable[[bytes], None]] | None = None) -> None:
        """Start the program in a process group of its own. `log` is one more descriptor to read, and the receiver of its lines.

        Raises:
            OSError: it could not be started (no such program, or this machine cannot fork).
        """
        self._popen = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        stdin, stdout, stderr = self._popen.stdin, self._popen.stdout, self._popen.stderr
        assert stdin is not None and stdout is not None and stderr is not None  # noqa: S101, PT018 - PIPE was asked for
        self._pipes = (stdin, stdout, stderr)
        self._input, self._output = stdin.fileno(), stdout.fileno()
        self._cap_bytes = cap_bytes
        self.out, self.err = bytearray(), bytearray()
        self.out_total = self.dropped = 0
        self._sinks: dict[int, Callable[[bytes], None]] = {
            self._output: self._feed,
            stderr.fileno(): self._feed_error,
        }
        self._log = log[0] if log else None
        if log:
            self._sinks[log[0]] = log[1]
        for descriptor in (self._input, *self._sinks):
            os.set_blocking(descriptor, False)

    @property
    def is_over(self) -> bool:
        """Standard output ended."""
        return self._output not in self._sinks

    @property
    def has_ended(self) -> bool:
        """All output ended and the process is gone."""
        return not (set(self._sinks) - {self._log}) and self._popen.poll() is not None

    @property
    def returncode(self) -> int | None:
        """As subprocess has it: negative for a signal."""
        return self._popen.poll()

    def wait(self, is_reached: Callable[[], bool], until: float, pending: bytes = b"") -> None:
        """Read, and write `pending`, until the condition holds. Raises TimeoutError, BrokenPipeError."""
        view = memoryview(pending)
        while view or not is_reached():
            if time.monotonic() >= until:
                raise TimeoutError
            view = self._turn(until, view)

    def _turn(self, until: float, view: memoryview) -> memoryview:
        """Wait for one or more descriptors and serve them. Returns what is still to be written."""
        events = dict.fromkeys(self._sinks, waiting.READABLE)
        if view:
            events[self._input] = waiting.WRITABLE
        left_s = max(0.0, until - time.monotonic())
        if not events:  # its output ended and it still runs
            waiting.until(lambda: self._popen.poll() is not None, min(left_s, 0.05))
            return view
        for descriptor, happened in waiting.ready(events, left_s):
            if descriptor != self._input:
                self._receive(descriptor)
            elif happened & (select.POLLERR | select.POLLHUP):
                raise BrokenPipeError(32, "the process does not read any more")
            else:
                view = view[self._put(view) :]
        return view

    def _put(self, view: memoryview) -> int:
        with contextlib.suppress(BlockingIOError):
            return os.write(self._input, view[:65536])
        return 0

    def _receive(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        if data:
            self._sinks[descriptor](data)
        else:
            del self._sinks[descriptor]

    def _feed(self, data: bytes) -> None:
        room = self._cap_bytes - self.out_total
        self.out += data[:room]
        self.out_total += min(room, len(data))
        self._drop(len(data) - room)

    def _feed_error(self, data: bytes) -> None:
        room = min(self._cap_bytes, MAX_ERROR_BYTES) - len(self.err)
        self.err += data[:room]
        self._drop(len(data) - room)

    def _drop(self, count: int) -> None:
        self.dropped += max(0, count)
        if self.dropped > MAX_DROPPED_BYTES:
            self.kill(signal.SIGKILL)

    def drain_log(self) -> None:
        """Read what is left of the log, after the end of the process."""
        with contextlib.suppress(TimeoutError):
            self.wait(lambda: self._log not in self._sinks, time.monotonic() + GRACE_S)

    def take(self) -> bytes:
        """All output that has arrived and was not taken before."""
        data = bytes(self.out)
        self.out.clear()
        return data

    def end_input(self) -> None:
        self._pipes[0].close()

    @property
    def is_input_open(self) -> bool:
        return not self._pipes[0].closed

    def kill(self, number: int) -> None:
        """Signal its whole group."""
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, number)

    def end(self) -> None:
        """End of input, then SIGTERM, then SIGKILL; and give back the pipes."""
        self.end_input()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(TimeoutError):
                self.wait(lambda: self._popen.poll() is not None, time.monotonic() + GRACE_S)
                break
            self.kill(number)
        self._popen.wait()
        for pipe in self._pipes:
            pipe.close()
        self._sinks.clear()


class LocalProcess:
    """A PipeProcess as the HostProcess of the protocol."""

    def __init__(self, session: Session, pipes: PipeProcess, deadlines: ProcessDeadlines) -> None:
        self._session, self._pipes, self._deadlines = session, pipes, deadlines

    @property
    def session(self) -> Session:
        return self._session

    def read(self, timeout_s: float) -> bytes:
        """The next bytes of standard output; b"" at its end. Raises TimeoutError."""
        pipes = self._pipes
        until = self._deadlines.for_output(timeout_s, has_begun=pipes.out_total > 0)
        try:
            pipes.wait(lambda: bool(pipes.out) or pipes.is_over, until)
        except TimeoutError:
            raise TimeoutError("the process prints nothing") from None
        return pipes.take()

    def write(self, data: bytes) -> None:
        """Send to standard input. Raises OSError when the process is gone or does not read."""
        if not self._pipes.is_input_open:
            raise BrokenPipeError(32, "its input is closed")
        try:
            self._pipes.wait(lambda: True, self._deadlines.for_input(), data)
        except TimeoutError:
            raise TimeoutError("the process does not read its input") from None

    def finish(self, timeout_s: float) -> Exit:
        """Close standard input, drain and wait; at the timeout it is ended. Output stays to be read."""
        pipes = self._pipes
        is_timed_out = False
        pipes.end_input()
        try:
            pipes.wait(lambda: pipes.has_ended, self._deadlines.for_end(timeout_s))
        except TimeoutError:
            is_timed_out = True
        pipes.drain_log()
        pipes.end()
        return self._exit(is_timed_out)

    def _exit(self, is_timed_out: bool) -> Exit:
        code, is_truncated, err = self._pipes.returncode, self._pipes.dropped > 0, bytes(self._pipes.err)
        if is_timed_out:
            return Exit(None, err, is_truncated, ended="timeout")
        if code is not None and code < 0:
            return Exit(None, err, is_truncated, ended="signal", detail=signal.Signals(-code).name.removeprefix("SIG"))
        return Exit(code, err, is_truncated)


def read_local_files(paths: Sequence[str], cap_bytes: int) -> Mapping[str, bytes | str]:
    """The first bytes of each file of this machine; a str is why there is none."""
    answers: dict[str, bytes | str] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                answers[path] = file.read(cap_bytes)
        except (OSError, ValueError) as error:
            answers[path] = getattr(error, "strerror", None) or str(error)
    return answers
