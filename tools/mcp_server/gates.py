"""What the tools ask the services through: fixes and the audit log of one approval server, and who may diagnose what.

Over stdio the place is behind its Unix socket, which knows from the kernel who asks; over HTTP it is this process
(`place`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.mcp_server.tokens import Caller
from triagebook.tools.server.client import ask

Json = Mapping[str, Any]


class FixGateway(Protocol):
    """Fixes, as the JSON of the service's own views. Every method raises the service's refusal."""

    def propose(self, caller: Caller, wish: Json) -> Json:
        """`wish` has the members of the service's Proposal."""
        ...

    def persist(self, caller: Caller, fix: str, reason: str) -> Json:
        """The plan that makes a live fix permanent; it waits for a person like any other."""
        ...

    def show(self, caller: Caller, fix: str) -> Json: ...

    def apply(self, caller: Caller, fix: str) -> Json: ...

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[Json]: ...

    def audit_show(self, caller: Caller, index: int) -> Json: ...

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None: ...


class DiagnosisGate(Protocol):
    """Who may diagnose what, and that it was done."""

    def allow(self, caller: Caller, host: str, runbook: str) -> None: ...

    def record(self, caller: Caller, diagnosis: Diagnosis) -> None: ...

    def may_see(self, caller: Caller, host: str, runbook: str) -> bool: ...


@dataclass(frozen=True)
class SocketFixes:
    """A server's socket. What it says of us is its kernel's word; we only add that an assistant asks."""

    path: Path

    def propose(self, caller: Caller, wish: Json) -> Json:
        return self._call("propose", **wish)

    def persist(self, caller: Caller, fix: str, reason: str) -> Json:
        return self._call("persist", fix=fix, reason=reason)

    def show(self, caller: Caller, fix: str) -> Json:
        return self._call("show", fix=fix)

    def apply(self, caller: Caller, fix: str) -> Json:
        return self._call("apply", fix=fix)

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[Json]:
        found: list[Json] = self._ask("audit_list", limit=limit, fix=fix, host=host, person=person)
        return found

    def audit_show(self, caller: Caller, index: int) -> Json:
        return self._call("audit_show", index=index)

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None:
        self._ask("note_refusal", action=action, reason=reason, says=says[:300])

    def _call(self, do: str, **members: Any) -> Json:
        answer: Json = self._ask(do, **members)
        return answer

    def _ask(self, do: str, **members: object) -> Any:
        return ask(self.path, {"do": do, "channel": "mcp", **members})


@dataclass(frozen=True)
class OwnGate:
    """A person's own process: they may diagnose what their own ssh reaches."""

    def allow(self, caller: Caller, host: str, runbook: str) -> None: ...

    def record(self, caller: Caller, diagnosis: Diagnosis) -> None: ...

    def may_see(self, caller: Caller, host: str, runbook: str) -> bool:
        return True


Who = Callable[[], Caller]
