"""Offers the tools that look things up: the hosts and runbooks there are, and the audit log."""

from typing import Annotated, Any

from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.mcp_server import arguments as of
from triagebook.tools.mcp_server.answers import (
    AuditAnswer,
    AuditRowAnswer,
    HostAnswer,
    HostsAnswer,
    RunbookAnswer,
    RunbooksAnswer,
)
from triagebook.tools.mcp_server.brief import MAX_BYTES
from triagebook.tools.mcp_server.tool_context import READS_RECORDS, ToolContext, result, tool

PAGE = 50


@dataclass(frozen=True)
class LookupTools:
    """The tools that look things up. None of them asks a host."""

    context: ToolContext
    a_case: str = ""

    def tools(self) -> list[Tool]:
        """Return the tools as they are listed."""
        return [
            tool(self.list_hosts, "List hosts", READS_RECORDS),
            tool(self.list_runbooks, "List runbooks", READS_RECORDS),
            tool(self.search_audit, "Search the audit log", READS_RECORDS),
        ]

    async def list_hosts(self, offset: of.Offset = 0) -> Annotated[CallToolResult, HostsAnswer]:
        """Names of the Linux hosts and groups that the other tools take. Use it when a name is not known or refused, not before
        every diagnose. Example: list_hosts()."""
        caller, runner = self.context.caller(), self.context.runner

        def visible_hosts() -> list[HostAnswer]:
            inventory = runner.names.inventory
            allowed = [name for name in inventory.hosts if runner.permission.may_see(caller.actor, name, "")]
            return [HostAnswer(name, inventory.groups_of(name)) for name in allowed]

        found = await self.context.answer(caller, "list_hosts", self.context.run(visible_hosts))
        page = found[offset : offset + PAGE]
        following = offset + len(page) if offset + len(page) < len(found) else None
        to_try = f"replay:{self.a_case} is a recorded host, to try things out; nothing is contacted." if self.a_case else ""
        answer = HostsAnswer(tuple(page), len(found), following, to_try)
        lines = [f"{len(found)} hosts."]
        lines += [f"{host.name}{' (' + ', '.join(host.groups) + ')' if host.groups else ''}" for host in page]
        lines += [f"More from offset {following}."] if following is not None else []
        return result(answer, _cap([*lines, to_try]))

    async def list_runbooks(self) -> Annotated[CallToolResult, RunbooksAnswer]:
        """What each runbook can explain: its causes in order, its inputs, the fixes it may offer. Not needed before diagnose,
        which asks all. Example: list_runbooks()."""
        caller, catalog = self.context.caller(), self.context.runner.service.catalog

        def all_runbooks() -> tuple[RunbookAnswer, ...]:
            books = [catalog.load(entry.name) for entry in catalog.entries()]
            return tuple(
                RunbookAnswer(
                    name=book.name,
                    title=book.title,
                    inputs=tuple(book.inputs),
                    checks=tuple(check.id for check in book.checks),
                    remediations=tuple(book.remediations),
                    resource=f"runbook://{book.id}/{book.version}",
                )
                for book in books
            )

        answer = RunbooksAnswer(await self.context.answer(caller, "list_runbooks", self.context.run(all_runbooks)))
        lines = []
        for book in answer.runbooks:
            lines.append(f"{book.name}: {book.title}. Inputs: {', '.join(book.inputs)}. Checks: {', '.join(book.checks)}.")
            lines.append(f"  May offer: {', '.join(book.remediations)}. Definition: {book.resource}")
        return result(answer, _cap(lines))

    async def search_audit(
        self, host: of.MaybeHost = "", fix_id: of.MaybeFixId = "", person: of.Person = "", limit: of.Limit = 20
    ) -> Annotated[CallToolResult, AuditAnswer]:
        """Who asked, approved, refused or changed what, newest first. Not for what is wrong now: diagnose. A row's proof: resource
        audit://row/INDEX. Example: search_audit(host="web01")."""
        caller = self.context.caller()
        asked = self.context.run(self.context.backend.audit_list, caller, limit, fix=fix_id, host=host, person=person)
        rows: list[Any] = await self.context.answer(caller, "search_audit", asked)
        answer = AuditAnswer(tuple(map(_row, rows)), () if rows else ("Nothing that you may read matches.",))
        lines = [f"{len(rows)} rows, newest first."]
        for row in answer.rows:
            who = " as ".join(part for part in (row.person, row.account) if part) or "server"
            channel = f"({row.channel})" if row.channel else ""
            severity = row.severity if row.severity != "info" else ""
            said = (str(row.index), row.at, who, channel, row.action, row.outcome, row.reason, row.host, row.fix_id, severity)
            lines.append(" ".join(part for part in said if part))
        return result(answer, _cap([*lines, *answer.next_actions]))


def _row(row: Any) -> AuditRowAnswer:
    names = ("at", "action", "outcome", "reason", "account", "person", "channel", "host", "severity")
    same = {name: safe_text(str(row[name]), 200) for name in names}
    return AuditRowAnswer(**same, index=row["index"], fix_id=safe_text(row["fix"], 40))


def _cap(lines: list[str]) -> str:
    """Return whole lines within the cap; what was left out is counted."""
    kept: list[str] = []
    room = MAX_BYTES - 80
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            kept.append(f"... {len(lines) - number} lines left out; the structured answer has all.")
            break
        kept.append(line)
    return "\n".join(line for line in kept if line)
