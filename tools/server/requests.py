"""Turns each request on the socket into one call of the FixService, with the peer's account as the actor."""

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType

from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.faces import views_json
from triagebook.tools.fixes.history import MOST_DAYS, MOST_ROWS
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.service import FixService
from triagebook.tools.log import log_event
from triagebook.tools.policy.channels import socket_channels
from triagebook.tools.policy.identity import Actor
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.server.protocol import Members
from triagebook.tools.times import parse_rfc3339

MOST = 2**53 - 1
DIAGNOSE = "diagnose"  # is answered by tools/server/diagnoses.py, which holds what is under way
Call = Callable[[], object]
Handler = Callable[[FixService, Actor, Members], Call]


def _propose(service: FixService, actor: Actor, members: Members) -> Call:
    proposal = Proposal(
        host=members.text("host"),
        remediation=members.text("remediation"),
        runbook=members.text("runbook", ""),
        inputs=members.texts("inputs"),
        parameters=members.values("parameters"),
        culprit=members.text("culprit", ""),
        reason=members.text("reason", ""),
    )
    return lambda: views_json.fix(service.propose(actor, proposal))


def _show(service: FixService, actor: Actor, members: Members) -> Call:
    fix = members.text("fix")
    return lambda: views_json.fix(service.show(actor, fix))


def _list(service: FixService, actor: Actor, members: Members) -> Call:
    state, host = members.text("state", ""), members.text("host", "")
    return lambda: views_json.fixes(service.list(actor, state=state, host=host))


def _approve(service: FixService, actor: Actor, members: Members) -> Call:
    fix, digest, why = members.text("fix"), members.text("digest"), members.text("break_glass", "")
    return lambda: views_json.fix(service.approve(actor, fix, digest, break_glass=why))


def _deny(service: FixService, actor: Actor, members: Members) -> Call:
    fix, digest, why = members.text("fix"), members.text("digest"), members.text("why", "")
    return lambda: views_json.fix(service.deny(actor, fix, digest, why=why))


def _withdraw(service: FixService, actor: Actor, members: Members) -> Call:
    fix = members.text("fix")
    return lambda: views_json.fix(service.withdraw(actor, fix))


def _apply(service: FixService, actor: Actor, members: Members) -> Call:
    fix = members.text("fix")
    return lambda: views_json.fix(service.apply(actor, fix))


def _revert(service: FixService, actor: Actor, members: Members) -> Call:
    fix, reason = members.text("fix"), members.text("reason", "")
    return lambda: views_json.fix(service.revert(actor, fix, reason))


def _persist(service: FixService, actor: Actor, members: Members) -> Call:
    fix, reason = members.text("fix"), members.text("reason", "")
    return lambda: views_json.fix(service.persist(actor, fix, reason))


def _locks(service: FixService, actor: Actor, members: Members) -> Call:
    return lambda: views_json.locks(service.locks(actor))


def _break_lock(service: FixService, actor: Actor, members: Members) -> Call:
    host, why = members.text("host"), members.text("why")
    return lambda: views_json.lock(service.break_lock(actor, host, why))


def _bind_host(service: FixService, actor: Actor, members: Members) -> Call:
    host, why = members.text("host"), members.text("why")
    return lambda: to_plain(service.bind_host(actor, host, why))


def _audit_list(service: FixService, actor: Actor, members: Members) -> Call:
    limit, fix = members.integer("limit", 50, 1000), members.text("fix", "")
    host, person = members.text("host", ""), members.text("person", "")
    return lambda: views_json.audit_rows(service.audit_list(actor, limit, fix=fix, host=host, person=person))


def _audit_show(service: FixService, actor: Actor, members: Members) -> Call:
    index, old_size = members.integer("index", 0, MOST), members.integer("old_size", 0, MOST)
    return lambda: views_json.audit_entry(*service.audit_show(actor, index, old_size))


def _audit_verify(service: FixService, actor: Actor, members: Members) -> Call:
    notes, since = members.list("checkpoints"), members.integer("since", 0, MOST)
    return lambda: to_plain(service.audit_verify(actor, notes, since))


def _audit_repair(service: FixService, actor: Actor, members: Members) -> Call:
    if members.text("what") != "columns":
        raise UsageError("there is nothing to repair but `columns`", reason="request")
    return lambda: {"rows": list(service.audit_repair(actor))}


def _audit_export(service: FixService, actor: Actor, members: Members) -> Call:
    start = members.integer("from", 0, MOST)
    return lambda: service.audit_export(actor, start)


def _policy_check(service: FixService, actor: Actor, members: Members) -> Call:
    question = PolicyQuestion(
        members.text("action"), members.text("host", ""), members.text("runbook", ""), members.text("risk", "")
    )
    account, requester = members.text("account", ""), members.text("requester", "")
    return lambda: to_plain(service.policy_check(actor, question, account=account, requester=requester))


def _history(service: FixService, actor: Actor, members: Members) -> Call:
    host, days = members.text("host"), members.integer("days", 30, MOST_DAYS)
    return lambda: to_plain(service.history(actor, host, days))


