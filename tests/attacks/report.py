"""Writes docs/security-tests.md: what each attack tried in the last whole run of `make attacks`."""

import platform
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from tests.attacks import budget

BEGAN = time.monotonic()
HEAD = """# Attacks that are repeated

Written by `make attacks`; do not edit. Each line is an attack of `tests/attacks`, which goes on for its share of the time with new
input each round, and what it counted. Rounds are made of a seed: a failure names it and the round, and repeats alone.
What is promised, and which tests hold it: `SECURITY.md` at the top of the project.
"""


def write(target: Path, collected: int, failed: int, exit_status: int) -> None:
    """Write the page of a run that did not fail."""
    if failed or exit_status:
        return
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for (attack, what), count in sorted(budget.FIGURES.items()):
        rows[_title(attack)][what] = rows[_title(attack)].get(what, 0) + count
    about = (
        f"Last run: {datetime.now(UTC):%Y-%m-%d}, {time.monotonic() - BEGAN:.0f} s, {collected} tests, none failed; "
        f"ATTACK_SECONDS={budget.SECONDS:.0f}, ATTACK_SEED={budget.SEED}; Python {platform.python_version()}."
    )
    table = ["| Attack | Rounds | Counted |", "|---|---|---|"]
    for title, counts in rows.items():
        more = ", ".join(f"{what} {count:,}" for what, count in counts.items() if what != "rounds")
        table.append(f"| {title} | {counts.get('rounds', 0):,} | {more} |")
    target.write_text(f"{HEAD}\n{about}\n\n" + "\n".join(table) + "\n")


def _title(node: str) -> str:
    """A test's name as a sentence, with its parameters."""
    name, _bracket, parameters = node.rpartition("::")[2].partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    return words + (f" ({parameters.removesuffix(']')})" if parameters else "")
