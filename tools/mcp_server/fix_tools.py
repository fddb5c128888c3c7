"""Offers the tools about fixes: propose one, look at it, apply what a person approved elsewhere. No tool approves."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.faces.views_json import FixJson
from triagebook.tools.mcp_server import arguments as of
from triagebook.tools.mcp_server.answers import FixAnswer, FixStateAnswer
from triagebook.tools.mcp_server.auth import Caller
from triagebook.tools.mcp_server.brief import MAX_BYTES
from triagebook.tools.mcp_server.tool_context import CHANGES_HOSTS, READS_RECORDS, WRITES_RECORDS, ToolContext, result, tool
from triagebook.tools.mcp_server.untrusted import Untrusted, fence, mark_untrusted

WAIT = "Wait: ask fix_status at most every 15 seconds, and do not press anybody."
KEEP = "It holds until the next boot. If the person wants it kept: propose_fix with permanent_of."
NEXT: Mapping[str, tuple[str, ...]] = {
    "proposed": ("Show the person the exact change, commands, risk, disruption and undo.", "{decide}", WAIT),
    "approved": ("If the person still wants it: apply_fix, once.",),
    "running": ("It is under way. " + WAIT,),
    "reverting": ("It is being undone. " + WAIT,),
    "validated": ("It took effect and the cause is gone. Diagnose again and tell the person what else is found.", KEEP),
    "unresolved": (
        "It was applied, but the cause could not be shown to be gone. Diagnose again: if the limit is full again, find out what "
        "uses it up before a higher one is proposed.",
        "It can be put back: a person proposes that by `triagebook fix revert`.",
    ),
    "unknown": ("Nobody can say yet how it ended. Do not apply anything else to this host; ask fix_status later.",),
    "failed": ("Explain the outcome; diagnose again before proposing anything.",),
}
OVER = ("It is over: nothing will be done by it. Diagnose again, and propose anew if the cause still holds.",)


@dataclass(frozen=True)
class FixTools:
    """The tools about fixes. The service behind the backend decides and records everything."""

    context: ToolContext

    def tools(self) -> list[Tool]:
        """Return the tools as they are listed."""
        return [
            tool(self.propose_fix, "Propose a fix", WRITES_RECORDS),
            tool(self.fix_status, "Look at a fix", READS_RECORDS),
            tool(self.apply_fix, "Carry out a fix that a person approved", CHANGES_HOSTS),
        ]

    async def propose_fix(
        self,
        host: of.Host,
        remediation: of.Remediation,
        runbook: of.Runbook = "",
        parameters: of.Parameters = {},  # noqa: B006 - only read
        culprit: of.Culprit = "",
        *,
        reason: of.Reason = "",
        permanent_of: of.PermanentOf = "",
    ) -> Annotated[CallToolResult, FixAnswer]:
        """Ask for a fix that a diagnosis offers: the server diagnoses again and writes a plan (change, risk, undo) that another
        person decides on elsewhere; you cannot approve it. Changes no host. Not before the person wants it. Example:
        propose_fix(host="web01", remediation="raise_tasks_max")."""
        caller = self.context.caller()
        if permanent_of:
            given = [name for name, value in (("runbook", runbook), ("parameters", parameters), ("culprit", culprit)) if value]
            step = self.context.run(self._permanent, caller, permanent_of, (host, remediation), given, reason)
            return _to_result(await self.context.answer(caller, "persist", step))
        wish = {
            "host": host,
            "remediation": remediation,
            "runbook": runbook,
            "parameters": parameters,
            "culprit": culprit,
            "reason": reason,
        }

        def propose() -> FixJson:
            self.context.runner.names.require_form(host)
            return self.context.backend.propose(caller, wish)

        return _to_result(await self.context.answer(caller, "propose", self.context.run(propose)))

    def _permanent(self, caller: Caller, fix_id: str, wanted: tuple[str, str], given: list[str], reason: str) -> FixJson:
        """Propose the permanent step of a fix. Raises UsageError `other_fix`: host or remediation are another fix's."""
        plan = self.context.backend.show(caller, fix_id)["plan"] or {}
        is_of = (plan.get("host", ""), plan.get("remediation", ""))
        if is_of != wanted:
            raise UsageError(f"{fix_id} is {is_of[1]} on {is_of[0]}, not {wanted[1]} on {wanted[0]}", reason="other_fix")
        if given:
            raise UsageError(f"{', '.join(given)}: with permanent_of they are those of {fix_id}; leave them out", reason="usage")
        return self.context.backend.persist(caller, fix_id, reason)

    async def fix_status(self, fix_id: of.FixId) -> Annotated[CallToolResult, FixStateAnswer]:
        """Where a fix stands: waiting, approved, running, how it ended; its change, undo, expiry. Not more often than every 15 s.
        Example: fix_status(fix_id="F-1a2b3c4d")."""
        caller = self.context.caller()
        shown = self.context.run(self.context.backend.show, caller, fix_id)
        return _to_result(await self.context.answer(caller, "fix_status", shown))

    async def apply_fix(self, fix_id: of.FixId) -> Annotated[CallToolResult, FixStateAnswer]:
        """Carry out an approved fix, once: changes exactly what was approved, validates by fresh facts, undoes harm. Refused
        unless another person approved it elsewhere; not for asking that: fix_status. Example: apply_fix(fix_id="F-1a2b3c4d")."""
        caller = self.context.caller()
        return _to_result(await self.context.answer(caller, "apply", self.apply(caller, fix_id)))

    async def apply(self, caller: Caller, fix_id: str) -> FixJson:
        """Apply the fix and return it as the service shows it."""
        return await self.context.run(self.context.backend.apply, caller, fix_id)


