"""Diagnoses a host for whoever asks on the socket: names of the inventory only, authorised and recorded like any other request."""

from collections.abc import Mapping

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.plan import Value
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.stored_diagnosis import redact_diagnosis
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.faces.permission import PolicyPermission, runbooks_left_out
from triagebook.tools.faces.single_flight import SingleFlight
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.fixes.service import FixService
from triagebook.tools.policy.identity import Actor
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.requests import Call

WAIT_S = 300.0


class SocketDiagnoses:
    """Answers `diagnose`. Equal questions at the same time share one run; each asker is authorised and recorded."""

    def __init__(self, server: ApprovalServer) -> None:
        self._server, self._permission = server, PolicyPermission(server)
        self.flights: SingleFlight[Found, None] = SingleFlight()
        self._limits = RateLimits(burst=60, a_second=1.0)

    def diagnose(self, _service: FixService, actor: Actor, members: Members) -> Call:
        """Read the request, and return what answers it. That raises RefusedError: not allowed; UsageError: too often."""
        host, runbook, inputs = members.text("host"), members.text("runbook", ""), members.values("inputs")
        return lambda: self._answer(actor, host, runbook or self._server.default_runbook(), inputs)

    def _answer(self, actor: Actor, host: str, runbook: str, inputs: Mapping[str, Value]) -> Mapping[str, object]:
        left_out = self._permit(actor, host, runbook, inputs)
        self._limits.take(str(actor.account))
        key = host, runbook, left_out, tuple(sorted((name, str(value)) for name, value in inputs.items()))

        def ask(_tell: object) -> Found:
            if runbook:
                return self._server.diagnoser.diagnose(host, runbook, inputs)
            return self._server.diagnoser.triage(host, inputs, left_out)

        found = self.flights.ask(key, ask, lambda _progress: None, WAIT_S)
        told = self._permission.record(actor, found)
        return to_plain(redact_diagnosis(told).found)  # type: ignore[no-any-return]

    def _permit(self, actor: Actor, host: str, runbook: str, inputs: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the ids of the runbooks that this asker may not ask. Raises RefusedError: none may be asked."""
        if runbook:
            self._permission.allow(actor, host, runbook)
            return ()
        try:
            runbooks = self._server.diagnoser.runbooks_for(host, inputs)
        except TriagebookError:
            self._permission.allow(actor, host, "")  # the policy first; refuses and records what is no name of a host
            raise
        return runbooks_left_out(self._permission, actor, host, runbooks)
