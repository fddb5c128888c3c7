"""`python -m tests.agents score | record RELEASE [FAULT...] | show RELEASE FAULT [GROUP]`."""

import argparse
import sys

from tests.agents import page, texts
from tests.agents.faults import FAULTS


def main() -> int:
    """Score what is recorded (no network, no guest), record on a guest, or print the raw texts."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents", description=main.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("score", help="write docs/benchmark.md and docs/benchmark.svg from the recorded texts")
    record = verbs.add_parser("record", help="record the texts of faults anew, in guests of tests/lab (a minute each)")
    record.add_argument("release")
    record.add_argument("faults", nargs="*", metavar="FAULT", default=list(FAULTS))
    show = verbs.add_parser("show", help="print what was asked and what came back")
    show.add_argument("release")
    show.add_argument("fault")
    show.add_argument("group", nargs="?", default="")
    options = parser.parse_args()
    if options.verb == "score":
        page.write()
    elif options.verb == "record":
        from tests.agents.record import record as record_texts  # scoring needs no laboratory

        record_texts(options.release, options.faults)
    else:
        groups = texts.read(options.release).faults[options.fault].groups
        for name in [options.group] if options.group else groups:
            for call in groups[name].calls:
                sys.stdout.write(f"# {name}: {call.asked} ({call.seconds} s)\n{call.text}\n")
    return 0


sys.exit(main())
