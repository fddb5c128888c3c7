"""Hosts are asked by a process of their own: what it costs to ask fifty never holds up an acknowledgement.

The answers come back as redacted JSON of the published schema: nothing that a host printed is parsed in the process that holds
the keys. A process that died is started again by whoever asks next.
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
from triagebook.tools.diagnosis import stored
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored import OnFirstVerdict, StoredDiagnosis
from triagebook.tools.log import EVENTS, log_event, lowest_level
from triagebook.tools.settings import Settings

MODULE = "triagebook.tools.diagnosis.worker_main"
PATIENCE_S = 15.0
SECRET = ("SLACK_", "TRIAGEBOOK_DATABASE", "NOTIFY_SOCKET")  # what the process is not told
Told = Mapping[str, Any]


@dataclass
class _Child:
    """One process, and who waits for it: a queue for each question under way."""

    process: "subprocess.Popen[bytes]"
    way: Connection
    waiting: dict[int, "SimpleQueue[Told | None]"] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)
    is_over: bool = False

    def put(self, number: int, question: Question) -> "SimpleQueue[Told | None]":
        """Ask it. OSError: it is not there any more."""
        heard: SimpleQueue[Told | None] = SimpleQueue()
        with self.guard:
            if self.is_over:
                raise OSError
            self.waiting[number] = heard
            self.way.send_bytes(pickle.dumps((number, question)))
        return heard

    def listen(self) -> None:
        """Hand on what it says until it ends; then whoever still waits is told."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                told = json.loads(self.way.recv_bytes())
                if (event := told.get("log")) in EVENTS:
                    log_event(event, **told["context"])
                    continue
                heard = self.waiting.get(told["number"]) if "first" in told else self.waiting.pop(told["number"], None)
                if heard is not None:
                    heard.put(told)
        self.process.wait()
        with self.guard:
            self.is_over = True
            for heard in self.waiting.values():
                heard.put(None)

    def end(self) -> None:
        """It ends when nobody is there any more, and what it was at with it."""
        with contextlib.suppress(OSError):
            self.way.send_bytes(b"")
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerProcess:
    """The process, and what it asks hosts by: the server's own settings and ssh configuration."""

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
        """See Asker."""
        number = next(self._numbers)
        try:
            heard = self._ensure_running().put(number, question)
        except OSError:
            heard = self._ensure_running().put(number, question)
        while (told := heard.get()) is not None:
            if "first" in told:
                first(stored.read_stored(told["first"]))
            elif "failed" in told:
                raise _error(told["failed"])
            else:
                return stored.read_stored(told["done"])
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
        made.way.send_bytes(pickle.dumps((*self._setup, lowest_level())))
        threading.Thread(target=made.listen, name="slack-apart", daemon=True).start()
        return made


def _error(told: Mapping[str, str]) -> Exception:
    kind = getattr(errors, told["kind"], None)
    if isinstance(kind, type) and issubclass(kind, TriagebookError):
        return kind(told["says"], reason=told["reason"])
    return RuntimeError(told["says"])
