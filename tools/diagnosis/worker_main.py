"""The child process that diagnoses hosts for a server: reads questions from the descriptor it is given, writes replies as JSON.

It has no signing key and no database, runs at a lower priority than the server, and ends when the server does.
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
from triagebook.tools.diagnosis.stored_diagnosis import LocalAsker
from triagebook.tools.log import log_event
from triagebook.tools.log_output import hand_over

WORKERS = 64
NICE = 5


@dataclass
class Responder:
    """Answers questions over one connection."""

    asker: LocalAsker
    connection: Connection
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, number: int, question: Question) -> None:
        """Diagnose one host and send the reply. A failure of any kind is a reply too."""
        try:
            found = self.asker.ask(question, lambda first: self._reply(number, first=first.text))
        except TriagebookError as error:
            self._reply(number, failed={"kind": type(error).__name__, "says": str(error), "reason": error.reason})
        except Exception as error:  # noqa: BLE001 - a defect ends one question, not the process
            log_event("diagnosis.defect", host=question.target.text, error=error)
            self._reply(number, failed={"kind": "", "says": f"{type(error).__name__} where hosts are asked", "reason": "internal"})
        else:
            self._reply(number, done=found.text)

    def log(self, event: str, context: Mapping[str, str]) -> None:
        """Have the server log what happens here."""
        with contextlib.suppress(OSError):
            self._reply(-1, log=event, context=dict(context))

    def _reply(self, number: int, **what: Any) -> None:
        with self._guard:
            self.connection.send_bytes(json.dumps({"number": number, **what}).encode())


def main(descriptor: int) -> None:
    """Answer questions until the server says that it ends, or is gone."""
    for number in (signal.SIGTERM, signal.SIGINT):  # systemd signals every process of a unit; the server ends this one
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    connection = Connection(descriptor)
    settings, ssh_config, log_level = pickle.loads(connection.recv_bytes())  # noqa: S301 - from the process that started this one
    responder = Responder(LocalAsker(setup.service(settings, ssh_config=ssh_config)), connection)
    hand_over(responder.log, log_level)
    pool = ThreadPoolExecutor(WORKERS, "diagnosis")
    try:
        while asked := connection.recv_bytes():
            pool.submit(responder.answer, *pickle.loads(asked))  # noqa: S301 - the same
    except EOFError:
        pass
    os._exit(0)  # without waiting for hosts: nobody reads the replies any more


if __name__ == "__main__":
    main(int(sys.argv[1]))
