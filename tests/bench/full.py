"""The whole run: one host at every distance, fleets, starts, the target; into docs/performance.md and .svg."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import peers, report, silent, start, target, watch_cost
from tests.bench.hosts import Hosts, hosts
from tests.bench.link import link
from tests.bench.measure import Figures, in_turn
from tests.bench.network import refuse_a_connection
from tests.bench.peers import Network
from tests.bench.report import Target
from tests.bench.warm import warm

WARM = "triagebook, inside a process"
SERVERS = 8
SILENT_FLEET = 100
ROUND_TRIPS_OF_SSH = 3


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    rtts: tuple[int, ...]
    fleet: int
    slow_fleet: int
    fleet_rounds: int


@dataclass
class Found:
    """What a run has measured."""

    single: dict[int, Mapping[str, Figures]] = field(default_factory=dict)
    fleets: dict[int, Mapping[str, Figures]] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, target.Cost] = field(default_factory=dict)
    watch_ms: Mapping[int, float] = field(default_factory=dict)  # of a sample, by the number of processes there
    without_silent_s: float = 0.0
    with_silent_s: float = 0.0
    twice: Figures | None = None  # of one host whose counters say that it once refused somebody


def tell(line: str) -> None:
    """Progress, on standard error."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def full(plan: Plan, into: Path) -> None:
    """Measure everything and write it down."""
    found = Found()
    started, load = datetime.now(UTC), os.getloadavg()[0]
    with ExitStack() as stack:
        links = {rtt: stack.enter_context(link(rtt)) for rtt in plan.rtts}
        addresses = ("127.0.0.1", *(slow.server_address for slow in links.values()))
        near, *far = stack.enter_context(hosts(SERVERS, max(plan.fleet, SILENT_FLEET), addresses))
        networks = [Network(0, near)]
        networks += [Network(rtt, place, slow.enter) for (rtt, slow), place in zip(links.items(), far, strict=True)]
        found.starts = start.cpu_ms(networks[0])
        found.costs = target.costs(networks[0].home, tell)
        found.watch_ms = watch_cost.sample_ms(networks[0])
        for network in networks:
            found.single[network.rtt_ms] = _single(network, plan.rounds)
        _fleets(found, networks[0], plan)
        found.without_silent_s = silent.seconds_until_the_rest_is_answered(networks[0], SILENT_FLEET, 0)
        found.with_silent_s = silent.seconds_until_the_rest_is_answered(networks[0], SILENT_FLEET, SILENT_FLEET // 10)
        refuse_a_connection()
        found.twice = in_turn({peers.TRIAGEBOOK: networks[0].triagebook()}, plan.rounds, tell=tell).get(peers.TRIAGEBOOK)
        versions = _versions(near)
    write(found, into, f"{started:%Y-%m-%d}, load {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end", versions)


def _single(network: Network, rounds: int) -> Mapping[str, Figures]:
    tell(f"one host, {network.rtt_ms} ms")
    with warm(network) as service:
        ways = peers.single(network)
        first, *rest = ways
        return in_turn(
            {first: ways[first], WARM: service.diagnose, **{name: ways[name] for name in rest}},
            rounds,
            seldom=peers.SELDOM_SINGLE,
            tell=tell,
        )


def _fleets(found: Found, network: Network, plan: Plan) -> None:
    tell(f"{plan.fleet} hosts")
    found.fleets[plan.fleet] = in_turn(
        peers.fleet(network, plan.fleet), plan.fleet_rounds, seldom=(peers.SSH_MANY,), has_warm_up=False, tell=tell
    )
    tell(f"{plan.slow_fleet} hosts")
    found.fleets[plan.slow_fleet] = in_turn(
        {peers.TRIAGEBOOK: network.triagebook(plan.slow_fleet), **peers.slow_fleet(network, plan.slow_fleet)},
        1,
        has_warm_up=False,
        tell=tell,
    )


def judged(found: Found) -> list[Target]:
    """Every promise beside what was measured."""
    ours = peers.TRIAGEBOOK

    def wall(rtt: int, name: str, base: str) -> float | None:
        figures = found.single.get(rtt, {})
        return figures[name].wall_s / figures[base].wall_s if name in figures and base in figures else None

    targets = [
        Target("at 100 ms, whole process / OpenSSH, one batch", 0.40, wall(100, ours, peers.SSH_BATCH)),
        Target("at 100 ms, inside a process / OpenSSH, one batch", 0.30, wall(100, WARM, peers.SSH_BATCH)),
        Target("at 100 ms, whole process / OpenSSH, a connection per command", 1 / 40, wall(100, ours, peers.SSH_EACH)),
        Target(
            "at 100 ms, whole process / ansible, 17 tasks, pipelining",
            1 / 65,
            wall(100, ours, peers.ANSIBLE_TASKS),
            floor=floor(found.single, 100, peers.ANSIBLE_TASKS),
            floor_is="SSH's three round trips alone",
        ),
        Target("at 0 ms, whole process / OpenSSH, one batch", 1.2, wall(0, ours, peers.SSH_BATCH)),
        Target("at 0 ms, inside a process / OpenSSH, one batch", 0.4, wall(0, WARM, peers.SSH_BATCH)),
        Target("round trips, whole process (slope of wall time)", 3.6, slope(found.single, ours)),
    ]
    count = max(found.fleets, default=0)
    fleet = found.fleets.get(count, {})
    if ours in fleet:
        targets.append(beside_the_thriftiest(count, fleet))
        targets.append(Target(f"{count} hosts, memory", 25 + 0.04 * count, fleet[ours].memory_mib, " MiB"))
    targets.append(
        Target("one silent host in ten: time of the others, with / without", 1.25, found.with_silent_s / found.without_silent_s)
    )
    own, guide = found.costs["triagebook"], found.costs[target.EVERYWHERE]
    targets += [
        Target("processes started on the host", 0, own.processes),
        Target("CPU on the host / the guide, of every unit, process and user", 1 / 60, own.cpu_ms / guide.cpu_ms),
        Target("bytes from the host", 14 * 1024, own.sent_bytes),
    ]
    targets += [
        Target(f"CPU on the host of a watch's sample (10 ms in 10 s are 0.1 %), {count} processes", 10, spent_ms, " ms")
        for count, spent_ms in found.watch_ms.items()
    ]
    limits = {"triagebook --help": 70, "triagebook, this machine": 200, "triagebook, over ssh": 250}
    targets += [Target(f"CPU of `{name}`", limit, found.starts[name], " ms") for name, limit in limits.items()]
    ratio = found.starts[start.ALL] / found.starts[start.ONE]
    return [*targets, Target("CPU of a whole process over ssh, by all runbooks / by `enomem` alone", 1.3, ratio)]


def beside_the_thriftiest(count: int, fleet: Mapping[str, Figures]) -> Target:
    """Client CPU for each host beside the peer that spends least: less than every peer in the table."""
    spent = {name: figures.cpu_s for name, figures in fleet.items() if name != peers.TRIAGEBOOK}
    least = min(spent, key=spent.__getitem__)
    return Target(f"{count} hosts, client CPU / the thriftiest peer, {least}", 1, fleet[peers.TRIAGEBOOK].cpu_s / spent[least])


def floor(single: Mapping[int, Mapping[str, Figures]], rtt: int, base: str) -> float | None:
    """The least that any SSH client can take beside `base`: TCP, key exchange, and the login with all behind it."""
    figures = single.get(rtt, {})
    return ROUND_TRIPS_OF_SSH * rtt / 1000 / figures[base].wall_s if base in figures else None


def slope(single: Mapping[int, Mapping[str, Figures]], name: str) -> float | None:
    """Least squares of wall time over round-trip time, in round trips."""
    points = [(rtt / 1000, figures[name].wall_s) for rtt, figures in single.items() if name in figures]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _y in points)
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)


