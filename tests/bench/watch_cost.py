"""What a standing watch costs the host at each of its samples: CPU of all that the session runs there, by the kernel's count."""

import os
from collections.abc import Mapping
from pathlib import Path

from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups, setup
from triagebook.tools.ssh.transport import SshTransport

from tests.bench.peers import Network
from tests.bench.target import crowd

SAMPLES = 12  # what is kept between samples is read anew in every sixth or twelfth
UNCOUNTED = 3  # the first sample reads all, the second begins to keep


def sample_ms(network: Network) -> Mapping[int, float]:
    """By the number of processes on this machine: as it is, and with some hundred more."""
    found = dict([_sample_ms(network)])
    with crowd():
        found.update([_sample_ms(network)])
    return found


def _sample_ms(network: Network) -> tuple[int, float]:
    settings = setup.settings()
    catalog = setup.service(settings).catalog
    kinds = lookups.kinds_to_collect([catalog.load(setup.default_runbook(settings, catalog))])
    before = _descendants()
    collection = collect.start(SshTransport(config_file=network.hosts.config), "bench1", kinds, cpu_limit_s=None)
    session = _descendants() - before  # sshd's two processes and the collector
    try:
        for _ in range(UNCOUNTED):
            collection.take_sample(is_brief=True)
        started = _cpu_ms(session)
        for _ in range(SAMPLES):
            collection.take_sample(is_brief=True)
        spent = _cpu_ms(session) - started
        if not all(sample.is_complete for sample in collection.samples):
            raise RuntimeError(f"a sample did not come: {collection.cost.notes}")
        return len(_processes()), spent / SAMPLES
    finally:
        collection.close()


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _descendants() -> set[int]:
    """The processes below this one."""
    parents = {}
    for pid in _processes():
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found: set[int] = set()
    waiting = {os.getpid()}
    while waiting:
        waiting = {pid for pid, parent in parents.items() if parent in waiting} - found
        found |= waiting
    return found


def _cpu_ms(pids: set[int]) -> float:
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e6
