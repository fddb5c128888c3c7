"""Processes that are killed at a named step of a question: workers, and whoever asks them. A fork server makes them cheap."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from triagebook.tools.actions.orders import status_request
from triagebook.tools.collector import collect
from triagebook.tools.execute.helper_link import AnswerLost, HelperLink
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import SiteSettings
from triagebook.tools.sites import client, transport, wire, worker
from triagebook.tools.sites.credentials import read_credentials
from triagebook.tools.sites.host_session import HostSession, Ways
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.reach import Sites
from triagebook.tools.transport.base import HostProcess, LoginFailed, Transport
from triagebook.tools.transport.local import LocalTransport

READING = ("question_arrived", "logged_in", "sample_read", "answer_sent", "next_sample_asked", "next_sample_read")
ORDER = ("helper_asked", "helper_started", "order_arrived", "order_carried_out", "order_answered")
BEAT_S, SILENCE_S = 0.5, 6.0
KINDS = ("host", "meminfo")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Bus:
    """How the nats-server is reached."""

    url: str
    authority: Path
    creds: Mapping[str, Path]

    def server(self, key: str) -> NatsServer:
        return NatsServer(self.url, read_credentials(self.creds[key]), self.authority)


@dataclass
class Doom:
    """Kills a process when a step is reached for the first time; `victim` 0 is this process itself."""

    step: str
    victim: int

    def reach(self, step: str) -> None:
        if step == self.step:
            self.step = ""
            os.kill(self.victim or os.getpid(), signal.SIGKILL)
            while is_alive(self.victim):
                time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether it still runs: one that its parent has not buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class DoomedSession(HostSession):
    """A session that reaches the steps."""

    def __init__(self, doom: Doom, ways: Ways, asked: Mapping[str, Any]) -> None:
        super().__init__(ways, asked)
        self._doom, self._is_order = doom, asked.get("ask") == "helper"
        self.sent = ""

    def open(self) -> dict[str, object]:
        self._doom.reach("helper_asked" if self._is_order else "question_arrived")
        answer = super().open()
        self._doom.reach("helper_started" if self._is_order else "sample_read")
        self.sent = "" if self._is_order else "answer_sent"
        return answer

    def answer(self, message: Mapping[str, Any]) -> dict[str, object]:
        before, after = {"sample": READING[-2:], "order": ORDER[-3:-1]}.get(message["ask"], ("", ""))
        self._doom.reach(before or "nothing")
        answer = super().answer(message)
        self._doom.reach(after or "nothing")
        self.sent = "order_answered" if message["ask"] == "order" else ""
        return answer


class DoomedWorker(worker.Worker):
    """A worker that reaches the steps after an answer has left."""

    doom: Doom

    def _do(self, session: HostSession, reply: str, work: Callable[[], dict[str, object]]) -> None:
        super()._do(session, reply, work)
        assert isinstance(session, DoomedSession)
        if session.sent:
            self._connection._call(self._flush)
            self.doom.reach(session.sent)

    async def _flush(self) -> None:
        await self._connection._send()
        if self._connection._client is not None:
            await self._connection._client.flush()


@dataclass(frozen=True)
class Way:
    """Logs in on this machine, and reaches a step."""

    doom: Doom

    def launch(self, host: str, argv: Any, *, cap_bytes: int = 1 << 20) -> HostProcess:
        process = LocalTransport().launch(host, argv, cap_bytes=cap_bytes)
        self.doom.reach("logged_in")
        return process


def work(bus: Bus, doom: Doom, helper: tuple[str, ...], ready: Connection) -> None:
    """Be a worker of eu1, until SIGTERM or that step."""
    wire.BEAT_S = BEAT_S
    worker.HostSession = partial(DoomedSession, doom)  # type: ignore[misc, assignment]
    local: Transport = LocalTransport()
    made = DoomedWorker("eu1", bus.server("eu1"), Ways(Way(doom), local, "", helper))
    made.doom = doom
    signal.signal(signal.SIGTERM, lambda _number, _frame: made.stop())
    threading.Thread(target=_tell_ready, args=(made, ready), daemon=True).start()
    made.run()


def _tell_ready(made: worker.Worker, ready: Connection) -> None:
    while not made.is_connected:
        time.sleep(0.01)
    ready.send("ready")


def ask(bus: Bus, order: bytes, is_replaced: bool, pipe: Connection) -> None:
    """Be a server that reads a host twice, or sends an order (where there is one), once it is told to; tell how it ended.

    `is_replaced`: its worker will be, and it asks another one once it is told that there is one.
    """
    client.SILENCE_S = SILENCE_S
    if is_replaced:
        transport.log_event = partial(_await_another, pipe)
    sites = Sites(SiteSettings(bus.url, bus.creds["server"], bus.authority), None)
    pipe.send("ready")
    pipe.recv()
    pipe.send(_send(sites, order) if order else _read(sites))
    sites.client().close()


def _await_another(pipe: Connection, event: str, **_values: object) -> None:
    """Wait where a worker died and another one is about to be asked: it is not to be a matter of time whether there is one."""
    if event == "sites.asked_again":
        pipe.recv()


def target(name: str) -> TargetName:
    return TargetName(name, "remote", name, site="eu1")


def link(sites: Sites) -> HelperLink:
    return HelperLink(LocalTransport(), target_of=target, site_transport=sites.helper)


def journal(sites: Sites, order: str) -> str:
    """What the helper's journal says of an order; empty while it cannot be asked."""
    try:
        return link(sites).ask("box", status_request(order)).journal
    except (LoginFailed, AnswerLost):
        return ""


def _read(sites: Sites) -> object:
    try:
        reader = collect.start(sites.transport(target("box")), "box", KINDS)
    except LoginFailed as failed:
        return failed.login.outcome
    reader.take_sample()
    reader.close()
    return [sample.is_complete for sample in reader.samples]


def _send(sites: Sites, order: bytes) -> object:
    try:
        answer = link(sites).ask("box", order)
    except LoginFailed:
        return "not sent"
    except AnswerLost:
        return "lost"
    return answer.result
