"""What a start of ours costs: CPU of whole processes, the least of several rounds, which is the least disturbed one."""

import sys
from collections.abc import Mapping, Sequence

from tests.bench.measure import run
from tests.bench.peers import DIAGNOSED, PROGRAM, Network

BARE = "python -c pass"
ALL, ONE = "triagebook, over ssh", "triagebook -r enomem, over ssh"


def cpu_ms(network: Network, rounds: int = 7) -> Mapping[str, float]:
    """CPU milliseconds of each kind of start, taken in turn."""
    from tests.bench.measure import environment

    env = environment(network.home)
    ways: Mapping[str, Sequence[str]] = {
        BARE: (sys.executable, "-c", "pass"),
        "triagebook --help": (PROGRAM, "--help"),
        "triagebook, this machine": (PROGRAM, "diagnose"),
        ALL: (PROGRAM, "diagnose", "bench1", "-F", str(network.hosts.config)),
        ONE: (PROGRAM, "diagnose", "-r", "enomem", "bench1", "-F", str(network.hosts.config)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first one warms the caches: the others are less
        for name, argv in ways.items():
            taken[name].append(run(argv, env, expected=DIAGNOSED).cpu_s * 1000)
    return {name: min(values) for name, values in taken.items()}
