"""A toy face: a chat whose server hands over (team, user, text) and shows the line it gets back.

The test of a new face puts this file into a copy of the product as `bot/toy/face.py`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.faces import CHANNELS, views_json
from triagebook.tools.faces.advice import advice_for
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.faces.permission import DiagnosisPermission
from triagebook.tools.faces.single_flight import SingleFlight, question_key
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.policy.identity import Account, Actor


@dataclass
class ToyFace:
    """Answers `diagnose HOST`, `propose HOST REMEDIATION`, `approve FIX` and `apply FIX`."""

    service: FixService
    permission: DiagnosisPermission
    ask: Callable[[Question], Diagnosis]
    channel: str = "toy"
    limits: RateLimits = field(default_factory=RateLimits)
    flights: SingleFlight[Diagnosis, str] = field(default_factory=SingleFlight)

    def answer(self, team: str, user: str, text: str) -> str:
        actor = Actor(Account(CHANNELS[self.channel].account.name, team, user), self.channel)
        word, subject, *rest = text.split()
        try:
            self.limits.take(str(actor.account))
            if word == "diagnose":
                return self._diagnose(actor, subject)
            if word == "propose":
                view = self.service.propose(actor, Proposal(subject, *rest, parameters={"limit": 200}))
            elif word == "approve":
                view = self.service.approve(actor, subject, self.service.show(actor, subject).digest)
            else:
                view = self.service.apply(actor, subject)
            return json.dumps(views_json.fix(view))
        except TriagebookError as error:
            return f"refused [{error.reason}]: {error}. What to do: {advice_for(error.reason).text}"

    def _diagnose(self, actor: Actor, host: str) -> str:
        question = Question(parse_target(host), "forks@1.0.0")
        self.permission.allow(actor, host, question.runbook)
        found = self.flights.ask(question_key(question), lambda _tell: self.ask(question), lambda _progress: None, 60.0)
        self.permission.record(actor, found)
        return found.headline
