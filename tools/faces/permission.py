"""Decides who may have a host diagnosed through a face and be shown the answer. Every account is asked about, joined or not."""

from collections.abc import Sequence
from typing import Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.fixes import view
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.policy.identity import Actor


class DiagnosisPermission(Protocol):
    """A face asks it before a host is contacted, and tells it what the actor was then shown."""

    def allow(self, actor: Actor, host: str, runbook: str) -> None:
        """Return when this actor may diagnose that host. Raises RefusedError, recorded in the audit log, when not."""
        ...

    def record(self, actor: Actor, found: Found, text: str = "") -> Found:
        """Record in the audit log who is shown which answer about which host; return it as it is shown: with what was before.

        `text` is the answer as `stored.dump` wrote it, where the face has it.
        """
        ...

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        """Tell whether this actor may be shown a diagnosis of that host now. Asked again at each read."""
        ...


def runbooks_left_out(permission: DiagnosisPermission, actor: Actor, host: str, runbooks: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of those runbooks (`ID@VERSION`) that this actor may not ask about the host.

    Raises RefusedError, recorded in the audit log, when none of them may be asked.
    """
    open_ones = [name for name in runbooks if permission.may_see(actor, host, name)]
    permission.allow(actor, host, (open_ones or list(runbooks))[0])
    return tuple(name.partition("@")[0] for name in runbooks if name not in open_ones)


def may_see_all(permission: DiagnosisPermission, actor: Actor, found: Found) -> bool:
    """Tell whether this actor may be shown an answer now: each diagnosis in it."""
    return all(
        permission.may_see(actor, found.host.name, f"{item.runbook.id}@{item.runbook.version}") for item in diagnoses_of(found)
    )


@dataclass(frozen=True)
class PolicyPermission:
    """The policy of the approval server decides, and its audit log records every answer."""

    server: ApprovalServer

    def allow(self, actor: Actor, host: str, runbook: str) -> None:
        view.allow_diagnosis(self.server, actor, host, runbook)

    def record(self, actor: Actor, found: Found, text: str = "") -> Found:
        return view.record_diagnosis(self.server, actor, found, text)

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        return view.may_see(self.server, actor, host, runbook)


@dataclass(frozen=True)
class OwnPermission:
    """A process that one person started for themselves: they may diagnose every host that their own ssh reaches."""

    def allow(self, actor: Actor, host: str, runbook: str) -> None: ...

    def record(self, actor: Actor, found: Found, text: str = "") -> Found:
        return found

    def may_see(self, actor: Actor, host: str, runbook: str) -> bool:
        return True
