"""A signed order through a worker to a real helper: a worker can drop or delay it, never change it; nobody sends it twice."""

import os
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from triagebook.tools.actions.orders import fields_of
from triagebook.tools.execute.helper_link import AnswerLost, HelperLink
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import SiteSettings
from triagebook.tools.sites import client, wire
from triagebook.tools.sites.credentials import read_credentials
from triagebook.tools.sites.host_session import Ways
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.reach import Sites
from triagebook.tools.sites.worker import Worker
from triagebook.tools.transport.base import LoginFailed
from triagebook.tools.transport.local import LocalTransport

from tests.hang import GUARD_S
from tests.system.helper.scratch_host import ScratchHost
from tests.system.sites.conftest import Network, Somebody, somebody, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper works as root only")
FALSE = (wire.worker_subject("eu1", "false"), f"{wire.ask_subject('eu1')} {wire.QUEUE}")  # what a false worker listens to
RAISE = fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144"))


@pytest.fixture
def host() -> Iterator[ScratchHost]:
    with ScratchHost() as made:
        yield made


@pytest.fixture
def link(network: Network) -> Iterator[HelperLink]:
    """What a server sends orders by."""
    sites = Sites(SiteSettings(network.bus.url, network.bus.creds["server"], network.bus.authority), network.folder)
    yield HelperLink(
        LocalTransport(), target_of=lambda name: TargetName(name, "remote", name, site="eu1"), site_transport=sites.helper
    )
    sites.client().close()


@contextmanager
def worker(network: Network, host: ScratchHost, *, fixes: bool = True) -> Iterator[Worker]:
    """A worker of eu1 whose way to every helper leads to that host's, on this machine."""
    server = NatsServer(network.bus.url, read_credentials(network.bus.creds["eu1"]), network.bus.authority)
    local = LocalTransport()
    argv = ("env", "-i", *host.shell, str(host.helper))
    made: queue.SimpleQueue[Worker] = queue.SimpleQueue()

    def run() -> None:
        one = Worker("eu1", server, Ways(local, local if fixes else None, "fixer", argv))
        made.put(one)
        one.run()

    thread = threading.Thread(target=run)
    thread.start()
    one = made.get(timeout=GUARD_S)
    try:
        until(lambda: one.is_connected, "the worker does not connect")
        yield one
    finally:
        one.stop()
        thread.join(GUARD_S)
        assert not thread.is_alive()


def test_an_order_is_carried_out_once_and_a_repeated_one_is_refused_by_the_helper(
    network: Network, host: ScratchHost, link: HelperLink
) -> None:
    order = host.key.seal(host.order(RAISE))
    with worker(network, host):
        assert link.status("web01").target == host.target
        waiting = link.approach("web01")
        answer = waiting.ask(order)
        waiting.close()
        assert (answer.result, answer.before, answer.after) == ("applied", "65530", "262144")
        assert host.sysctl("vm/max_map_count") == "262144"
        again = link.ask("web01", order)
        assert (again.result, again.reason) == ("refused", "replayed")


def test_a_session_takes_one_order(network: Network, host: ScratchHost, link: HelperLink) -> None:
    with worker(network, host):
        process = link.approach("web01").process
        process.write(host.key.seal(host.order(RAISE)))
        process.finish(GUARD_S)
        for attempt in (lambda: process.write(b"more"), lambda: process.finish(GUARD_S)):
            with pytest.raises(OSError, match="an order was sent already"):
                attempt()
        with pytest.raises(OSError, match="the session is over"):
            process.session.ask({"ask": "order", "message": "again"}, GUARD_S)  # type: ignore[attr-defined]


def take(thief: Somebody) -> tuple[dict[str, object], str]:
    """What a false worker is asked next."""
    _subject, payload, reply = thief.came.get(timeout=GUARD_S)
    return wire.decode(payload), reply


def test_an_order_that_a_worker_changed_is_refused(network: Network, host: ScratchHost, link: HelperLink) -> None:
    with somebody(network.bus, "eu1", *FALSE) as thief:
        asking = ThreadPoolExecutor(1).submit(link.ask, "web01", host.key.seal(host.order(RAISE)))
        _asked, reply = take(thief)
        thief.say(reply, {"host": "web01", "worker": "false", "session": "s"})
        sent, reply = take(thief)
        changed = str(sent["message"]).replace("262144", "999999")
        assert changed != sent["message"]
        thief.say(reply, {"host": "web01", "worker": "false", "text": host.run(changed.encode()).stdout.decode(), "ended": "exit"})
        answer = asking.result(GUARD_S)
        assert (answer.result, answer.reason) == ("refused", "signature_invalid")
        assert host.sysctl("vm/max_map_count") == "65530"


def test_an_order_whose_worker_died_is_lost_and_no_other_worker_gets_it(
    network: Network, host: ScratchHost, link: HelperLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SILENCE_S", 3 * wire.BEAT_S)
    with somebody(network.bus, "eu1", *FALSE) as dying:
        asking = ThreadPoolExecutor(1).submit(link.ask, "web01", host.key.seal(host.order(RAISE)))
        _asked, reply = take(dying)
        dying.say(reply, {"host": "web01", "worker": "false", "session": "s"})
        sent, _reply = take(dying)
        assert sent["ask"] == "order"
        dying.connection.close()
    with worker(network, host):
        with pytest.raises(AnswerLost, match="it may have died"):
            asking.result(GUARD_S)
        assert link.status("web01").journal == "none"
    assert host.sysctl("vm/max_map_count") == "65530"


def test_where_nobody_could_take_an_order_nothing_was_sent(network: Network, host: ScratchHost, link: HelperLink) -> None:
    order = host.key.seal(host.order(RAISE))
    with pytest.raises(LoginFailed, match="no worker for site eu1"):
        link.ask("web01", order)
    with worker(network, host, fixes=False), pytest.raises(LoginFailed, match="its workers carry out no fixes"):
        link.ask("web01", order)
    assert host.sysctl("vm/max_map_count") == "65530"
