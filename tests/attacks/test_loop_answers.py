"""A host answers the collector with anything at all: what can be read is judged, by every runbook, and no defect shows."""

import re
import subprocess
from random import Random

import pytest
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.errors import ParseError
from triagebook.runbooks.probes.records import parse_samples
from triagebook.tools.collector import collect, program
from triagebook.tools.diagnosis import lookups

from tests.attacks.budget import Attack, mutated
from tests.runbooks import CATALOG

RUNBOOKS = [CATALOG.load(name) for name in dict.fromkeys(entry.id for entry in CATALOG.entries())]
NUMBER = re.compile(rb"(?<![\w.])[0-9]+(?![\w.])")
ODD_NUMBERS = (
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"9" * 30,
    b"-1",
    b"0",
    b"1e9",
    b"0x10",
    b"",
    b"max",
)
KINDS = lookups.kinds_to_collect(RUNBOOKS)


@pytest.fixture(scope="module")
def recorded() -> bytes:
    """What this machine answers."""
    argv = program.command(program.build(KINDS), program.launcher(cpu_limit_s=60))
    lines = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout.splitlines(keepends=True)
    assert len(lines) > 20
    return b"".join(lines[:150] + lines[-150:])


def test_a_hostile_answer_is_judged_or_unreadable(attack: Attack, recorded: bytes) -> None:
    for number in attack.rounds(40):
        with attack.round(number) as random:
            content = _with_odd_numbers(random, recorded if random.random() < 0.5 else mutated(random, recorded, most=12))
            try:
                samples = parse_samples(content.decode("utf-8", "replace"))
            except ParseError:
                attack.figure("without a header")
                continue
            runbook = random.choice(RUNBOOKS)
            steps = [collect.parse(KINDS, samples[: step + 1]) for step in range(len(samples))]
            history = [{name: facts[kind] for name, kind in runbook.probes.items() if kind in facts} for facts in steps]
            found = conclude(runbook, history, {})
            assert found.status in {"healthy", "cause_found", "inconclusive", "warning"}, found.status
            attack.figure(found.status)


def _with_odd_numbers(random: Random, content: bytes) -> bytes:
    """The same with some of its numbers replaced by ones that no kernel prints."""
    share = random.choice((0.0, 0.01, 0.3))
    return NUMBER.sub(lambda found: random.choice(ODD_NUMBERS) if random.random() < share else found[0], content)
