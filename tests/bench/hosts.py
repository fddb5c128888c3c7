"""The hosts of a run: several real sshd under many names, for every kind of client: ssh_config, and a file for our scripts."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import sshd

# What a fleet needs of one sshd that stands for many hosts; and no log of each connection.
OPTIONS = {"MaxStartups": "4000:30:4000", "MaxSessions": "100", "LogLevel": "ERROR"}


@dataclass(frozen=True)
class Hosts:
    """`count` names, bench1 to benchN, spread over the servers, at one address."""

    folder: Path
    address: str
    ports: tuple[int, ...]
    user: str
    key: Path
    known_hosts: Path
    config: Path

    def names(self, count: int) -> list[str]:
        return [f"bench{number}" for number in range(1, count + 1)]

    def port(self, index: int) -> int:
        return self.ports[index % len(self.ports)]

    def task(self, commands: Sequence[str], count: int = 1, workers: int = 50) -> Path:
        """The file that tests/bench/clients read: where to go and what to run."""
        path = self.folder / f"task-{self.address}-{count}-{len(commands)}-{workers}.json"
        task = {
            "hosts": [[self.address, self.port(index)] for index in range(count)],
            "user": self.user,
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
            "commands": list(commands),
            "workers": workers,
        }
        path.write_text(json.dumps(task))
        return path


@contextmanager
def hosts(servers: int, names: int, addresses: Sequence[str] = ("127.0.0.1",)) -> Iterator[tuple[Hosts, ...]]:
    """The same servers at each of the addresses, which must be ours."""
    with sshd.ground() as ground, ExitStack() as stack:
        listen = "\nListenAddress ".join(addresses)  # a keyword that may come more than once
        running = [stack.enter_context(ground.sshd({**OPTIONS, "ListenAddress": listen})) for _ in range(servers)]
        ports = tuple(server.port for server in running)
        yield tuple(_at(ground, address, ports, names) for address in addresses)


def _at(ground: sshd.Ground, address: str, ports: tuple[int, ...], names: int) -> Hosts:
    known = ground.folder / f"known_hosts-{address}"
    known.write_text("".join(f"[{address}]:{port} {sshd.public(ground.host_key())}\n" for port in ports))
    config = ground.folder / f"ssh_config-{address}"
    found = Hosts(ground.folder, address, ports, ground.user, ground.user_key, known, config)
    entries = "".join(f"Host bench{n + 1}\n  HostName {address}\n  Port {found.port(n)}\n" for n in range(names))
    config.write_text(
        f"{entries}Host *\n  User {ground.user}\n  IdentityFile {ground.user_key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
        "  UpdateHostKeys no\n  LogLevel ERROR\n"
    )
    return found
