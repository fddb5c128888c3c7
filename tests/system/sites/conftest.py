"""One nats-server with two sites and one sshd for the tests of the folder; workers are processes of their own."""

import contextlib
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from triagebook.tools.sites import wire
from triagebook.tools.sites.connection import NatsConnection, Subscription
from triagebook.tools.sites.credentials import read_credentials
from triagebook.tools.sites.nats_server import NatsServer

from tests import nats, sshd
from tests.command import Triagebook, environment
from tests.hang import GUARD_S
from tests.namespaces import Namespace

Came = tuple[str, bytes, str]
READ = {"healthy", "warning", "cause_found", "inconclusive"}  # of this machine, whatever limits other tests reach on it just now
START = "from triagebook.bot.cli.app import main; main()"


def until(holds: Callable[[], object], what: str, seconds: float = GUARD_S) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@dataclass(frozen=True)
class WorkerProcess:
    """A running `triagebook worker` and its log."""

    process: "subprocess.Popen[bytes]"
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@dataclass(frozen=True)
class Network:
    """A nats-server, the ssh configuration that reaches what is behind the sites, and a folder."""

    bus: nats.Nats
    config: Path
    folder: Path

    @contextlib.contextmanager
    def worker(
        self,
        site: str,
        *options: str,
        meanwhile: Callable[[], object] = lambda: None,
        config: Path | None = None,
        settings: str = "",
        within: Namespace | None = None,
    ) -> Iterator[WorkerProcess]:
        """Run a worker of a site until the block ends; it answers already when it begins. `meanwhile` is called until then.

        It reaches what `config` says, and runs `within` a network of its own; `settings` are in its config.yaml.
        """
        home = self.folder / f"worker-{site}-{time.monotonic_ns()}"
        home.mkdir()
        if settings:
            (home / ".config" / "triagebook").mkdir(parents=True)
            (home / ".config" / "triagebook" / "config.yaml").write_text(settings)
        log = home / "log"
        key = str(self.bus.creds[site])
        argv = ("worker", "--site", site, "--nats", self.bus.url, "--creds", key, "--ca", str(self.bus.authority))
        command = [sys.executable, "-c", START, *argv, "-F", str(config or self.config), *options]
        command = within.argv(*command) if within else command
        with log.open("wb") as stream:
            process = subprocess.Popen(command, env=environment(home, USER="somebody"), stdout=stream, stderr=stream)
        made = WorkerProcess(process, log)
        try:
            until(lambda: (meanwhile(), "sites.connected" in made.log() or process.poll() is not None)[1], "it does not connect")
            assert process.poll() is None, made.log()
            yield made
        finally:
            if process.poll() is None:
                sshd.end(process)

    def person(self, inventory: str, *, creds: str = "server", name: str = "person") -> Triagebook:
        """A person, or a server, whose configuration names the nats-server, with that inventory."""
        home = self.folder / name
        config = home / ".config" / "triagebook"
        config.mkdir(parents=True, exist_ok=True)
        (config / "inventory.yaml").write_text(inventory)
        sites = f"{{nats: '{self.bus.url}', credentials: {self.bus.creds[creds]}, authority: {self.bus.authority}}}"
        (config / "config.yaml").write_text(f"sites: {sites}\n")
        return Triagebook(home)


class Somebody:
    """Whoever holds a key: listens, publishes, and notes what the nats-server refused."""

    def __init__(self, bus: nats.Nats, key: str, *subjects: str, queue_name: str = "") -> None:
        self.came: queue.SimpleQueue[Came] = queue.SimpleQueue()
        self.denied: list[str] = []
        pairs = [subject.partition(" ") for subject in subjects]  # "SUBJECT QUEUE", as permissions have it
        listened = [Subscription(subject, self._take, own or queue_name) for subject, _space, own in pairs]
        server = NatsServer(bus.url, read_credentials(bus.creds[key]), bus.authority)
        self.connection = NatsConnection(server, key, listened, denied=self.denied.append)
        until(lambda: self.connection.is_connected, f"{key}: {self.connection.why}")

    def _take(self, subject: str, payload: bytes, _headers: Mapping[str, str], reply: str) -> None:
        self.came.put((subject, payload, reply))

    def say(self, subject: str, message: Mapping[str, object]) -> None:
        assert self.connection.publish(subject, wire.encode(message))

    def settle(self) -> None:
        """Wait until the nats-server has done, or refused, all that was asked of it so far."""

        async def flush() -> None:
            await self.connection._send()
            assert self.connection._client is not None
            await self.connection._client.flush()

        self.connection._call(flush)


@contextlib.contextmanager
def somebody(bus: nats.Nats, key: str, *subjects: str, queue_name: str = "") -> Iterator[Somebody]:
    made = Somebody(bus, key, *subjects, queue_name=queue_name)
    try:
        yield made
    finally:
        made.connection.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, place: sshd.Ground) -> Iterator[Network]:
    """A nats-server with the sites `eu1` and `us1`, and an sshd that is `box`."""
    if nats.WHY_NOT:
        pytest.skip(nats.WHY_NOT)
    folder = tmp_path_factory.mktemp("sites")
    with nats.nats(folder, "eu1", "us1") as bus, place.sshd() as host:
        yield Network(bus, host.config, folder)
