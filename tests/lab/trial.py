"""Scenarios one after the other on one machine: injected, proven, cleared; how long each took and what was seen."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.lab import lifecycle
from tests.lab.errors import LabError
from tests.lab.machines import Machine
from tests.lab.proofs import Symptom


@dataclass(frozen=True)
class Trial:
    """One scenario. `failure` is empty when all went as promised; the times are 0 for what was not reached."""

    scenario_id: str
    inject_s: float
    prove_s: float
    clear_s: float
    symptoms: tuple[Symptom, ...]
    failure: str

    def line(self) -> str:
        """One line of a table."""
        seen = " | ".join(str(symptom) for symptom in self.symptoms)
        times = f"{self.inject_s:6.1f} {self.prove_s:6.1f} {self.clear_s:6.1f}"
        return f"{self.scenario_id:20} {times}  {'FAILED ' + self.failure if self.failure else seen}"


def trials(machine: Machine, scenario_ids: Sequence[str]) -> Iterator[Trial]:
    """Try each; after a failure the machine is resumed anew under the same name."""
    for scenario_id in scenario_ids:
        trial = _try(machine, scenario_id)
        yield trial
        if trial.failure:
            machine = lifecycle.reset(machine)


def _try(machine: Machine, scenario_id: str) -> Trial:
    marks = [time.monotonic()]
    symptoms: tuple[Symptom, ...] = ()
    failure = ""
    try:
        machine.inject(scenario_id)
        marks.append(time.monotonic())
        symptoms = machine.prove()
        marks.append(time.monotonic())
        machine.clear()
        marks.append(time.monotonic())
    except LabError as error:
        failure = str(error)
    inject_s, prove_s, clear_s = (marks[i + 1] - marks[i] if i + 1 < len(marks) else 0.0 for i in range(3))
    return Trial(scenario_id, inject_s, prove_s, clear_s, symptoms, failure)
