"""The nouns of a scenario. The scenarios themselves are the table in `scenarios.py`."""

from dataclasses import dataclass
from typing import Literal

from tests.lab.proofs import Proof
from tests.lab.steps import Step

Kind = Literal["unit", "cgroup", "user", "process", "host"]


@dataclass(frozen=True)
class Culprit:
    """Who is to blame. `path` is a cgroup below its controller's root; `program` is the comm of the process."""

    kind: Kind
    unit: str = ""
    user: str = ""
    path: str = ""
    program: str = ""


@dataclass(frozen=True)
class Expected:
    """One cause that a diagnosis must name. `limit_value` is in tasks, bytes, kB, percent or maps."""

    cause: str
    active: tuple[str, ...]
    culprit: Culprit
    limit: str
    limit_value: int | None


@dataclass(frozen=True)
class Scenario:
    """`expected` is empty for a healthy host. Every proof must hold; the first is *the* symptom.

    `diag_login` and `root_login` say who gets in by a new login: True, False, or None where it changes from try to try.
    `visible_to_diag` is False where only root can read what proves the cause.
    `unseen_cause` is one that nothing shows from outside: the answer must be inconclusive, and say `unseen_says`.
    `unit`, `user` and `program` are what an operator would give as inputs of the diagnosis.
    """

    title: str
    symptom: str
    steps: tuple[Step, ...]
    proofs: tuple[Proof, ...]
    expected: tuple[Expected, ...]
    program: str = ""
    unit: str = ""
    user: str = ""
    visible_to_diag: bool = True
    unseen_cause: str = ""
    unseen_says: str = ""
    diag_login: bool | None = True
    root_login: bool | None = True


@dataclass(frozen=True)
class Context:
    """A scenario as it now stands in a guest: the pid and the pids cgroup (below the root) of the faulty program."""

    scenario_id: str
    scenario: Scenario
    pid: int | None
    cgroup: str
