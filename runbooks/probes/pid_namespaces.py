"""PID namespaces seen from outside: groups of processes in a nested namespace, and whether its init lives.

Source: pid_namespaces(7), NSpid of proc_pid_status(5). A namespace whose init died refuses fork with ENOMEM.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class NestedGroup:
    """Processes of one cgroup that live in a nested PID namespace. `has_init`: one of them is PID 1 in there."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    unit: str
    pid: int  # the lowest PID of the group, as this host numbers it
    comm: str
    processes: int = fact("processes", "NSpid of /proc/*/status in {path}")
    has_init: bool = fact("", "NSpid of /proc/*/status in {path}")
    is_init_zombie: bool = fact("", "State of /proc/*/status in {path}")


@dataclass(frozen=True)
class PidNamespaces:
    """The nested groups without a living init; the healthy ones are counted."""

    orphaned: Collection[NestedGroup]


FACTS = PidNamespaces


def parse(samples: Sequence[Sample]) -> PidNamespaces:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
