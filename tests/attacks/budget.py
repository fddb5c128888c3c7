"""How long an attack goes on: a few rounds in `make test`, its share of ATTACK_SECONDS in `make attacks`; always by a seed.

Round N of an attack is the same for one seed, whatever came before it: a failure names both, and
`ATTACK_SEED=... ATTACK_ROUND=N pytest TEST` repeats that round alone.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

SEED = int(os.environ.get("ATTACK_SEED", "20261130"))
SECONDS = float(os.environ.get("ATTACK_SECONDS", "0"))  # of all loops together; 0: each does its few rounds
ONLY_ROUND = os.environ.get("ATTACK_ROUND", "")
FIGURES: "Counter[tuple[str, str]]" = Counter()  # (attack, what was counted) -> how often


@dataclass
class Attack:
    """One attack that goes on for a while. `figure` counts what becomes a line of the report."""

    name: str
    share_s: float
    rounds_done: int = 0
    random: Random = field(default_factory=Random)

    def rounds(self, least: int) -> Iterator[int]:
        """Yield the numbers of rounds: `least` of them, and more while there is time. `random` is made anew for each."""
        end = time.monotonic() + self.share_s
        number = int(ONLY_ROUND or 0)
        while True:
            self.random = Random(f"{SEED} {self.name} {number}")  # noqa: S311 - to be repeated, not to be secret
            yield number
            number += 1
            self.rounds_done += 1
            if ONLY_ROUND or (self.rounds_done >= least and time.monotonic() >= end):
                self.figure("rounds", self.rounds_done)
                return

    @contextmanager
    def round(self, number: int) -> Iterator[Random]:
        """One round: a failure in it says how to repeat it."""
        try:
            yield self.random
        except BaseException as error:
            error.add_note(f"repeat it: ATTACK_SEED={SEED} ATTACK_ROUND={number} .venv/bin/pytest -q {self.name}")
            raise

    def figure(self, what: str, count: int = 1) -> None:
        """Count something."""
        FIGURES[self.name, what] += count


def mutated(random: Random, content: bytes, most: int = 6) -> bytes:
    """Return the content with a few bytes or stretches changed, put in, taken out or doubled; never as it was."""
    data = bytearray(content)
    left = random.randint(1, most)
    while left > 0 or data == content:
        left -= 1
        at = random.randrange(len(data) + 1)
        length = random.choice((1, 1, 1, 2, 4, 16, 300))
        kind = random.randrange(6)
        if kind == 0:
            data[at : at + length] = random.randbytes(len(data[at : at + length]))
        elif kind == 1:
            data[at:at] = random.randbytes(length)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at : at + 4] = random.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x80\0"))
        else:
            data[at:at] = random.choice(NASTY)
    return bytes(data)


NASTY = (
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[2J",
    b"\x1b]0;x\x07",
    "\u202e".encode(),
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"<!channel>",
    b'"',
    b"'",
    b"-",
    b"=",
)