def _alerts(service: FixService, actor: Actor, members: Members) -> Call:
    host, limit = members.text("host", ""), members.integer("limit", 50, MOST_ROWS)
    return lambda: to_plain(service.alerts(actor, host, limit))


def _record(service: FixService, actor: Actor, members: Members) -> Call:
    subject, since = members.text("subject", limit=255), members.text("since", "", limit=40)
    try:
        moment = parse_rfc3339(since) if since else None
    except ValueError as error:
        raise UsageError(f"since: {error}", reason="request") from None
    return lambda: service.record(actor, subject, moment)


def _get_diagnosis(service: FixService, actor: Actor, members: Members) -> Call:
    diagnosis = members.text("diagnosis", limit=64)
    return lambda: to_plain(service.get_diagnosis(actor, diagnosis).found)


def _give_feedback(service: FixService, actor: Actor, members: Members) -> Call:
    answer, was, it_was = members.text("answer", limit=64), members.text("was", limit=10), members.text("it_was", "")
    return lambda: to_plain(service.give_feedback(actor, answer, was, it_was))


def _feedback(service: FixService, actor: Actor, members: Members) -> Call:
    host, limit = members.text("host", ""), members.integer("limit", 50, MOST_ROWS)
    return lambda: to_plain(service.feedback(actor, host, limit))


def _get_case(service: FixService, actor: Actor, members: Members) -> Call:
    answer = members.text("answer", limit=64)
    return lambda: service.get_case(actor, answer)


def _note_refusal(service: FixService, actor: Actor, members: Members) -> Call:
    action, reason, says = members.text("action", limit=40), members.text("reason", limit=40), members.text("says", limit=300)
    return lambda: service.note_refusal(actor, action, reason, says)


REQUESTS: Mapping[str, Handler] = {
    "propose": _propose,
    "show": _show,
    "list": _list,
    "approve": _approve,
    "deny": _deny,
    "withdraw": _withdraw,
    "apply": _apply,
    "revert": _revert,
    "persist": _persist,
    "locks": _locks,
    "break_lock": _break_lock,
    "bind_host": _bind_host,
    "audit_list": _audit_list,
    "audit_show": _audit_show,
    "audit_verify": _audit_verify,
    "audit_repair": _audit_repair,
    "audit_export": _audit_export,
    "policy_check": _policy_check,
    "history": _history,
    "alerts": _alerts,
    "record": _record,
    "get_diagnosis": _get_diagnosis,
    "give_feedback": _give_feedback,
    "feedback": _feedback,
    "get_case": _get_case,
    "note_refusal": _note_refusal,
}


def answers(
    service: FixService,
    actor_for: Callable[[str], Actor],
    members: Members,
    requests: Mapping[str, Handler] = REQUESTS,
) -> Iterator[Mapping[str, object]]:
    """Yield every line of the answer to one of `requests`. An expected failure is an answer too.

    The log says how it ended before the caller hears the last line.

    `channel` may only say that an assistant asks on this account's behalf, which takes rights away.
    """
    with _RequestLog(str(actor_for("cli").account), members.about()) as log:
        try:
            log.action, log.channel = name, channel = members.text("do"), members.text("channel", "cli")
            if name not in requests or channel not in socket_channels():
                raise UsageError(f"no request {name[:40]!r}{did_you_mean(name[:40], requests)}", reason="request")
            call = requests[name](service, actor_for(channel), members)
            members.finish()
            result = call()
            if isinstance(result, Iterator):
                count = 0
                for count, item in enumerate(result, 1):  # noqa: B007 - counted to the end
                    yield {"ok": True, "item": item}
                last: Mapping[str, object] = {"ok": True, "end": count}
            else:
                last = {"ok": True, "answer": result}
        except TriagebookError as error:
            log.error = error
            last = {"ok": False, "error": {"reason": error.reason, "message": str(error), "kind": type(error).__name__}}
    yield last


class _RequestLog:
    """Writes one log line for each request and its outcome."""

    def __init__(self, account: str, about: Mapping[str, str]) -> None:
        self.action = self.channel = ""
        self.error: BaseException | None = None
        self._account, self._about, self._started = account, about, time.monotonic()

    def __enter__(self) -> "_RequestLog":
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        error = error or self.error
        log_event(
            "server.request",
            action=self.action if self.action in {*REQUESTS, DIAGNOSE} else "unknown",
            channel=self.channel if self.channel in socket_channels() else "unknown",
            account=self._account,
            **self._about,
            outcome=outcome_of(error),
            reason=getattr(error, "reason", None),
            says=error if isinstance(error, TriagebookError) else None,
            ms=(time.monotonic() - self._started) * 1000,
        )


def outcome_of(error: BaseException | None) -> str:
    """Return how a request ended: ok, refused, failed, or cut (the caller hung up)."""
    if error is None:
        return "ok"
    if isinstance(error, GeneratorExit):
        return "cut"
    return "refused" if isinstance(error, TriagebookError) and not isinstance(error, TrustError) else "failed"
