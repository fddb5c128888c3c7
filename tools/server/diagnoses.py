"""Diagnoses a host for whoever asks on the socket: names of the inventory only, authorised and recorded like any other request."""

from collections.abc import Mapping

from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis.stored import redact_diagnosis
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.faces.single_flight import SingleFlight
from triagebook.tools.fixes.service import FixService
from triagebook.tools.policy.identity import Actor
from triagebook.tools.server.protocol import Members

WAIT_S = 300.0
INPUTS = frozenset({"symptom", "unit", "user", "pid"})


class SocketDiagnoses:
    """Answers `diagnose`. Equal questions at the same time share one run; each asker is authorised and recorded."""

    def __init__(self) -> None:
        self._flights: SingleFlight[Diagnosis, None] = SingleFlight()
        self._limits = RateLimits(burst=60, a_second=1.0)

    def diagnose(self, service: FixService, actor: Actor, members: Members) -> "DiagnoseCall":
        """Read the request, and return what answers it."""
        host, runbook, inputs = members.text("host"), members.text("runbook", ""), members.values("inputs")
        return DiagnoseCall(self, service, actor, host, runbook, inputs)

    def run(self, call: "DiagnoseCall") -> Mapping[str, object]:
        """Diagnose for one asker. Raises RefusedError: not allowed; UsageError: too often."""
        service, actor = call.service, call.actor
        runbook = service.allow_diagnosis(actor, call.host, call.runbook)
        self._limits.take(str(actor.account))
        key = call.host, runbook, tuple(sorted((name, str(value)) for name, value in call.inputs.items()))
        found = self._flights.ask(
            key, lambda _tell: service.run_diagnosis(call.host, runbook, call.inputs), lambda _progress: None, WAIT_S
        )
        service.record_diagnosis(actor, found)
        return to_plain(redact_diagnosis(found).diagnosis)  # type: ignore[no-any-return]


class DiagnoseCall:
    """One request to diagnose a host, ready to be answered."""

    def __init__(
        self,
        diagnoses: SocketDiagnoses,
        service: FixService,
        actor: Actor,
        host: str,
        runbook: str,
        inputs: Mapping[str, str | int],
    ) -> None:
        self.diagnoses, self.service, self.actor = diagnoses, service, actor
        self.host, self.runbook, self.inputs = host, runbook, inputs

    def __call__(self) -> Mapping[str, object]:
        return self.diagnoses.run(self)
