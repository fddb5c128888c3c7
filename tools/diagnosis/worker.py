"""Diagnoses hosts in a child process, so that asking fifty hosts at once does not slow down the server that started it.

Answers come back as redacted JSON of the published schema: nothing that a host printed is parsed in the process that holds the
keys. A child that died is started again by the next question.
"""

import contextlib
import itertools
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import field
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from triagebook.runbooks.engine import errors
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.tools.diagnosis import stored_diagnosis
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored_diagnosis import OnFirstVerdict, StoredDiagnosis
from triagebook.tools.log import EVENTS, log_event, lowest_level
from triagebook.tools.settings import Settings

MODULE = "triagebook.tools.diagnosis.worker_main"
PATIENCE_S = 15.0
SECRET = ("SLACK_", "TRIAGEBOOK_DATABASE", "NOTIFY_SOCKET")  # prefixes of variables that the child does not get
Reply = Mapping[str, Any]


@dataclass
class _Child:
    """One child process, and a queue of replies for each question under way."""

    process: "subprocess.Popen[bytes]"
    connection: Connection
    waiting: dict[int, "SimpleQueue[Reply | None]"] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)
    is_over: bool = False

    def send(self, number: int, question: Question) -> "SimpleQueue[Reply | None]":
        """Send a question; its replies come by the queue, None when the child died. OSError: it is not running any more."""
        replies: SimpleQueue[Reply | None] = SimpleQueue()
        with self.guard:
            if self.is_over:
                raise OSError
            self.waiting[number] = replies
            self.connection.send_bytes(pickle.dumps((number, question)))
        return replies

    def listen(self) -> None:
        """Pass each reply to the queue of its question until the child ends; then end every queue that is left."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                reply = json.loads(self.connection.recv_bytes())
                if (event := reply.get("log")) in EVENTS:
                    log_event(event, **reply["context"])
                    continue
                find = self.waiting.get if "first" in reply else self.waiting.pop
                if (replies := find(reply["number"], None)) is not None:
                    replies.put(reply)
        self.process.wait()
        with self.guard:
            self.is_over = True
            for replies in self.waiting.values():
                replies.put(None)

    def end(self) -> None:
        """End the child, even in the middle of a diagnosis; kill it if it does not end."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(b"")
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerProcess:
    """The child process. It asks hosts by the server's own settings and ssh configuration."""

    def __init__(self, settings: Settings, ssh_config: str) -> None:
        self._setup, self._guard, self._numbers = (settings, ssh_config), threading.Lock(), itertools.count()
        self._process: _Child | None = None

    def __enter__(self) -> "WorkerProcess":
        self._ensure_running()
        return self

    def __exit__(self, *_why: object) -> None:
        with self._guard:
            if self._process is not None:
                self._process.end()

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        """Diagnose a host in the child; `first` gets the first verdict when a second sample is taken. See Asker."""
        number = next(self._numbers)
        try:
            replies = self._ensure_running().send(number, question)
        except OSError:
            replies = self._ensure_running().send(number, question)
        while (reply := replies.get()) is not None:
            if "first" in reply:
                first(stored_diagnosis.read_stored(reply["first"]))
            elif "failed" in reply:
                raise _error(reply["failed"])
            else:
                return stored_diagnosis.read_stored(reply["done"])
        raise UsageError("the process that asks hosts died meanwhile; ask again", reason="internal")

    def _ensure_running(self) -> _Child:
        with self._guard:
            if self._process is None or self._process.process.poll() is not None:
                self._process = self._start()
            return self._process

    def _start(self) -> _Child:
        ours, theirs = socket.socketpair()
        argv = (sys.executable, "-m", MODULE, str(theirs.fileno()))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SECRET)}
        with ours, theirs:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), env=environment)
            made = _Child(process, Connection(os.dup(ours.fileno())))
        made.connection.send_bytes(pickle.dumps((*self._setup, lowest_level())))
        threading.Thread(target=made.listen, name="diagnosis-replies", daemon=True).start()
        return made


def _error(failed: Mapping[str, str]) -> Exception:
    kind = getattr(errors, failed["kind"], None)
    if isinstance(kind, type) and issubclass(kind, TriagebookError):
        return kind(failed["says"], reason=failed["reason"])
    return RuntimeError(failed["says"])
