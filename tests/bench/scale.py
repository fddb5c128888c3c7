"""Measures what sites cost and how they scale, and writes the table of docs/scale.md: `python -m tests.bench.scale [PART ...]`.

Each part is a few runs of tests/bench/sites.py, one process each. Runs that are compared with each other alternate, three times;
the least of each counts, since whatever else the machine does can only add to it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
ROUNDS = 3
COST = ("--hosts", "300", "--delay", "0.2", "--at-once", "100", "--fleet", "50")
LATENCY = ("--hosts", "150", "--delay", "0", "--fleet", "1")
SHARE = ("--hosts", "300", "--delay", "1", "--at-once", "10", "--runbook", "segfault")
MANY = ("--hosts", "10000", "--delay", "0.1", "--at-once", "200", "--workers", "2", "--runbook", "segfault")
WHOLE = ("--hosts", "1000", "--delay", "1", "--at-once", "200")
Measured = Mapping[str, Any]


def run(*options: str) -> Measured:
    """One run."""
    argv = [sys.executable, "-m", "tests.bench.sites", *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: Measured = json.loads(done.stdout)
    print(" ".join(options), done.stdout.strip(), file=sys.stderr)
    return found


def compare(options: Sequence[str], *workers: int) -> list[list[Measured]]:
    """Runs with each number of workers, in turns."""
    rounds = [[run(*options, "--workers", str(count)) for count in workers] for _ in range(ROUNDS)]
    return [list(runs) for runs in zip(*rounds, strict=True)]


def least(runs: Sequence[Measured], name: str) -> float:
    return min(float(found[name]) for found in runs)


def cost() -> list[tuple[str, str]]:
    direct, site = compare(COST, 0, 1)
    ours, theirs, at_worker = (
        least(direct, "own_cpu_ms_a_host"),
        least(site, "own_cpu_ms_a_host"),
        least(site, "worker_cpu_ms_a_host"),
    )
    return [
        ("CPU of the server a host, reached directly", f"{ours:.1f} ms (without the login, which a recording has none of)"),
        ("CPU of the server a host, by a site", f"{theirs:.1f} ms, {theirs - ours:+.1f} ms"),
        ("CPU of a worker a host", f"{at_worker:.1f} ms (the same)"),
    ]


def latency() -> list[tuple[str, str]]:
    direct, site = (1000 / max(float(found["hosts_a_second"]) for found in runs) for runs in compare(LATENCY, 0, 1))
    return [("One host after the other: a site adds", f"{site - direct:.1f} ms a host")]


def share() -> list[tuple[str, str]]:
    one, two = (max(float(found["hosts_a_second"]) for found in runs) for runs in compare(SHARE, 1, 2))
    return [("Two workers instead of one, 10 hosts at once each, 1 s a host", f"{two / one:.2f} times the hosts a second")]


def whole() -> list[tuple[str, str]]:
    found = run(*WHOLE)
    says = f"{found['seconds']:.0f} s; the server judges {found['hosts_a_second']:.0f} a second"
    return [("1,000 hosts by one worker, all checks of `enomem`, 1 s a host", says)]


def many() -> list[tuple[str, str]]:
    found = run(*MANY)
    assert found["each_once"], "a host was lost or doubled"
    return [
        ("10,000 hosts in one question: memory of the server", f"{found['own_memory_mib']:.0f} MiB; each host once in the answer")
    ]


PARTS = {"cost": cost, "latency": latency, "share": share, "whole": whole, "many": many}


def write(what: str, value: str) -> None:
    """Write a row of the table: over the one that says the same, or as the last."""
    row, lines = f"| {what} | {value} |", PAGE.read_text().splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith(f"| {what} |")), -1)
    if at < 0:
        at = lines.index("", next(number for number, line in enumerate(lines) if line.startswith("<!-- measured")))
        lines.insert(at, "")
    lines[at] = row
    PAGE.write_text("\n".join(lines) + "\n")
    print(row)


def main() -> None:
    """Measure the named parts, or all."""
    for part in sys.argv[1:] or PARTS:
        for what, value in PARTS[part]():
            write(what, value)


if __name__ == "__main__":
    main()
