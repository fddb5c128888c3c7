"""Renders a diagnosis for a model in two kilobytes: our words as typed members, the host's words as fenced text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from triagebook.runbooks.engine.diagnosis import CheckResult, Diagnosis, FactEntry, OfferedRemediation, Unknown, Verdict
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.mcp_server.answers import (
    CauseAnswer,
    DiagnosisAnswer,
    LimitAnswer,
    OfferAnswer,
    OtherRunbookAnswer,
    ParameterAnswer,
)
from triagebook.tools.mcp_server.untrusted import fence, mark_untrusted

MAX_BYTES = 2048  # of a text answer
MAX_ALSO, MAX_OFFERS = 6, 4
STATUS: Mapping[str, str] = {
    "cause_found": "A cause is established.",
    "warning": "No cause now; a limit was near or reached earlier.",
    "healthy": "Every cause of this runbook was looked at and ruled out.",
    "inconclusive": "INCONCLUSIVE: some causes could not be judged. This is not a clean bill.",
    "unreachable": "The host gave no session. How the login failed is the only evidence.",
}


def uri_of(found: Found) -> str:
    """Return the address of the whole answer."""
    return f"diagnosis://{found.id}"


def answer_of(found: Found) -> DiagnosisAnswer:
    """Return the typed answer: the diagnosis of the first sentence, and what other runbooks found in the same look."""
    diagnosis, *others = diagnoses_of(found)
    verdicts = [one for one in (diagnosis.verdict, *diagnosis.also) if one is not None]
    established = verdicts[:1] if verdicts and not verdicts[0].is_only_close else []
    return DiagnosisAnswer(
        diagnosis_id=found.id,
        host=diagnosis.host.name,
        runbook=f"{diagnosis.runbook.id}@{diagnosis.runbook.version}",
        status=diagnosis.status,
        cause=_cause(established[0]) if established else None,
        also=tuple(map(_cause, verdicts[len(established) :][:MAX_ALSO])),
        ruled_out=tuple(check.id for check in diagnosis.checks if check.outcome == "cleared"),
        not_judged=tuple(item.check for item in diagnosis.unknown),
        offers=tuple(_offer(offer) for offer in _distinct(diagnosis.remediations)),
        next_actions=(*next_actions(diagnosis, uri_of(found)), *_next_of_others(others)),
        samples=len(diagnosis.samples),
        untrusted=mark_untrusted(_untrusted_pairs(replace(diagnosis, headline=found.headline))),
        other_runbooks=tuple(map(_other, others)),
        recurrence=diagnosis.recurrence.says if diagnosis.recurrence else "",
    )


def text_of(answer: DiagnosisAnswer) -> str:
    """Return the answer as text of at most `MAX_BYTES` bytes: verdict, ruled out, not judged, offers, next steps, then data."""
    lines = list(_lines(answer))
    ours = "\n".join(lines)
    data = fence(answer.untrusted, MAX_BYTES - len(ours.encode()) - 1)
    return f"{ours}\n{data}" if data else ours


def next_actions(diagnosis: Diagnosis, address: str) -> Iterator[str]:
    """List what a careful assistant does now."""
    host = diagnosis.host.name
    if diagnosis.status == "unreachable":
        yield "Explain how the login failed; do not guess a cause."
        return
    if diagnosis.unknown:
        yield "Say what could not be judged and why; never count it as fine."
    verdict = diagnosis.verdict
    if verdict is not None and not verdict.may_be_why:
        yield f"Do not call {verdict.cause} the cause: {_why_not(verdict)}. Details: get_diagnosis, or read {address}."
    elif verdict is not None:
        yield f"Explain the cause with its evidence; details: get_diagnosis, or read {address}."
    if diagnosis.remediations:
        first = diagnosis.remediations[0].id
        yield f"If the person wants it: propose_fix(host={host!r}, remediation={first!r}). Another person then approves elsewhere."


def section_of(diagnosis: Diagnosis, section: str) -> list[tuple[str, object]]:
    """Return the lines of one section, as the host made them."""
    if section == "verdicts":
        verdicts = [verdict for verdict in (diagnosis.verdict, *diagnosis.also) if verdict]
        return [("verdict", f"{item.cause}, {item.active}, {_how_sure(item)}: {item.summary}") for item in verdicts]
    if section == "checks":
        return [("check", _check_text(check)) for check in diagnosis.checks]
    if section == "facts":
        return [("fact", f"{_fact(entry)}  {entry.source}".rstrip()) for entry in diagnosis.facts]
    if section == "unknown":
        return [("not_judged", _unknown_text(item)) for item in diagnosis.unknown]
    if section == "fixes":
        return [pair for number, offer in enumerate(diagnosis.remediations, 1) for pair in _by_hand(number, offer)]
    if section == "cost":
        entries = [*to_plain(diagnosis.target).items(), *diagnosis.timings_ms.items(), *to_plain(diagnosis.login).items()]
        singly = [(name, item) for name, value in entries for item in (value if isinstance(value, list) else [value])]
        return [(name, item) for name, item in singly if item not in ("", None)]
    return list(_untrusted_pairs(diagnosis))


def _lines(answer: DiagnosisAnswer) -> Iterator[str]:
    samples = f"{answer.samples} sample{'' if answer.samples == 1 else 's'}"
    yield f"{answer.status.upper()} on {answer.host} by {answer.runbook}, {samples}. {STATUS[answer.status]}"
    if answer.cause is not None:
        yield f"Cause: {_cause_text(answer.cause)}"
        limit = answer.cause.limit
        if limit is not None:
            used = f"{quantity(limit.used, 'bytes' if limit.unit == 'bytes' else '')} of " if limit.used is not None else ""
            yield f"Limit: {limit.name}: {used}{quantity(limit.value, limit.unit)}"
    if answer.recurrence:
        yield f"Before: {answer.recurrence}"
    for cause in answer.also:
        yield f"Also: {_cause_text(cause)}"
    if answer.ruled_out:
        yield f"Ruled out: {', '.join(answer.ruled_out)}"
    if answer.not_judged:
        yield f"NOT judged: {', '.join(answer.not_judged)}"
    if answer.other_runbooks:
        yield f"Other runbooks: {'; '.join(map(_other_text, answer.other_runbooks))}"
    for offer in answer.offers:
        bounds = ", ".join(map(_bounds_text, offer.parameters))
        undo = "can be undone" if offer.can_be_undone else "CANNOT be undone"
        yield f"Offer: {offer.remediation} (risk {offer.risk}, {undo}{'; ' + bounds if bounds else ''})"
    for action in answer.next_actions:
        yield f"Next: {action}"
    yield f"Everything: diagnosis://{answer.diagnosis_id}"


def _bounds_text(parameter: ParameterAnswer) -> str:
    if parameter.least == parameter.most:
        return f"{parameter.name} {parameter.default} (no other value)"
    return f"{parameter.name} {parameter.least} to {parameter.most} (default {parameter.default})"


def _check_text(check: CheckResult) -> str:
    """Return the outcome of a check with the figures it was judged by."""
    says = check.says.removeprefix(f"{check.outcome}: ")
    said = f": {says}" if says != check.outcome else ""
    return f"{check.id} {check.outcome}{said}{''.join(f'; {_fact(figure)}' for figure in check.figures)}"


def _other(diagnosis: Diagnosis) -> OtherRunbookAnswer:
    verdict = diagnosis.verdict
    name = f"{diagnosis.runbook.id}@{diagnosis.runbook.version}"
    found = (verdict.cause, verdict.active) if verdict else ("", "")
    return OtherRunbookAnswer(name, diagnosis.status, *found, diagnosis.id)


def _other_text(other: OtherRunbookAnswer) -> str:
    if other.status == "healthy":
        return f"{other.runbook} healthy"
    return " ".join(part for part in (other.runbook, other.status, other.cause, other.active, f"({other.diagnosis_id})") if part)


def _next_of_others(others: Sequence[Diagnosis]) -> Iterator[str]:
    if any(item.status in {"cause_found", "warning"} for item in others):
        yield "Another runbook found something too: get_diagnosis with its diagnosis_id."


def _how_sure(verdict: Verdict) -> str:
    return "not reached" if verdict.is_only_close else verdict.strength


def _why_not(verdict: Verdict) -> str:
    """Return why a verdict is not what was asked about."""
    if verdict.explains_symptom == "no":
        return "it cannot be what was asked about"
    return "it is close to its limit, and was not seen to reach it"


def _cause_text(cause: CauseAnswer) -> str:
    parts = [cause.cause, cause.active, cause.strength]
    if cause.belongs_to:
        parts.append(f"another matter: runbook {cause.belongs_to}")
    elif cause.explains_symptom != "yes":
        known = "does not explain the symptom given" if cause.explains_symptom == "no" else "explains the symptom: not known"
        parts.append(known)
    return ", ".join(parts)


def _cause(verdict: Verdict) -> CauseAnswer:
    limit = None
    if verdict.limit is not None:
        used = verdict.usage.value if verdict.usage else None
        limit = LimitAnswer(verdict.limit.name, verdict.limit.value, used, verdict.limit.unit)
    return CauseAnswer(verdict.cause, verdict.active, _how_sure(verdict), verdict.explains_symptom, verdict.belongs_to, limit)


def _distinct(offers: Sequence[OfferedRemediation]) -> list[OfferedRemediation]:
    """Return one offer of each remediation; the culprits stand in the data."""
    return list({offer.id: offer for offer in reversed(offers)}.values())[::-1][:MAX_OFFERS]


def _offer(offer: OfferedRemediation) -> OfferAnswer:
    numbers = tuple(
        ParameterAnswer(name, bound.default, bound.min, bound.max)
        for name, bound in offer.params.items()
        if isinstance(bound.default, int) and bound.min is not None and bound.max is not None
    )
    return OfferAnswer(offer.id, offer.risk, offer.undo != "none", numbers)


def _untrusted_pairs(diagnosis: Diagnosis) -> Iterator[tuple[str, object]]:
    """List what the host made, the most telling first: what does not fit is cut from the end."""
    yield "headline", diagnosis.headline
    if diagnosis.status == "unreachable":
        yield "login", f"{diagnosis.login.phase}: {diagnosis.login.message}"
    verdict = diagnosis.verdict
    if verdict is not None:
        if verdict.summary not in diagnosis.headline:
            yield "summary", verdict.summary
        yield "culprit", verdict.culprit.title
        yield from (("evidence", line) for line in _evidence(diagnosis, verdict))
    yield from (("not_judged", _unknown_text(item)) for item in diagnosis.unknown)
    for offer in diagnosis.remediations:
        yield "offer_culprit", f"{offer.id}: {offer.culprit}"
    if verdict is not None:
        for user in verdict.consumers:
            used = quantity(user.count, verdict.limit.unit if verdict.limit else "")
            yield "used_by", f"{used} by {user.comm} (PID {user.pid}, {user.user or '?'}, {user.unit or '?'})"
        yield "since", verdict.since
    yield from (("advice", advice) for advice in diagnosis.next)
    yield from (("also", other.summary) for other in diagnosis.also[:MAX_ALSO])
    yield from (("cut_short", item) for item in diagnosis.truncated)
    yield "kernel", diagnosis.host.kernel
    if diagnosis.host.hostname != diagnosis.host.name:
        yield "hostname", diagnosis.host.hostname


def _evidence(diagnosis: Diagnosis, verdict: Verdict) -> Iterator[str]:
    entries = {entry.id: entry for entry in diagnosis.facts}
    return (_fact(entries[name]) for name in verdict.evidence if name in entries)


def _fact(entry: FactEntry) -> str:
    values = " -> ".join(dict.fromkeys(quantity(reading.value, entry.unit) for reading in entry.readings))
    return f"{entry.id} = {values or 'not readable: ' + entry.unreadable}"


def _unknown_text(item: Unknown) -> str:
    return f"{item.check}: {item.because}{' (' + ', '.join(item.which) + ')' if item.which else ''}"


def _by_hand(number: int, offer: OfferedRemediation) -> Iterator[tuple[str, object]]:
    """List a fix and its commands under names with its number: grouped by name, they still belong together."""
    yield f"fix_{number}", f"{offer.id} for {offer.culprit}: {offer.title}"
    yield from ((f"command_{number}", line) for line in offer.commands)
    yield from ((f"undo_command_{number}", line) for line in offer.undo_commands or ("none: it cannot be taken back",))
