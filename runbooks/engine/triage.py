"""Defines the one answer of several runbooks about one host, and joins their diagnoses into it. Pure. JSON: `triagebook/triage/v1`.

Each diagnosis stands on its own: each runbook was concluded over the same facts. The first sentence is the worst thing that is
true now, whichever runbook knows it.
"""

from collections.abc import Sequence
from typing import Literal

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, HostInfo, RunbookRef, Status, SymptomRef, Verdict
from triagebook.runbooks.engine.plain_data import member
from triagebook.runbooks.engine.routes import TextFit, TextRoute

SCHEMA: Literal["triagebook/triage/v1"] = "triagebook/triage/v1"
Why = Literal["installed", "configured", "named", "recorded", "belongs_to"]
WORST_FIRST: tuple[Status, ...] = ("unreachable", "cause_found", "inconclusive", "warning", "healthy")


@dataclass(frozen=True)
class AskedRunbook:
    """Says which runbook was asked, why, and what it makes of the error text: whether it leads, and the class it has there."""

    runbook: RunbookRef
    why: Why
    text: TextFit
    error_class: str = member("class")


@dataclass(frozen=True)
class Triage:
    """What was found on one host by several runbooks in one look. `diagnoses` are worst first; `verdict` is the first one's.

    `symptom.class` is the class that the leading runbook gives the text.
    """

    id: str
    host: HostInfo
    symptom: SymptomRef | None
    asked: tuple[AskedRunbook, ...]
    started_at: str
    duration_ms: int
    status: Status
    headline: str
    verdict: Verdict | None
    diagnoses: tuple[Diagnosis, ...]
    schema: Literal["triagebook/triage/v1"] = SCHEMA

    @property
    def first(self) -> Diagnosis:
        """Return the diagnosis that the first sentence is about."""
        return self.diagnoses[0]


Found = Diagnosis | Triage


def diagnoses_of(found: Found) -> tuple[Diagnosis, ...]:
    """Return the diagnoses of an answer, the one that its first sentence is about first."""
    return found.diagnoses if isinstance(found, Triage) else (found,)


@dataclass(frozen=True)
class RunbookDiagnosis:
    """Holds the diagnosis of one runbook, with why that was asked and what the error text is to it."""

    diagnosis: Diagnosis
    why: Why
    route: TextRoute


def join(triage_id: str, text: str, concluded: Sequence[RunbookDiagnosis], duration_ms: int) -> Triage:
    """Return the one answer. `text` is the error text as it may be shown; `concluded` holds at least one, in the order asked."""
    ordered = sorted(concluded, key=_rank)
    first = ordered[0]
    found = first.diagnosis
    leader = next((item for item in concluded if item.route.fit == "leads"), None)
    return Triage(
        id=triage_id,
        host=found.host,
        symptom=SymptomRef(text, leader.route.error_class if leader else "") if text else None,
        asked=tuple([AskedRunbook(item.diagnosis.runbook, item.why, item.route.fit, item.route.error_class) for item in concluded]),
        started_at=found.started_at,
        duration_ms=duration_ms,
        status=found.status,
        headline=_headline(ordered, leader),
        verdict=found.verdict,
        diagnoses=tuple([item.diagnosis for item in ordered]),
    )


def is_explained(concluded: Sequence[RunbookDiagnosis]) -> bool:
    """Say whether one of the runbooks that were told all that was named found what can explain it."""
    return any(
        verdict.may_be_why
        for item in concluded
        if item.route.fit in {"", "leads", "fits", "unknown"} and item.diagnosis.verdict is not None
        for verdict in (item.diagnosis.verdict, *item.diagnosis.also)
    )


def _rank(item: RunbookDiagnosis) -> tuple[int, ...]:
    """Return what orders diagnoses: status, another runbook's matter, the error given, how pressing and how sure the cause is."""
    verdict = item.diagnosis.verdict
    status, elsewhere, *pressing = rank_of(item.diagnosis.status, verdict)
    return status, elsewhere, item.route.fit != "leads" or (verdict is not None and verdict.explains_symptom == "no"), *pressing


def rank_of(status: Status, verdict: Verdict | None) -> tuple[int, ...]:
    """Return what orders the answers of runbooks about one host, where no error text chooses among them."""
    if verdict is None:
        return WORST_FIRST.index(status), 0, len(model.ACTIVE), 0
    is_elsewhere = bool(verdict.belongs_to)  # "not this, but": the runbook it belongs to tells it better
    return WORST_FIRST.index(status), is_elsewhere, model.ACTIVE.index(verdict.active), model.STRENGTHS.index(verdict.strength)


def healthy_sentence(first: str, others: Sequence[str]) -> str:
    """Return the first sentence where several runbooks found nothing: that of the first one, and the names of the others."""
    return f"{first} Nothing was found by {_and(others)} either."


def _and(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _headline(ordered: Sequence[RunbookDiagnosis], leader: RunbookDiagnosis | None) -> str:
    first = ordered[0]
    if len(ordered) == 1:
        return first.diagnosis.headline
    if first.diagnosis.status == "healthy" and leader is None:
        return healthy_sentence(first.diagnosis.headline, [item.diagnosis.runbook.id for item in ordered[1:]])
    sentences = [first.diagnosis.headline]
    if leader is not None and leader is not first and first.diagnosis.status in {"cause_found", "warning"}:
        why = leader.diagnosis.verdict
        said = f"found {why.cause}" if why is not None and why.may_be_why else "found nothing that explains it"
        sentences.append(f"The error you gave is one of runbook {leader.diagnosis.runbook.id}, which {said}.")
    sentences += _open_questions(ordered)
    return " ".join([*sentences, *_fits(ordered)])


def _open_questions(ordered: Sequence[RunbookDiagnosis]) -> list[str]:
    """Return what other runbooks could not judge, where the first sentence is that not everything could be."""
    first = ordered[0].diagnosis
    if first.status != "inconclusive" or first.verdict is not None:
        return []
    return [
        f"Not judged in {item.diagnosis.runbook.id}: {', '.join(unknown.check for unknown in item.diagnosis.unknown)}."
        for item in ordered[1:]
        if item.diagnosis.status == "inconclusive" and item.diagnosis.unknown
    ]


def _fits(ordered: Sequence[RunbookDiagnosis]) -> list[str]:
    """Return a sentence where the error text is one of several runbooks."""
    names = [item.diagnosis.runbook.id for item in ordered if item.route.fit in {"leads", "fits"}]
    return [f"The error text fits more than one runbook: {', '.join(names)}."] if len(names) > 1 else []
