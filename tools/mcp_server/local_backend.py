"""Fixes and the audit log of the approval server in this process, asked as the actor that a token proved."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.faces import views_json
from triagebook.tools.faces.views_json import AuditEntryJson, AuditRowJson, FixJson, Json
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.mcp_server.auth import Caller


@dataclass(frozen=True)
class LocalBackend:
    """A FixBackend that calls the service directly."""

    service: FixService

    def propose(self, caller: Caller, wish: Json) -> FixJson:
        return views_json.fix(self.service.propose(caller.actor, Proposal(**wish)))

    def persist(self, caller: Caller, fix: str, reason: str) -> FixJson:
        return views_json.fix(self.service.persist(caller.actor, fix, reason))

    def show(self, caller: Caller, fix: str) -> FixJson:
        return views_json.fix(self.service.show(caller.actor, fix))

    def apply(self, caller: Caller, fix: str) -> FixJson:
        return views_json.fix(self.service.apply(caller.actor, fix))

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[AuditRowJson]:
        return views_json.audit_rows(self.service.audit_list(caller.actor, limit, fix=fix, host=host, person=person))

    def audit_show(self, caller: Caller, index: int) -> AuditEntryJson:
        return views_json.audit_entry(*self.service.audit_show(caller.actor, index))

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None:
        self.service.note_refusal(caller.actor, action, reason, says)
