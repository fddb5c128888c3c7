"""Tells the commands that the product itself runs on a host, word by word, from every other: what a session that is lent runs."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector import readings
from triagebook.tools.collector.readings import HostReading


def is_lookup(argv: Sequence[str]) -> bool:
    """Say whether it is exactly the argv that a kind of the vocabulary makes for one of its words, or for its own subject."""
    for kind in probes.kinds():
        if probes.is_collected(kind):
            continue
        module = probes.load(kind)
        for subject in {*argv, "kernel"}:
            try:
                if tuple(module.command(subject)) == tuple(argv):
                    return True
            except ValueError:
                continue
    return False


def reading_of(argv: Sequence[str]) -> HostReading | None:
    """Return the reading whose program an argv is; None: it is none."""
    if tuple(argv[:4]) != ("sh", "-c", readings.script(), "sh") or len(argv) < 5:
        return None
    try:
        return HostReading(argv[4], tuple(argv[5:]))
    except UsageError:
        return None
