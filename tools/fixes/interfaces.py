"""What the trusted side needs from the rest: somebody who diagnoses, who renders a change, and who carries it out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plan import Plan, Rendering, Value
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.policy.identity import Account
from triagebook.tools.policy.model import UserGroup

EndState = Literal["validated", "unresolved", "reverted", "failed", "unknown"]


class Diagnoser(Protocol):
    """Diagnoses a host itself: a diagnosis that somebody brings along is never the ground of a plan."""

    def diagnose(self, host: str, runbook: str, inputs: Mapping[str, str]) -> Diagnosis:
        """A fresh diagnosis; `unreachable` is one too. TriagebookError for an unknown host, runbook or input."""
        ...

    def look(self, host: str, runbook: str, readings: Sequence[HostReading]) -> tuple[Diagnosis, tuple[str, ...] | Unreadable]:
        """One look, and what these readings print by the same login."""
        ...


class Renderer(Protocol):
    """Says what an offered remediation would do with these parameters."""

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Changes now -> then, the commands by hand and their undo, and the order's own fields. PlanError."""
        ...

    def reads(self, plan: Plan) -> Sequence[HostReading]:
        """What tells the state that a plan would change."""
        ...

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        """The change of a plan as it would be made of what its readings printed. PlanError: it would not be made any more."""
        ...

    def permanent(self, plan: Plan) -> Rendering:
        """The step that makes the live change of a plan permanent. PlanError: it has none."""
        ...


class Approach(Protocol):
    """An open way to what changes a host, so that an order need not wait for a login."""

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True)
class Execution:
    """One execution. `fresh` was diagnosed just before; `checkpoint` covers the row that says it runs, and is anchored."""

    fix_id: str
    plan: Plan
    plan_digest: str
    order_id: str
    fresh: Diagnosis | None
    checkpoint: Checkpoint
    approach: Approach | None = None  # opened while the host was diagnosed


@dataclass(frozen=True)
class Ending:
    """How an execution ended, as one sentence and as detail for the audit log. `unknown` when nobody can say."""

    state: EndState
    says: str
    detail: Mapping[str, str] = field(default_factory=dict)


class Executor(Protocol):
    """Changes a host. It signs the order, sends it once, validates by fresh facts, and never retries."""

    def target_id(self, host: str) -> str:
        """What the host's helper calls itself, written at its installation. TriagebookError: the host is not prepared."""
        ...

    def approach(self, host: str) -> Approach:
        """Open a way to the host's helper; nothing is asked of it yet. TriagebookError: there is no way."""
        ...

    def execute(self, execution: Execution) -> Ending:
        """Carry out a plan, once. Anything raised counts as `unknown`."""
        ...

    def recover(self, execution: Execution) -> Ending | None:
        """Settle an unknown execution from the helper's journal and fresh facts; None while it cannot be told."""
        ...


class GroupDirectory(Protocol):
    """Says who is in a user group, where the group is kept. The face that speaks to that service has one."""

    def members(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        """The accounts in it now; of those in `checked` only full members of their workspace. RefusedError: it cannot be told."""
        ...
