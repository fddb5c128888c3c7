"""Two sites in networks of their own, which reach the nats-server and nothing else: not each other, not the database."""

import socket
from pathlib import Path

import pytest

from tests import nats, postgres, sshd
from tests.command import ONE
from tests.namespaces import HUB, closed_networks, why_not
from tests.system.sites.conftest import READ, Network

ACCEPT = ("--accept-unknown", "max_map_count")
SITES = {"web-a": "eu1", "web-b": "us1"}


def test_each_site_has_its_own_hosts_read_and_reaches_nothing_but_the_nats_server(
    place: sshd.Ground, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    if why := why_not() or nats.WHY_NOT:
        pytest.skip(why)
    with (
        closed_networks("a", "b") as (a, b),
        nats.nats(tmp_path, "eu1", "us1", address=HUB) as bus,
        place.sshd(alias="web-a", within=a) as web_a,
        place.sshd(alias="web-b", within=b, host_keys=("ecdsa",)) as web_b,
        a.call(lambda: socket.create_server((a.address, 0))) as open_in_a,
    ):
        network = Network(bus, web_a.config, tmp_path)
        open_port = open_in_a.getsockname()[1]
        for site in (a, b):
            assert site.reaches(HUB, bus.port), "the nats-server"
            for address in ("127.0.0.1", HUB):
                assert not site.reaches(address, postgres_server.port), "the database"
        assert a.reaches(a.address, open_port)
        assert not b.reaches(a.address, open_port, within_s=2), "another site"
        person = network.person("hosts:\n  web-a: {site: eu1}\n  web-b: {site: us1}\n")
        with network.worker("eu1", within=a) as one, network.worker("us1", config=web_b.config, within=b):
            run = person("diagnose", "web-a", "web-b", *ONE, *ACCEPT)
            said = {line["host"]["name"]: (line["status"] in READ, line["target"]["transport"]) for line in run.json()}
            assert said == {name: (True, f"ssh:one-flight via site {site}") for name, site in SITES.items()}, run.err
            assert len({line["target"]["host_key"] for line in run.json()}) == 2
            assert "Accepted publickey" in web_a.log()
            assert "Accepted publickey" in web_b.log()
            one.process.kill()
            one.process.wait()
            run = person("diagnose", "web-a", "web-b", *ONE, *ACCEPT)
            ends = {line["host"]["name"]: line["status"] for line in run.json()}
            assert (ends["web-a"], ends["web-b"] in READ) == ("unreachable", True), run.err
            assert "no worker for site eu1 since " in run.out
