"""The interface by which the MCP tools reach fixes and the audit log.

`SocketBackend` asks a `triagebook serve` through its Unix socket (stdio transport: the kernel says which OS user asks);
`LocalBackend` calls the services of this process (HTTP transport: the token says who asks).
"""

from typing import Protocol

from triagebook.tools.faces.views_json import AuditEntryJson, AuditRowJson, FixJson, Json
from triagebook.tools.mcp_server.auth import Caller


class FixBackend(Protocol):
    """Fixes and the audit log, answered in the JSON that every face shares. Every method raises the service's refusal."""

    def propose(self, caller: Caller, wish: Json) -> FixJson:
        """Store a plan. `wish` has the members of the service's Proposal."""
        ...

    def persist(self, caller: Caller, fix: str, reason: str) -> FixJson:
        """Store the plan that makes a live fix permanent; it waits for a person's approval like any other."""
        ...

    def show(self, caller: Caller, fix: str) -> FixJson: ...

    def apply(self, caller: Caller, fix: str) -> FixJson: ...

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[AuditRowJson]: ...

    def audit_show(self, caller: Caller, index: int) -> AuditEntryJson: ...

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None: ...