def fix_answer(fix: FixJson) -> FixAnswer:
    """Return the answer of a fix. Where its stored plan was changed there is none to show, and nothing to do."""
    plan: Mapping[str, Any] = fix["plan"] or {}
    state = str(fix["state"])
    decide = (
        f"Another person than {plan.get('requester', 'the one who asked')} decides, outside of this conversation: "
        f"`triagebook fix show {fix['id']}` and `triagebook fix approve {fix['id']}` in a terminal, or Slack."
    )
    return FixAnswer(
        fix_id=fix["id"],
        state=state,
        waits_for_person=state == "proposed",
        host=plan.get("host", ""),
        runbook=f"{plan['runbook_id']}@{plan['runbook_version']}" if plan else "",
        remediation=plan.get("remediation", ""),
        risk=plan.get("risk", ""),
        can_be_undone=plan.get("undo") == "captured",
        requester=plan.get("requester", ""),
        approvals=fix["approvals"],
        expires_at=fix["expires_at"],
        digest=fix["digest"],
        next_actions=tuple(line.replace("{decide}", decide) for line in NEXT.get(state, OVER)),
        untrusted=_untrusted_of(fix, plan),
    )


def _to_result(fix: FixJson) -> CallToolResult:
    answer = fix_answer(fix)
    ours = "\n".join(_lines(answer))
    return result(answer, f"{ours}\n{fence(answer.untrusted, MAX_BYTES - len(ours.encode()) - 1)}")


def _lines(answer: FixAnswer) -> Iterator[str]:
    about = f"{answer.remediation} on {answer.host} by {answer.runbook}, risk {answer.risk}"
    yield f"{answer.fix_id} is {answer.state.upper()}: {about}"
    yield f"Undo: {'captured before the change' if answer.can_be_undone else 'NONE, it cannot be taken back'}"
    yield f"Asked by {answer.requester}; approvals {answer.approvals}; expires {answer.expires_at}"
    yield f"Digest: {answer.digest}"
    for action in answer.next_actions:
        yield f"Next: {action}"


def _untrusted_of(fix: FixJson, plan: Mapping[str, Any]) -> Untrusted:
    """Mark what others wrote: names of units and users are the host's, the reason is a stranger's, the outcome quotes the host."""

    def pairs() -> Iterator[tuple[str, object]]:
        yield "problem", fix["problem"]
        yield "outcome", fix["outcome"]
        for change in plan.get("changes", ()):
            yield "change", f"{change['what']}: {change['now']} -> {change['then']}"
        yield from (("command", line) for line in plan.get("commands", ()))
        yield from (("undo_command", line) for line in plan.get("undo_commands", ()))
        yield "because", plan.get("summary", "")
        yield "disruption", plan.get("disruption", "")
        yield "culprit", plan.get("culprit", "")
        yield "unverified_reason", plan.get("reason", "")
        yield from (("rests_on", f"{fact['id']} = {fact['value']}") for fact in plan.get("facts", ()))

    return mark_untrusted(pairs())
