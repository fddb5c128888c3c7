"""A small world around a FixService: a recorded diagnosis, a real executor that writes files, a clock that tests move."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plan import Plan, Rendering, Value, check_parameters, find_verdict, inputs_of
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.event import AuditEvent, decode
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.fixes.approval_server import SILENT, ApprovalServer
from triagebook.tools.fixes.interfaces import Diagnoser, Ending, Execution
from triagebook.tools.fixes.persist import FOLLOWS
from triagebook.tools.fixes.propose import Proposal, before_of
from triagebook.tools.fixes.service import FixService
from triagebook.tools.inventory.names import Names
from triagebook.tools.policy.load import load_policy
from triagebook.tools.store import audit_rows
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import Step, Store, open_store

from tests.databases import open_current
from tests.system.fixes import policies, samples

from .samples import NOW

TRIGGERS = (
    "fixes_keep_their_plan",
    "fixes_begin_proposed",
    "fixes_move_by_the_table",
    "fixes_no_delete",
    "votes_no_update",
    "votes_on_an_open_plan",
    "votes_no_delete",
    "audit_sealed",
)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Recorded:
    """A diagnoser whose host changes by `edit`."""

    edit: dict[str, Diagnosis] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    limit: int = 100

    def diagnose(self, host: str, runbook: str, inputs: Mapping[str, Value]) -> Diagnosis:
        self.asked.append(host)
        return self.edit.get(host) or samples.diagnosis(host, current_limit=self.limit)

    def runbooks_for(self, host: str, inputs: Mapping[str, Value]) -> tuple[str, ...]:
        found = self.edit.get(host) or samples.diagnosis(host)
        return (f"{found.runbook.id}@{found.runbook.version}",)

    def triage(self, host: str, inputs: Mapping[str, Value], left_out: tuple[str, ...]) -> Found:
        assert not left_out
        return self.diagnose(host, "", inputs)

    def runbooks_with(self, remediation: str) -> tuple[str, ...]:
        return ("forks",)

    def look(
        self, host: str, runbook: str, readings: Sequence[HostReading], inputs: Mapping[str, Value]
    ) -> tuple[Diagnosis, tuple[str, ...] | Unreadable]:
        return self.diagnose(host, runbook, inputs), ("",) * len(readings)


@dataclass
class UnitRenderer:
    """Knows one action at any value in its bounds."""

    diagnoser: Diagnoser

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        values = check_parameters(parameters, offered.params)
        return samples.rendering(before_of(find_verdict(diagnosis, offered)), str(values["limit"]))

    def reads(self, plan: Plan) -> Sequence[HostReading]:
        return (HostReading("unit", ("web.service",)),)

    def again(self, plan: Plan, outputs: Sequence[str]) -> Rendering:
        if FOLLOWS in plan.parameters:
            return self.permanent(plan)
        diagnosis = self.diagnoser.look(plan.host, "", (), inputs_of(plan))[0]
        return samples.rendering(before_of(diagnosis.verdict) if diagnosis.verdict else "", str(plan.parameters["limit"]))

    def permanent(self, plan: Plan) -> Rendering:
        rendering = samples.rendering("not in a file of ours", str(plan.parameters["limit"]))
        return replace(rendering, order={**rendering.order, "step": "persist"})


class Way:
    """A way to the helper, which is a file here."""

    def close(self) -> None:
        return None


@dataclass
class FileExecutor:
    """Changes the host by writing a file whose name is the fix: a second run of the same fix would show."""

    directory: Path
    step: Step = SILENT
    target: str = "target-1"
    fails: Exception | None = None

    def target_id(self, host: str) -> str:
        return self.target if host == "web-01" else f"{self.target}-of-{host}"

    def approach(self, host: str) -> Way:
        return Way()

    def execute(self, execution: Execution) -> Ending:
        if execution.plan.target_id != self.target_id(execution.plan.host):
            return Ending("failed", "the helper refused it: other_target")
        self.step("execute.before_effect")
        execution.confirm()
        descriptor = os.open(self.directory / f"{execution.fix_id}.{execution.order_id}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.close(descriptor)
        self.step("execute.after_effect")
        if self.fails:
            raise self.fails
        return Ending("validated", "room is back", {"after": "200"})

    def recover(self, execution: Execution) -> Ending | None:
        if self.effects(execution.fix_id):
            return Ending("validated", "the helper's journal has it, and room is back")
        return Ending("failed", "the helper's journal does not have it: nothing was changed")

    def effects(self, fix_id: str) -> list[str]:
        return sorted(path.name for path in self.directory.glob(f"{fix_id}.*"))


@dataclass
class World:
    """A service and everything around it."""

    service: FixService
    trust: ApprovalServer
    store: Store
    clock: Clock
    diagnoser: Recorded
    executor: FileExecutor

    def propose(self, who: str = "ann", host: str = "web-01", **values: object) -> str:
        proposal = Proposal(host, "raise_tasks_max", **{"parameters": {"limit": 200}, **values})  # type: ignore[arg-type]
        return self.service.propose(policies.actor(who), proposal).id

    def approve(self, fix_id: str, who: str = "bob", **values: str) -> str:
        digest = values.pop("digest", "") or self.digest(fix_id)
        return self.service.approve(policies.actor(who), fix_id, digest, **values).state

    def approved(self, host: str = "web-01") -> str:
        fix_id = self.propose(host=host)
        assert self.approve(fix_id) == "approved"
        return fix_id

    def apply(self, fix_id: str, who: str = "cid") -> str:
        return self.service.apply(policies.actor(who), fix_id).state

    def digest(self, fix_id: str) -> str:
        return self.service.show(policies.actor("dan"), fix_id).digest

    def state(self, fix_id: str) -> str:
        return self.service.show(policies.actor("dan"), fix_id).state

    def events(self) -> list[AuditEvent]:
        with self.store.read() as transaction:
            return [decode(row.leaf)[0] for row in audit_rows.rows(transaction)]

    def last(self) -> AuditEvent:
        return self.events()[-1]

    def sql(self, *statements: str) -> None:
        """What the owner of the database can do, triggers or not."""
        with self.store.write() as transaction:
            connection = transaction.connection
            for name in TRIGGERS:
                suffix = "" if self.store.dialect == "sqlite" else " ON " + name.split("_", 1)[0]
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{suffix}")
            for statement in statements:
                connection.exec_driver_sql(statement)

    def refused(self, call: object, *arguments: object, **values: object) -> str:
        """The reason code of a refusal, which must also be the newest audit row's."""
        try:
            call(*arguments, **values)  # type: ignore[operator]
        except TriagebookError as error:
            newest = self.last()
            if (newest.outcome, newest.reason) != ("refused", error.reason) or not newest.account:
                raise AssertionError(f"no audit row for {error.reason}: {error}") from error
            return error.reason
        return "nothing was refused"


def build(
    url: str,
    directory: Path,
    *,
    step: Step = SILENT,
    instance: str = "one",
    clock: Clock | None = None,
    policy: str = policies.TEXT,
    lease: timedelta = timedelta(seconds=60),
    names: Names = samples.NAMES,
) -> World:
    """A world on a database that may be new."""
    open_current(url)
    store, clock = open_store(url, step, row_key_of(KEY)), clock or Clock()
    effects = directory / "effects"
    effects.mkdir(exist_ok=True)
    checkpointer = Checkpointer(store, KEY, "triagebook.example", [FileAnchor(directory / f"anchor-{instance}")], clock)
    checkpointer.start()
    diagnoser, executor = Recorded(), FileExecutor(effects, step)
    trust = ApprovalServer(
        store,
        load_policy(policy, "policy.yaml"),
        checkpointer,
        clock,
        diagnoser,
        UnitRenderer(diagnoser),
        executor,
        instance,
        lease,
        default_runbook=lambda: "forks",
        step=step,
        names=names,
    )
    return World(FixService(trust), trust, store, clock, diagnoser, executor)


def without_executor(world: World) -> FixService:
    """The same place, not able to change hosts."""
    return FixService(replace(world.trust, executor=None))
