"""kill -9 of the worker, the nats-server and the server at every step of a reading and of an order through a site."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from triagebook.tools.actions.orders import fields_of
from triagebook.tools.collector import collect
from triagebook.tools.settings import SiteSettings
from triagebook.tools.sites.reach import Sites
from triagebook.tools.transport.base import LoginFailed

from tests import nats
from tests.hang import GUARD_S
from tests.quick import quick_share
from tests.system.helper.scratch_host import ScratchHost
from tests.system.sites import kill_targets
from tests.system.sites.conftest import until
from tests.system.sites.kill_targets import PROCESSES, Bus, Doom

VICTIMS = ("worker", "nats", "server")
RAISE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))
WHOLE = [True, True]


@dataclass
class Child:
    """A process of the fork server, and the pipe to it."""

    process: Any
    pipe: Any

    def tell(self) -> object:
        """What it says next."""
        assert self.pipe.poll(GUARD_S), "it says nothing"
        return self.pipe.recv()

    def await_end(self) -> int:
        self.process.join(GUARD_S)
        assert self.process.exitcode is not None, "it does not end"
        return int(self.process.exitcode)


@dataclass
class Field:
    """A nats-server, and the processes that were started beside it."""

    nats: nats.Nats
    sites: Sites

    @property
    def bus(self) -> Bus:
        return Bus(self.nats.url, self.nats.authority, self.nats.creds)

    @contextlib.contextmanager
    def child(self, target: Any, *arguments: object) -> Iterator[Child]:
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=target, args=(self.bus, *arguments, theirs))
        process.start()
        try:
            yield Child(process, ours)
        finally:
            if process.is_alive():
                process.kill()
            process.join(GUARD_S)

    @contextlib.contextmanager
    def worker(self, helper: tuple[str, ...] = (), step: str = "", victim: int = 0) -> Iterator[Child]:
        with self.child(kill_targets.work, Doom(step, victim), helper) as made:
            assert made.tell() == "ready"
            yield made

    @contextlib.contextmanager
    def killed(self, victim: str, step: str, order: bytes = b"", helper: tuple[str, ...] = ()) -> Iterator[object]:
        """Ask; kill `victim` at that step. Yields how the question ended ("" where who asked is dead), with a worker running."""
        with contextlib.ExitStack() as stack:
            asking = stack.enter_context(self.child(kill_targets.ask, order, victim == "worker"))
            assert asking.tell() == "ready"
            pids = {"worker": 0, "nats": self.nats.process.pid if self.nats.process else 0, "server": asking.process.pid}
            worker = stack.enter_context(self.worker(helper, step, pids[victim]))
            asking.pipe.send("go")
            if victim == "worker":
                assert worker.await_end() == -9
                stack.enter_context(self.worker(helper))
                asking.pipe.send("another one is there")
            elif victim == "nats":
                assert self.nats.process
                assert self.nats.process.wait(GUARD_S) == -9
                self.nats.start()
            else:
                assert asking.await_end() == -9
            yield asking.tell() if victim != "server" else ""
            assert victim == "worker" or worker.process.is_alive()

    def reads(self) -> bool:
        """Whether a server reads a host now."""
        try:
            reader = collect.start(self.sites.transport(kill_targets.target("box")), "box", kill_targets.KINDS)
        except LoginFailed:
            return False
        reader.close()
        return reader.samples[0].is_complete


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    if nats.WHY_NOT:
        pytest.skip(nats.WHY_NOT)
    folder = tmp_path_factory.mktemp("kill")
    with nats.nats(folder, "eu1") as bus:
        sites = Sites(SiteSettings(bus.url, bus.creds["server"], bus.authority), Path(folder))
        yield Field(bus, sites)
        sites.client().close()


# What a question may end with, where who asked lives on. A worker is replaced; without the nats-server it is told in time.
READ_ENDS: dict[str, list[object]] = {
    "worker": [WHOLE],
    "nats": [WHOLE, [True, False], "lost", "no_nats", "no_worker"],
    "server": [""],
}


@pytest.mark.parametrize("point", quick_share(f"{victim}-{step}" for victim in VICTIMS for step in kill_targets.READING))
def test_a_reading_whose_worker_nats_or_server_is_killed_has_its_end_and_the_site_goes_on(field: Field, point: str) -> None:
    victim, _, step = point.partition("-")
    with field.killed(victim, step) as ended:
        assert ended in READ_ENDS[victim]
        until(field.reads, "the site is not read again")


NEVER, LOST, DONE = "not sent", "lost", "applied"
# step -> (how the order ended, where the worker and where the nats-server was killed; whether the helper had it)
ORDER_ENDS: dict[str, tuple[list[str], list[str], dict[str, bool]]] = {
    "helper_asked": ([NEVER], [NEVER], {"worker": False, "nats": False, "server": False}),
    "helper_started": ([NEVER], [NEVER], {"worker": False, "nats": False, "server": False}),
    "order_arrived": ([LOST], [LOST], {"worker": False, "nats": True, "server": True}),
    "order_carried_out": ([LOST], [LOST], {"worker": True, "nats": True, "server": True}),
    "order_answered": ([DONE], [DONE, LOST], {"worker": True, "nats": True, "server": True}),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="the helper works as root only")
@pytest.mark.parametrize("point", quick_share(f"{victim}-{step}" for victim in VICTIMS for step in kill_targets.ORDER))
def test_an_order_whose_worker_nats_or_server_is_killed_is_carried_out_once_or_never(field: Field, point: str) -> None:
    victim, _, step = point.partition("-")
    by_worker, by_nats, had_it = ORDER_ENDS[step]
    expected = {"worker": by_worker, "nats": by_nats, "server": [""]}[victim]
    with ScratchHost() as host:
        number = secrets.token_hex(16)
        order = host.key.seal(host.order(RAISE, id=number))
        argv = ("env", "-i", *host.shell, str(host.helper))
        with field.killed(victim, step, order, argv) as ended:
            assert ended in expected
            until(
                lambda: kill_targets.journal(field.sites, number) == ("applied" if had_it[victim] else "none"),
                "the journal says something else",
            )
            assert host.sysctl("vm/max_map_count") == ("262144" if had_it[victim] else "65530")
            again = kill_targets.link(field.sites).ask("box", host.key.seal(host.order(RAISE, id=number)))
            assert (again.result, again.reason) == (("refused", "replayed") if had_it[victim] else ("applied", "ok"))
            assert host.sysctl("vm/max_map_count") == "262144"
