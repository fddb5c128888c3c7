"""Defines what the approval server needs from the rest: diagnosing, rendering a change, carrying it out, looking up groups."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plan import Plan, Rendering, Value
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.policy.identity import Account
from triagebook.tools.policy.model import UserGroup

EndState = Literal["validated", "unresolved", "reverted", "failed", "unknown", "approved"]


class Diagnoser(Protocol):
    """Diagnoses a host. A plan never rests on a diagnosis that the requester brings along."""

    def diagnose(self, host: str, runbook: str, inputs: Mapping[str, Value]) -> Diagnosis:
        """Diagnose the host now; `unreachable` is an answer too. Raises TriagebookError: unknown host, runbook or input."""
        ...

    def runbooks_for(self, host: str, inputs: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the runbooks (`ID@VERSION`) that are asked about a host where none is named. Raises RunbookError or UsageError."""
        ...

    def triage(self, host: str, inputs: Mapping[str, Value], left_out: tuple[str, ...]) -> Found:
        """Diagnose the host now by all of them but those left out, by their ids. Raises as `diagnose` does."""
        ...

    def runbooks_with(self, remediation: str) -> tuple[str, ...]:
        """Return the runbooks, of those asked where none is named, that may offer this remediation."""
        ...

    def look(
        self, host: str, runbook: str, readings: Sequence[HostReading], inputs: Mapping[str, Value]
    ) -> tuple[Diagnosis, tuple[str, ...] | Unreadable]:
        """Take one sample and run these readings by the same login; return the diagnosis and what they printed."""
        ...


class Renderer(Protocol):
    """Says what an offered remediation would do with these parameters."""

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        """Return the changes (now and then), the manual commands, their undo, and the order's own fields. Raises PlanError."""
        ...

    def reads(self, plan: Plan) -> Sequence[HostReading]:
        """Return the readings that show the state a plan would change."""
        ...

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        """Render the plan's change from what its readings printed now. Raises PlanError: it would not be made any more."""
        ...

    def permanent(self, plan: Plan) -> Rendering:
        """Render the step that makes the plan's live change permanent. Raises PlanError: it has none."""
        ...


class Approach(Protocol):
    """Holds an open session to a host's helper, so that an order need not wait for a login."""

    def close(self) -> None:
        """Close the session."""
        ...


@dataclass(frozen=True)
class Execution:
    """Describes one run of a fix. `fresh` was diagnosed just before; `checkpoint` covers the `running` row and is anchored.

    `confirm` is called right before each signature: it asks the database whether the fix is still this server's, and returns
    for how many seconds from the call on an order may live. It raises TriagebookError: then nothing may be signed.
    """

    fix_id: str
    plan: Plan
    plan_digest: str
    order_id: str
    fresh: Diagnosis | None
    checkpoint: Checkpoint
    confirm: Callable[[], float]
    approach: Approach | None = None  # opened while the host was diagnosed


@dataclass(frozen=True)
class Ending:
    """Says how an execution ended, in a sentence and as detail for the audit log. `unknown` if it cannot be told.

    `approved`: the host was surely not changed and nothing it said contradicts the plan, so that the approval stands.
    """

    state: EndState
    says: str
    detail: Mapping[str, str] = field(default_factory=dict)


class Executor(Protocol):
    """Changes a host. It signs the order, sends it once, validates by fresh facts, and never retries."""

    def target_id(self, host: str) -> str:
        """Return the id that the host's helper got at its installation. Raises TriagebookError: the host is not prepared."""
        ...

    def approach(self, host: str) -> Approach:
        """Open a session to the host's helper without asking it anything yet. Raises TriagebookError: it cannot be reached."""
        ...

    def execute(self, execution: Execution) -> Ending:
        """Carry out a plan once, and sign only what `confirm` has just allowed. Any exception counts as `unknown`."""
        ...

    def recover(self, execution: Execution) -> Ending | None:
        """Settle an unknown execution from the helper's journal and fresh facts. Returns None while it cannot be told."""
        ...


class GroupDirectory(Protocol):
    """Looks up who is in a user group. The face that speaks to the service that keeps the group provides it."""

    def members(self, group: UserGroup, checked: Collection[Account]) -> frozenset[Account]:
        """Return the accounts in the group now; of those in `checked` only full members. Raises RefusedError: it cannot be told."""
        ...
