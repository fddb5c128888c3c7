"""Diagnoses and fixes to render: every recorded case, and made ones: the real engine over cases with hostile names and sizes."""

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.diagnosis import Diagnosis, HostInfo, OfferedRemediation, RunbookRef, SampleTime
from triagebook.runbooks.engine.errors import PlanError, TriagebookError
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.plan import Plan, Rendering, Request, check_parameters, find_verdict, make_plan
from triagebook.runbooks.engine.plan_codec import digest
from triagebook.runbooks.library.cases import Case, read_case
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.tools.actions import manual
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.fixes.propose import before_of, changes_of
from triagebook.tools.fixes.views import FixView, VoteView
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.times import rfc3339
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SERVICE = Service(CATALOG, lambda _target: LocalTransport(), now=lambda: NOW)
ENTRY = SERVICE.catalog.find("enomem")
CASES = [file.stem for file in ENTRY.cases]
MANY = 10_000  # control groups of the largest host
HOSTILE = (
    "<!channel>.service", "<!here|everybody>.service", "<@U0ATTACKER>", "<#C0GENERAL|general>", "<!subteam^S0OPS|@ops>",
    "<https://evil.example/approve|Approve>.service", "https://evil.example/?a=b&c=<d>", "mailto:ceo@evil.example",
    "www.evil.example", "a`b`c.service", "```\n*Approved*\n```", "*bold* _it_ ~no~.service", "&lt;!channel&gt;.service",
    "&amp;lt;!here&amp;gt;", "\u202egnp.service", "\u2066left\u2069", "zero\u200bwidth", "x\ny\r\nz.service", "\x1b[31mred\x07",
    "\x00nul", "@channel @here @everyone", ":skull: :white_check_mark: approved", "'; rm -rf / #.service", "{{ 7 * 7 }}",
    "日本語.service", "🙂" * 200, "x" * 5000, " ", "|>",
)  # fmt: skip


@cache
def recorded(case: str) -> Diagnosis:
    """A recorded case, replayed by the service."""
    return SERVICE.diagnose(Question(parse_target(f"replay:{case}"), "enomem")).diagnosis


@cache
def _case(name: str) -> Case:
    return read_case(ENTRY, name, facts_types(), CATALOG.load("enomem"))


@cache
def made(seed: int) -> Diagnosis:
    """A case drawn and spoiled by the seed: names from `HOSTILE`, facts hidden, and now and then 10,000 control groups."""
    runbook = CATALOG.load("enomem")
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    case = _case(dice.choice(CASES))
    names = dict[str, str]()
    history = [{probe: _spoiled(facts, dice, names) for probe, facts in step.items()} for step in case.history]
    if seed % 25 == 0 and "pids" in history[-1]:
        history = [{**step, "pids": _grown(step["pids"], dice)} for step in history]
    inputs = {**case.inputs, **({"symptom": f"fork: {dice.choice(HOSTILE)}"} if dice.random() < 0.3 else {})}
    found = conclude(runbook, history, inputs, accepted=case.accept)
    return Diagnosis(
        id=f"20261123T140000-{seed:08x}",
        host=HostInfo(f"host{seed:02}", hostname=dice.choice(HOSTILE), kernel="6.1.0", boot_id="boot", machine_id="machine"),
        runbook=RunbookRef(runbook.id, runbook.version, runbook.digest),
        symptom=None,
        started_at="2026-11-23T14:00:00.082Z",
        duration_ms=dice.randrange(40, 9000),
        status=found.status,
        headline=found.headline,
        verdict=found.verdict,
        also=found.also,
        checks=found.checks,
        unknown=found.unknown,
        facts=found.facts,
        remediations=tuple(manual.with_commands(offer, found, history) for offer in found.remediations),
        next=found.next,
        samples=tuple(SampleTime(number + 1, rfc3339(NOW)) for number in range(len(history))),
        truncated=tuple(f"pids.limited: bounded, {name}" for name in dice.sample(HOSTILE, 2)) if seed % 7 == 0 else (),
        caveats=found.caveats,
    )


def _spoiled(value: Any, dice: random.Random, names: dict[str, str]) -> Any:
    """Names replaced alike everywhere, one integer in thirty made unreadable where its field allows that."""
    if isinstance(value, Collection):
        return replace(value, items=tuple(_spoiled(item, dice, names) for item in value.items))
    if not is_dataclass(value) or isinstance(value, (Unreadable, type)):
        return value
    changed: dict[str, Any] = {}
    for entry in fields(value):
        old = getattr(value, entry.name)
        if entry.name in {"path", "unit", "user", "comm"} and isinstance(old, str) and old:
            changed[entry.name] = names.setdefault(old, dice.choice(HOSTILE) if dice.random() < 0.7 else old)
        elif "Unreadable" in str(entry.type) and dice.random() < 1 / 30:
            changed[entry.name] = Unreadable(f"permission denied: {dice.choice(HOSTILE)}")
    return replace(value, **changed)


def _grown(pids: Any, dice: random.Random) -> Any:
    items = pids.limited.items
    if not items:
        return pids
    more = tuple(replace(items[number % len(items)], path=f"{dice.choice(HOSTILE)[:300]}/{number}") for number in range(MANY))
    return replace(pids, limited=replace(pids.limited, items=(*items, *more)))


def fix_of(diagnosis: Diagnosis, number: int = 0, state: str = "proposed", **changes: Any) -> FixView | None:
    """The fix of one of its offers, as the service would show it; None where it cannot be planned."""
    offer = diagnosis.remediations[number]
    request = Request(
        remediation=offer.id,
        culprit=offer.culprit,
        parameters={},
        requester="ann",
        requester_account="slack:T0TEAM/U0ANN",
        reason="pages since 13:50 <!channel> https://evil.example",
        expires_at=rfc3339(NOW + timedelta(minutes=15)),
        target_id="target-1",
    )
    try:
        plan = make_plan(diagnosis, request, _rendering(diagnosis, offer))
    except (PlanError, TriagebookError):
        return None
    return view_of(plan, state, **changes)


def _rendering(diagnosis: Diagnosis, offer: OfferedRemediation) -> Rendering:
    """What the offer would change at the values it suggests."""
    verdict, values = find_verdict(diagnosis, offer), check_parameters({}, offer.params)
    order = {f"param_{name}": str(value) for name, value in values.items()} | {"step": "live", "before": before_of(verdict)}
    return Rendering(changes_of(verdict, offer, values), offer.commands, offer.undo_commands, order)


def view_of(plan: Plan, state: str = "proposed", **changes: Any) -> FixView:
    """A plan as a fix in a state, with one vote."""
    vote = VoteView("bob", "slack:T0TEAM/U0BOB", "deny" if state == "denied" else "approve", rfc3339(NOW), "")
    view = FixView(
        id="F-7q2mk4xs",
        state=state,
        digest=digest(plan),
        plan=plan,
        votes=() if state == "proposed" else (vote,),
        approvals="0 of 2 (group:sre)" if state == "proposed" else "2 of 2 (group:sre)",
        created_at=rfc3339(NOW),
        updated_at=rfc3339(NOW),
        expires_at=rfc3339(NOW + timedelta(minutes=15)),
        outcome="",
    )
    return replace(view, **changes)


def all_made(count: int = 100) -> Iterator[Diagnosis]:
    """`count` made diagnoses."""
    return map(made, range(count))
