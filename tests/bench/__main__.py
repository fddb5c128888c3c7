"""`python -m tests.bench run|guard`; see `make bench` and `make bench-guard`."""

import argparse
import sys
from pathlib import Path

from tests import sshd
from tests.bench import guard, link, network
from tests.bench.full import Plan, full
from tests.bench.peers import ROOT


def main() -> int:
    """Parse, check what is there, run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="everything, into docs/performance.md and docs/performance.svg")
    run.add_argument("--rounds", type=int, default=5)
    run.add_argument("--rtt", type=int, nargs="*", default=[20, 100], help="round-trip times beside 0, in ms")
    run.add_argument("--fleet", type=int, default=500)
    run.add_argument("--slow-fleet", type=int, default=100, help="for peers with a process per host")
    run.add_argument("--fleet-rounds", type=int, default=3)
    run.add_argument("--into", type=Path, default=ROOT / "docs")
    watch = commands.add_parser("guard", help="quick: has a ratio got worse by half?")
    watch.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if sshd.WHY_NOT:
        print(f"bench: {sshd.WHY_NOT}", file=sys.stderr)
        return 2
    if why := network.enter_own():
        print(f"bench: in the machine's own network ({why})", file=sys.stderr)
    if options.command == "guard":
        return guard.main(is_recording=options.record)
    if options.rtt and (why := link.why_not()):
        print(f"bench: {why}; without them", file=sys.stderr)
        options.rtt = []
    full(Plan(options.rounds, tuple(options.rtt), options.fleet, options.slow_fleet, options.fleet_rounds), options.into)
    return 0


sys.exit(main())