def _versions(near: Hosts) -> str:
    asked = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.strip()
    python = peers.VENV / "bin" / "python"
    names = ["asyncssh", "parallel-ssh", "fabric", "ansible-core", "pyinfra", "linux-mcp-server"]
    code = f"from importlib.metadata import version; print(', '.join(n + ' ' + version(n) for n in {names}))"
    others = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    own = "from importlib.metadata import version; print('paramiko', version('paramiko'))"
    stock = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=True).stdout.strip()
    return f"{asked}; Python {platform.python_version()}; {stock}; {others}; {len(near.ports)} sshd"


def write(found: Found, into: Path, when: str, versions: str) -> None:
    """docs/performance.md and docs/performance.svg."""
    far = max(found.single)
    charted = {name: figures.wall_s for name, figures in found.single[far].items()}
    title = f"One host, cold, at a round-trip time of {far} ms: seconds until the answer"
    (into / "performance.svg").write_text(report.chart(title, charted, "s"))
    template = (Path(__file__).parent / "performance.md").read_text()
    starts = "".join(f"| `{name}` | {value:.0f} |\n" for name, value in found.starts.items())
    costs = "".join(
        f"| {name} | {'' if cost.processes is None else cost.processes} | {cost.cpu_ms:.1f} | {cost.sent_bytes} |\n"
        for name, cost in found.costs.items()
    )
    values = {
        "when": when,
        "versions": versions,
        "cores": str(os.cpu_count()),
        "targets": report.targets(judged(found)),
        "walls": report.walls(found.single, peers.SSH_BATCH),
        "fleets": report.fleets(found.fleets),
        "silent": f"{found.without_silent_s:.1f} s without, {found.with_silent_s:.1f} s with {SILENT_FLEET // 10} silent",
        "twice": "" if found.twice is None else f"{found.twice.wall_s:.1f} s and {found.twice.cpu_s * 1000:.0f} ms of CPU",
        "starts": f"| start | CPU ms |\n|---|---|\n{starts}",
        "watch": ", ".join(f"{spent_ms:.1f} ms with {count} processes" for count, spent_ms in found.watch_ms.items()),
        "costs": f"| asked by | processes started | CPU ms | bytes |\n|---|---|---|---|\n{costs}",
    }
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", value.strip())
    (into / "performance.md").write_text(template)
    shutil.copymode(__file__, into / "performance.md")
