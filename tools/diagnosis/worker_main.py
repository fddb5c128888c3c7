"""The process that asks hosts for the Slack face: reads questions from the descriptor it is given, writes answers as JSON.

It holds no key of the approval server and no database, and gives way to the process that acknowledges. It ends when that one does.
"""

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from multiprocessing.connection import Connection
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored import LocalAsker
from triagebook.tools.log import log_event
from triagebook.tools.log_output import hand_over

WORKERS = 64
NICE = 5


@dataclass
class Responder:
    """Who asks, and the way back."""

    here: LocalAsker
    way: Connection
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, number: int, question: Question) -> None:
        """Ask one host. Whatever happens is an answer."""
        try:
            found = self.here.ask(question, lambda first: self._tell(number, first=first.text))
        except TriagebookError as error:
            self._tell(number, failed={"kind": type(error).__name__, "says": str(error), "reason": error.reason})
        except Exception as error:  # noqa: BLE001 - a defect ends one question, not the process
            log_event("diagnosis.defect", host=question.target.text, error=error)
            self._tell(number, failed={"kind": "", "says": f"{type(error).__name__} where hosts are asked", "reason": "internal"})
        else:
            self._tell(number, done=found.text)

    def log(self, event: str, context: Mapping[str, str]) -> None:
        """Let the other process log what happens here."""
        with contextlib.suppress(OSError):
            self._tell(-1, log=event, context=dict(context))

    def _tell(self, number: int, **what: Any) -> None:
        with self._guard:
            self.way.send_bytes(json.dumps({"number": number, **what}).encode())


def main(descriptor: int) -> None:
    """Until the other side says so, or is gone."""
    for number in (signal.SIGTERM, signal.SIGINT):  # sent to every process of a unit: what runs is told to end by the other side
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    way = Connection(descriptor)
    settings, ssh_config, log_level = pickle.loads(way.recv_bytes())  # noqa: S301 - from the process that started this one
    answering = Responder(LocalAsker(setup.service(settings, ssh_config=ssh_config)), way)
    hand_over(answering.log, log_level)
    pool = ThreadPoolExecutor(WORKERS, "ask")
    try:
        while asked := way.recv_bytes():
            pool.submit(answering.answer, *pickle.loads(asked))  # noqa: S301 - the same
    except EOFError:
        pass
    os._exit(0)  # without waiting for hosts: nobody is there to be told


if __name__ == "__main__":
    main(int(sys.argv[1]))
