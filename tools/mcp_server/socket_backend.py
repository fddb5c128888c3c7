"""Fixes and the audit log of a `triagebook serve` on the same machine, asked through its Unix socket."""

from pathlib import Path
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.faces.views_json import AuditEntryJson, AuditRowJson, FixJson, Json
from triagebook.tools.mcp_server.auth import CHANNEL, Caller
from triagebook.tools.server.client import ask


@dataclass(frozen=True)
class SocketBackend:
    """A FixBackend. The server learns the OS user from the kernel; this side only adds that an assistant asks."""

    path: Path

    def propose(self, caller: Caller, wish: Json) -> FixJson:
        found: FixJson = self._ask("propose", **wish)
        return found

    def persist(self, caller: Caller, fix: str, reason: str) -> FixJson:
        found: FixJson = self._ask("persist", fix=fix, reason=reason)
        return found

    def show(self, caller: Caller, fix: str) -> FixJson:
        found: FixJson = self._ask("show", fix=fix)
        return found

    def apply(self, caller: Caller, fix: str) -> FixJson:
        found: FixJson = self._ask("apply", fix=fix)
        return found

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[AuditRowJson]:
        found: list[AuditRowJson] = self._ask("audit_list", limit=limit, fix=fix, host=host, person=person)
        return found

    def audit_show(self, caller: Caller, index: int) -> AuditEntryJson:
        found: AuditEntryJson = self._ask("audit_show", index=index)
        return found

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None:
        self._ask("note_refusal", action=action, reason=reason, says=says[:300])

    def _ask(self, do: str, **members: object) -> Any:
        return ask(self.path, {"do": do, "channel": CHANNEL, **members})
