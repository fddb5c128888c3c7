"""The approval server in this process, as the tools ask it: the actor is what a token proved."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.fixes import view
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.mcp_server.gates import Json
from triagebook.tools.mcp_server.tokens import Caller


@dataclass(frozen=True)
class PlaceFixes:
    """Fixes and the audit log."""

    service: FixService

    def propose(self, caller: Caller, wish: Json) -> Json:
        return _json(self.service.propose(caller.actor, Proposal(**wish)))

    def persist(self, caller: Caller, fix: str, reason: str) -> Json:
        return _json(self.service.persist(caller.actor, fix, reason))

    def show(self, caller: Caller, fix: str) -> Json:
        return _json(self.service.show(caller.actor, fix))

    def apply(self, caller: Caller, fix: str) -> Json:
        return _json(self.service.apply(caller.actor, fix))

    def audit_list(self, caller: Caller, limit: int, *, fix: str, host: str, person: str) -> list[Json]:
        return [_json(row) for row in self.service.audit_list(caller.actor, limit, fix=fix, host=host, person=person)]

    def audit_show(self, caller: Caller, index: int) -> Json:
        row, proof = self.service.audit_show(caller.actor, index)
        return {"row": _json(row), "proof": _json(proof)}

    def note_refusal(self, caller: Caller, action: str, reason: str, says: str) -> None:
        self.service.note_refusal(caller.actor, action, reason, says)


@dataclass(frozen=True)
class PlaceGate:
    """The policy decides, and the log knows."""

    trust: ApprovalServer

    def allow(self, caller: Caller, host: str, runbook: str) -> None:
        view.allow_diagnosis(self.trust, caller.actor, host, runbook)

    def record(self, caller: Caller, diagnosis: Diagnosis) -> None:
        view.record_diagnosis(self.trust, caller.actor, diagnosis)

    def may_see(self, caller: Caller, host: str, runbook: str) -> bool:
        return view.may_see(self.trust, caller.actor, host, runbook)


def _json(view: object) -> Json:
    found: Json = to_plain(view)
    return found
