"""All scenarios on all releases, two guests at a time: `python -m tests.lab.rounds [--release R]... [--record DIR] [SCENARIO...]`.

Prints a line for each answer, then `N passed, N failed` as its last one. Exit 1 when an answer is wrong, 3 when the laboratory
cannot run here.
"""

import argparse
import os
import queue
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from triagebook.tools.diagnosis.recording import record_case

from tests.lab import RELEASES, SCENARIOS, NotAvailable, down, reset, running, up
from tests.lab.judgement import Judgement, judge
from tests.lab.machines import Machine

AT_ONCE = 2  # guests: a processor each, and 512 MB


@dataclass(frozen=True)
class Row:
    """One scenario on one release."""

    release: str
    scenario: str
    seconds: float
    judgements: tuple[Judgement, ...]
    error: str = ""
    is_again: bool = False

    @property
    def is_unheard(self) -> bool:
        """The guest did not start, or took no login where it must: that says nothing of the product, and is tried once more."""
        return bool(self.error) or any(item.wrong and item.said.startswith("unreachable") for item in self.judgements)

    @property
    def is_right(self) -> bool:
        """Something was said, and nothing of it is wrong."""
        return not self.error and bool(self.judgements) and not any(judgement.wrong for judgement in self.judgements)


class Rounds:
    """Works off (release, scenario) pairs; a worker keeps its guest while the release stays the same."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.rows: list[Row] = []
        self.boots: dict[str, str] = {}
        self._lock = threading.Lock()
        self._queues: list[queue.SimpleQueue[tuple[str, str]]] = []
        releases = list(dict.fromkeys(release for release, _scenario in pairs))
        for number in range(AT_ONCE):
            mine: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
            for release in releases:
                here = [pair for pair in pairs if pair[0] == release]
                for pair in here[number::AT_ONCE]:
                    mine.put(pair)
            self._queues.append(mine)

    def run(self) -> None:
        """Until all are done."""
        workers = [threading.Thread(target=self._work, args=(number,)) for number in range(AT_ONCE)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, number: int) -> None:
        try:
            self._work_off(number)
        finally:
            for name in [name for name in running() if name.startswith(self._name(number, ""))]:
                down(name)

    @staticmethod
    def _name(number: int, release: str) -> str:
        """A machine's name, of this process only."""
        return f"round{os.getpid()}-{number}-{release}"

    def _work_off(self, number: int) -> None:
        machine: Machine | None = None
        while not self._queues[number].empty():
            release, scenario = self._queues[number].get()
            row: Row | None = None
            while row is None or (row.is_unheard and not row.is_again):
                machine, row = self._try(machine, release, scenario, number, is_again=row is not None)
                self._note(row)

    def _try(
        self, machine: Machine | None, release: str, scenario: str, number: int, *, is_again: bool
    ) -> tuple[Machine | None, Row]:
        started = time.monotonic()
        judgements: tuple[Judgement, ...] = ()
        error = ""
        try:
            machine = self._fresh(machine, release, self._name(number, release))
            judgements = tuple(judge(machine, scenario, SCENARIOS[scenario]))
        except Exception as failure:  # noqa: BLE001 - whatever stops one scenario is its result; the others go on
            error = f"{type(failure).__name__}: {failure}"
        return machine, Row(release, scenario, time.monotonic() - started, judgements, error, is_again)

    def _fresh(self, machine: Machine | None, release: str, name: str) -> Machine:
        if machine is not None and machine.state.release == release:
            return reset(machine)
        if machine is not None:
            down(machine.name)
        started = up(release, name)
        with self._lock:
            state = started.state
            self.boots[release] = f"{state.accelerator}, first boot {state.boot_s} s, resumed in {state.resume_s} s"
        return started

    def _note(self, row: Row) -> None:
        with self._lock:
            self.rows = [known for known in self.rows if (known.release, known.scenario) != (row.release, row.scenario)]
            self.rows.append(row)
            for judgement in row.judgements:
                word = "ok   " if not judgement.wrong else "WRONG"
                print(
                    f"{word} {row.release:<20} {row.scenario:<18} {judgement.how:<9} {judgement.seconds:5.1f} s  {judgement.said}",
                    flush=True,
                )
                for wrong in judgement.wrong:
                    print(f"        {wrong}", flush=True)
            if row.error:
                print(f"ERROR {row.release:<20} {row.scenario:<18} {row.error}", flush=True)


def record(row: Row, folder: Path) -> None:
    """A right answer of the account that saw most, as a case. Leaks are left out: one look at a slope proves nothing."""
    seen = [judgement for judgement in row.judgements if judgement.facts]
    if not row.is_right or not seen or row.scenario == "leak":
        return
    scenario = SCENARIOS[row.scenario]
    best = next((judgement for judgement in seen if judgement.how in {"root", "standing"}), seen[0])
    about = f"{scenario.title[0].upper()}{scenario.title[1:]}"
    recorded = {"from": row.release, "scenario": row.scenario}
    text = record_case(best.facts, best.answer, about=about, recorded=recorded, symptom=scenario.symptom)
    (folder / f"{row.release}-{row.scenario}.yaml").write_text(text)


def main(argv: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="append", choices=sorted(RELEASES))
    parser.add_argument("--record", type=Path, help="write what was right as cases into this folder")
    parser.add_argument("scenario", nargs="*", help="all when absent")
    given = parser.parse_args(argv)
    releases = given.release or list(RELEASES)
    scenarios = given.scenario or list(SCENARIOS)
    for name in scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    rounds = Rounds([(release, scenario) for release in releases for scenario in scenarios])
    try:
        up_first = up(releases[0], f"probe{os.getpid()}")
        down(up_first.name)
    except NotAvailable as why:
        print(why)
        return 3
    rounds.run()
    for release, boot in rounds.boots.items():
        print(f"{release}: {boot}")
    if given.record:
        for row in rounds.rows:
            record(row, given.record)
    passed = sum(row.is_right for row in rounds.rows)
    wanted = len(releases) * len(scenarios)
    print(f"{len(scenarios)} scenarios on {len(releases)} releases: {len(rounds.rows)} of {wanted} ran")
    print(f"{passed} passed, {wanted - passed} failed")
    return 1 if passed < wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
