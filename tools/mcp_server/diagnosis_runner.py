"""Runs diagnoses on behalf of callers: with permission, within limits, one run for equal questions, kept for a while."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anyio.to_thread
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.faces.limits import QueueLimits
from triagebook.tools.faces.permission import DiagnosisPermission, may_see_all, runbooks_left_out
from triagebook.tools.faces.single_flight import SingleFlight, question_key
from triagebook.tools.inventory.names import Names
from triagebook.tools.mcp_server.auth import Caller

AT_ONCE = 16  # hosts being read; a burst must leave the loop its turn
KEPT = 256
STEPS: Mapping[str, tuple[int, str]] = {
    "connecting": (1, "connecting"),
    "first": (2, "first look done, looking again"),
    "asking": (3, "asking systemd and the journal"),
}
LAST = 4
Tell = Callable[[int, str], Coroutine[Any, Any, None]]


class DiagnosisRunner:
    """The one way by which tools get a diagnosis."""

    def __init__(self, service: Service, permission: DiagnosisPermission, names: Names, default_runbook: Callable[[], str]) -> None:
        self.service, self.permission, self.names, self._default = service, permission, names, default_runbook
        self.limits = QueueLimits()
        self.flights: SingleFlight[Found, str] = SingleFlight()
        self._pool = ThreadPoolExecutor(AT_ONCE, "diagnose")  # its own: slow hosts never hold up the other tools
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, Found] = OrderedDict()

    async def diagnose(self, caller: Caller, host: str, runbook: str, inputs: Mapping[str, object], tell: Tell) -> Found:
        """Diagnose one host. Raises what the permission and the service raise; `busy` above the limits."""
        self.names.require_form(host)
        wanted = runbook or self._default()
        question = Question(self.names.target(host), self.service.catalog.find(wanted).name if wanted else "", inputs)
        with self.limits.hold(caller.key):
            question = await anyio.to_thread.run_sync(self._permit, caller, host, question)
            found = await self._ask(question, tell)
            told = await anyio.to_thread.run_sync(self.permission.record, caller.actor, found)
        if told is not found:  # with what was found there before
            self._keep(told)
        return told

    def _permit(self, caller: Caller, host: str, question: Question) -> Question:
        """Return the question without the runbooks that this caller may not ask. Raises RefusedError: none may be asked.

        Only who may ask about the name learns whether it is in the inventory: UsageError.
        """
        if question.runbook:
            self.permission.allow(caller.actor, host, question.runbook)
        else:
            names = [item.runbook.name for item in self.service.runbooks_for(question)]
            question = replace(question, left_out=runbooks_left_out(self.permission, caller.actor, host, names))
        self.names.require(host, self.sight(caller))
        return question

    def sight(self, caller: Caller) -> Callable[[str], bool]:
        """Return whether this caller may know of a host."""
        return lambda name: self.permission.may_see(caller.actor, name, "")

    def require_visible(self, caller: Caller, host: str) -> str:
        """Return a name of the inventory that this caller may know of. Raises UsageError, alike for one that is not there."""
        self.names.require_form(host)
        if not self.sight(caller)(host):
            raise UsageError(f"{safe_text(host, 60)!r} is no host of the inventory that you may ask about", reason="inventory")
        return self.names.require(host, self.sight(caller))

    async def load(self, caller: Caller, diagnosis_id: str) -> Found:
        """Return an answer made here, if this caller may (still) see its host. Else UsageError `not_found`, and no more."""
        found = self._kept.get(diagnosis_id)
        if found is not None and await anyio.to_thread.run_sync(may_see_all, self.permission, caller.actor, found):
            return found
        message = "no such diagnosis is kept that you may see; the newest ones are kept for a while: diagnose again"
        raise UsageError(message, reason="not_found")

    def close(self) -> None:
        """Start no further run. Those under way end by their own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: Question, tell: Tell) -> Found:
        """Return the answer to this question, by the run under way where somebody asked the same."""
        loop = asyncio.get_running_loop()

        def listen(stage: str) -> None:
            asyncio.run_coroutine_threadsafe(tell(*STEPS[stage]), loop)

        def run(on_progress: Callable[[str], None]) -> Found:
            def progress(stage: str, _answer: Callable[[], Answer] | None) -> None:
                if stage in STEPS:
                    on_progress(stage)

            found = self.service.diagnose(question, progress).result
            self._keep(found)
            return found

        flight = self.flights.submit(self._pool, question_key(question), run, listen)
        try:
            answer = await asyncio.wrap_future(flight.future)  # a caller that is cancelled cancels the run for nobody
        finally:
            flight.leave(listen)
        await tell(LAST, "decided")
        return answer

    def _keep(self, found: Found) -> None:
        """Keep an answer, and each diagnosis in it, to be read again by id."""
        with self._guard:
            for item in {entry.id: entry for entry in (*diagnoses_of(found), found)}.values():
                self._kept[item.id] = item
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
