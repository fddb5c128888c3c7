"""One card for a host, though two server processes on one PostgreSQL are asked about it at the same instant."""

import secrets
import threading
from collections import Counter
from pathlib import Path

from tests import postgres
from tests.hang import GUARD_S

from .gate import Gate
from .replicas import Replica, two
from .world import Channels, until

HOSTS = 9  # below the number that becomes a table
STORM = 24


def test_two_replicas_asked_about_one_host_at_the_same_instant_post_one_card(
    tmp_path: Path, through: Gate, postgres_server: postgres.Server
) -> None:
    channels = Channels(through)
    with two(tmp_path, through, postgres_server.new_database()) as (one, other):
        hosts = [f"web-{number:02}" for number in range(1, HOSTS + 1)]
        for host in hosts:
            at_once((one, other, one, other), host, "incidents")
        for host in hosts:
            channels.card("incidents", f"CAUSE FOUND · {host}")
        until(lambda: all(repeats(channels, host) == 3 for host in hosts), "the repetitions below the cards")
        cards = Counter(host for host in hosts for item in channels.messages("incidents") if host in item["text"])
        assert cards == dict.fromkeys(hosts, 1)


def test_a_storm_that_reaches_two_replicas_is_one_table(tmp_path: Path, through: Gate, postgres_server: postgres.Server) -> None:
    channels = Channels(through)
    with two(tmp_path, through, postgres_server.new_database()) as replicas:
        hosts = [f"web-{number:02}" for number in range(1, STORM + 1)]
        start = threading.Barrier(STORM)
        threads = [
            threading.Thread(target=ask, args=(replicas[number % 2], host, "alerts", start)) for number, host in enumerate(hosts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GUARD_S)
        channels.card("alerts", f"{STORM - 10} hosts")
        until(lambda: len([item for item in channels.messages("alerts") if "CAUSE FOUND · " in item["text"]]) == 10, "the cards")
        assert len(channels.messages("alerts")) == 11


def at_once(replicas: tuple[Replica, ...], host: str, channel: str) -> None:
    start = threading.Barrier(len(replicas))
    threads = [threading.Thread(target=ask, args=(replica, host, channel, start)) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)


def ask(replica: Replica, host: str, channel: str, start: threading.Barrier) -> None:
    driver = replica.driver
    body = driver.command_body("ann", host, "/triage", channel, f"trigger-{secrets.token_hex(8)}")
    start.wait(GUARD_S)
    assert driver.way.send("command", body).status == 200


def repeats(channels: Channels, host: str) -> int:
    """How often the thread of the host's card says that it was seen again, as it should be when all is done."""
    cards = [item for item in channels.messages("incidents") if host in item["text"]]
    return sum("times by now" in below["text"] for card in cards for below in channels.thread(card))
