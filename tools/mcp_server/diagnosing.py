"""Diagnosing on behalf of callers: allowed, at most so many at once, one run per question however many ask, kept for a while."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field

import anyio.to_thread
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.names import Names
from triagebook.tools.mcp_server.gates import DiagnosisGate
from triagebook.tools.mcp_server.tokens import Caller

AT_ONCE = 16  # hosts being read; a burst must leave the loop its turn
MOST_OF_ONE = 80  # of one account, waiting or running
MOST_WAITING = 400
BUSY_S = 3
KEPT = 256
STEPS: Mapping[str, tuple[int, str]] = {
    "connecting": (1, "connecting"),
    "first": (2, "first look done, looking again"),
    "asking": (3, "asking systemd and the journal"),
}
LAST = 4
Tell = Callable[[int, str], Awaitable[None]]


@dataclass
class _Flight:
    """One run under way and everybody who wants to hear of it."""

    task: "asyncio.Task[Diagnosis]"
    listeners: list[Tell] = field(default_factory=list)


class DiagnosisRunner:
    """The one way by which tools get a diagnosis."""

    def __init__(self, service: Service, gate: DiagnosisGate, names: Names, default_runbook: Callable[[], str]) -> None:
        self.service, self.gate, self.names, self._default = service, gate, names, default_runbook
        self._pool = ThreadPoolExecutor(AT_ONCE, "diagnose")  # its own: slow hosts never hold up the other tools
        self._flights: dict[tuple[object, ...], _Flight] = {}
        self._callers: Counter[str] = Counter()
        self._kept: OrderedDict[str, Diagnosis] = OrderedDict()

    async def diagnose(self, caller: Caller, host: str, runbook: str, inputs: Mapping[str, object], tell: Tell) -> Diagnosis:
        """One host. Raises what the gate and the service raise; `busy` above the caps."""
        name = self.names.require(host)
        runbook = self.service.catalog.find(runbook or self._default()).name
        self._admit(caller)
        try:
            await anyio.to_thread.run_sync(self.gate.allow, caller, name, runbook)
            found = await self._join(Question(self.names.target(name), runbook, inputs), tell)
            await anyio.to_thread.run_sync(self.gate.record, caller, found)
        finally:
            self._callers[caller.key] -= 1
        return found

    async def load(self, caller: Caller, diagnosis_id: str) -> Diagnosis:
        """A diagnosis made here, if this caller may (still) diagnose its host. UsageError `not_found` says no more than that."""
        found = self._kept.get(diagnosis_id)
        if found is not None:
            runbook = f"{found.runbook.id}@{found.runbook.version}"
            if await anyio.to_thread.run_sync(self.gate.may_see, caller, found.host.name, runbook):
                return found
        message = "no such diagnosis is kept that you may see; the newest ones are kept for a while: diagnose again"
        raise UsageError(message, reason="not_found")

    def close(self) -> None:
        """Start no more; what runs ends by its own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _admit(self, caller: Caller) -> None:
        if self._callers[caller.key] >= MOST_OF_ONE or self._callers.total() >= MOST_WAITING:
            raise UsageError(f"busy, retry in {BUSY_S} s: {self._callers.total()} diagnoses are waiting", reason="busy")
        self._callers[caller.key] += 1

    async def _join(self, question: Question, tell: Tell) -> Diagnosis:
        """The answer to this question; whoever asks the same while it is being found gets the same answer."""
        key = (question.target.text, question.runbook, *sorted(question.inputs.items()))
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._fly(key, question)))
        flight.listeners.append(tell)
        return await asyncio.shield(flight.task)

    async def _fly(self, key: tuple[object, ...], question: Question) -> Diagnosis:
        loop = asyncio.get_running_loop()

        def progress(stage: str, _diagnosis: Diagnosis | None) -> None:
            if stage in STEPS:
                asyncio.run_coroutine_threadsafe(self._tell(key, *STEPS[stage]), loop)

        try:
            answer = await loop.run_in_executor(self._pool, lambda: self.service.diagnose(question, progress))
        finally:
            flight = self._flights.pop(key, None)
        self._kept[answer.diagnosis.id] = answer.diagnosis
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        for tell in flight.listeners if flight else ():
            await tell(LAST, "decided")
        return answer.diagnosis

    async def _tell(self, key: tuple[object, ...], step: int, says: str) -> None:
        flight = self._flights.get(key)
        for tell in flight.listeners if flight else ():
            await tell(step, says)
