"""A host of a site is diagnosed by a worker process over a real nats-server, and nothing but `via site` tells it from another."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from triagebook.tools.collector import collect
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import SiteSettings
from triagebook.tools.sites import backlog, client, wire
from triagebook.tools.sites.reach import Sites
from triagebook.tools.transport.base import LoginFailed

from tests.hang import GUARD_S
from tests.system.sites.conftest import READ, Network, somebody, until

INVENTORY = "hosts:\n  box: {site: eu1}\n  web01: {site: us1}\n"
KINDS = ("host", "meminfo")
ACCEPT = ("--accept-unknown", "max_map_count")


def box(site: str = "eu1") -> TargetName:
    return TargetName("box", "remote", "box", site=site)


@contextmanager
def sites(network: Network) -> Iterator[Sites]:
    """The sites as a server asks them, in this process."""
    made = Sites(SiteSettings(network.bus.url, network.bus.creds["server"], network.bus.authority), network.folder)
    try:
        yield made
    finally:
        made.client().close()


def read(of: Sites, site: str = "eu1", host: str = "box") -> collect.HostReader:
    return collect.start(of.transport(TargetName(host, "remote", host, site=site)), host, KINDS)


def test_a_host_of_a_site_is_diagnosed_by_its_worker_and_one_without_workers_is_said(network: Network) -> None:
    person = network.person(INVENTORY)
    with network.worker("eu1"):
        run = person("diagnose", "box", "--json", "-r", "enomem", *ACCEPT)
        (said,) = run.json()
        listed = person("site", "list")
    assert said["status"] in READ, run.err
    assert said["target"]["transport"] == "ssh:one-flight via site eu1"
    assert said["target"]["host_key"].startswith("SHA256:")
    assert (listed.status, listed.out.splitlines()[0]) == (4, "eu1  1 host  1 worker")
    assert "us1  1 host  no worker (none has answered yet)" in listed.out
    run = person("diagnose", "web01", "box")
    assert run.status == 4
    assert "no worker for site us1 (none has answered yet)" in run.out
    assert "no worker for site eu1 since " in run.out


def test_a_worker_that_is_slow_to_say_who_it_is_is_there(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WHO_S", GUARD_S, raising=False)
    with sites(network) as ours, somebody(network.bus, "eu1", wire.who_subject("eu1")) as slow:
        listing = ThreadPoolExecutor(1).submit(ours.client().ask_all, "eu1", 0.05)
        _subject, _payload, reply = slow.came.get(timeout=GUARD_S)
        time.sleep(0.2)
        slow.say(reply, {"worker": "slow"})
        assert [answer["worker"] for answer in listing.result(GUARD_S)] == ["slow"]


def test_a_worker_that_dies_between_two_samples_is_replaced_by_another(network: Network) -> None:
    with network.worker("eu1") as first, sites(network) as ours:
        reader = read(ours)
        key = reader.session.route.host_key
        with network.worker("eu1"):
            first.process.kill()
            first.process.wait()
            reader.take_sample()
            reader.take_sample()
            assert [(sample.n, sample.is_complete) for sample in reader.samples] == [(1, True), (2, True), (3, True)], reader.cost
            assert key.startswith("SHA256:")
            assert reader.session.route.host_key == key
            reader.close()


def test_a_worker_that_dies_over_a_question_is_replaced_by_another_once(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE_S", 3 * wire.BEAT_S)
    with sites(network) as ours, somebody(network.bus, "eu1", wire.ask_subject("eu1"), queue_name=wire.QUEUE) as dying:
        asking = ThreadPoolExecutor(1).submit(read, ours)
        _subject, question, reply = dying.came.get(timeout=GUARD_S)
        assert wire.decode(question)["ask"] == "read"
        with network.worker("eu1", meanwhile=lambda: dying.say(reply, {"beat": True})):
            dying.connection.close()
            reader = asking.result(GUARD_S)
            assert reader.samples[0].is_complete
            reader.close()


def test_a_busy_site_says_so_and_when_to_try_again(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "BUSY_S", 0.5)
    with network.worker("eu1", "--at-once", "1"), sites(network) as ours:
        first = read(ours)
        with pytest.raises(LoginFailed, match=r"site eu1 is busy: .*retry in 1 s") as busy:
            read(ours)
        assert (busy.value.login.phase, busy.value.login.outcome) == ("site", "busy")
        first.close()
        monkeypatch.setattr(backlog, "BUSY_S", GUARD_S)
        read(ours).close()


def test_only_a_free_worker_is_asked_and_one_that_comes_free_says_so(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", GUARD_S)  # nobody asks again by themselves
    monkeypatch.setattr(backlog, "BUSY_S", GUARD_S)
    with network.worker("eu1", "--at-once", "1"), network.worker("eu1", "--at-once", "1"), sites(network) as ours:
        for _ in range(4):
            first, second = read(ours), read(ours)
            third = ThreadPoolExecutor(1).submit(read, ours)
            until(lambda: ours.client().backlog.length == 1, "it does not wait")
            second.close()
            third.result(GUARD_S).close()
            first.close()


def test_a_worker_that_is_terminated_finishes_what_it_began_and_takes_nothing_more(network: Network) -> None:
    with network.worker("eu1") as one, sites(network) as ours:
        reader = read(ours)
        one.process.terminate()
        until(lambda: not is_reached(ours), "it still takes questions")
        with pytest.raises(LoginFailed, match="no worker for site eu1 since "):
            read(ours)
        reader.take_sample()
        assert reader.samples[1].is_complete, reader.cost
        assert one.process.poll() is None
        reader.close()
        assert one.process.wait(GUARD_S) == 0, one.log()
        assert "sites.worker_stopped" in one.log()


def test_without_the_nats_server_everybody_says_so_and_comes_back_by_itself(network: Network) -> None:
    with network.worker("eu1") as one, sites(network) as ours:
        read(ours).close()
        network.bus.kill()
        with pytest.raises(LoginFailed, match=r"no connection to the NATS server tls://.* since [0-9:]{5}") as away:
            read(ours)
        assert away.value.login.outcome in {"no_nats", "lost"}
        network.bus.start()
        until(lambda: one.log().count("sites.connected") == 2, "the worker does not come back")
        until(lambda: is_reached(ours), "the site is not asked again")


def test_a_connection_that_ends_without_a_word_is_made_anew(network: Network) -> None:
    with network.worker("eu1"), sites(network) as ours:
        read(ours).close()
        client = ours.client()._connection._client
        client._closed_cb = None  # nats-py does not come to it where its last write fails
        network.bus.kill()
        network.bus.start()
        until(lambda: is_reached(ours), "the site is not asked again")


def is_reached(ours: Sites) -> bool:
    try:
        read(ours).close()
    except LoginFailed:
        return False
    return True


def test_a_host_that_its_worker_cannot_reach_is_unreachable_by_the_word_of_the_worker(network: Network) -> None:
    with network.worker("eu1"), sites(network) as ours:
        with pytest.raises(LoginFailed, match=r"by the worker of site eu1") as failed:
            read(ours, host="nobody.invalid")
        assert failed.value.login.phase in {"resolve", "connect"}
