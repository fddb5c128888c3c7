"""Decides who may have a host diagnosed through a face and be shown the answer. Every account is asked about, joined or not."""

from typing import Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.fixes import view
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.policy.identity import Actor


class DiagnosisPermission(Protocol):
    """A face asks it before a host is contacted, and tells it what the actor was then shown."""

    def allow(self, actor: Actor, host: str, runbook: str) -> None:
        """Return when this actor may diagnose that host. Raises RefusedError, recorded in the audit log, when not."""
        ...

    def record(self, actor: Actor, diagnosis: Diagnosis) -> None:
        """Record in the audit log who was shown which diagnosis of which host."""
        ...

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        """Tell whether this actor may be shown a diagnosis of that host now. Asked again at each read."""
        ...


@dataclass(frozen=True)
class PolicyPermission:
    """The policy of the approval server decides, and its audit log records every answer."""

    server: ApprovalServer

    def allow(self, actor: Actor, host: str, runbook: str) -> None:
        view.allow_diagnosis(self.server, actor, host, runbook)

    def record(self, actor: Actor, diagnosis: Diagnosis) -> None:
        view.record_diagnosis(self.server, actor, diagnosis)

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        return view.may_see(self.server, actor, host, runbook)


@dataclass(frozen=True)
class OwnPermission:
    """A process that one person started for themselves: they may diagnose every host that their own ssh reaches."""

    def allow(self, actor: Actor, host: str, runbook: str) -> None: ...

    def record(self, actor: Actor, diagnosis: Diagnosis) -> None: ...

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        return True
