"""Offers the tools that ask hosts, `diagnose` and `diagnose_fleet`, and `get_diagnosis` for what their answer leaves out."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.mcp_server import arguments as of
from triagebook.tools.mcp_server.answers import DiagnosisAnswer, FleetAnswer, FleetFailure, FleetGroup, FleetHost, SectionAnswer
from triagebook.tools.mcp_server.brief import MAX_BYTES, answer_of, section_of, text_of, uri_of
from triagebook.tools.mcp_server.diagnosis_runner import LAST, Tell
from triagebook.tools.mcp_server.tool_context import READS_HOSTS, READS_RECORDS, ToolContext, result, tool
from triagebook.tools.mcp_server.untrusted import fence, mark_untrusted

ORDER = ("unreachable", "inconclusive", "cause_found", "warning", "healthy")
PAGE = 20
SHOWN = 12  # names of a group in the text


@dataclass(frozen=True)
class DiagnoseTools:
    """The tools that diagnose. None of them changes a host."""

    context: ToolContext

    def tools(self) -> list[Tool]:
        """Return the tools as they are listed."""
        return [
            self.context.declare_blocks(tool(self.diagnose, "Diagnose a host", READS_HOSTS)),
            self.context.declare_blocks(tool(self.diagnose_fleet, "Diagnose many hosts", READS_HOSTS)),
            self.context.declare_blocks(tool(self.get_diagnosis, "Read a diagnosis again, or more of it", READS_RECORDS)),
        ]

    async def diagnose(
        self,
        ctx: Context[Any, Any],
        host: of.Host,
        *,
        runbook: of.Runbook = "",
        symptom: of.Symptom = "",
        unit: of.Unit = "",
        user: of.User = "",
        pid: of.Pid = 0,
    ) -> Annotated[CallToolResult, DiagnosisAnswer]:
        """Why a Linux host fails with "fork: retry", "Cannot allocate memory", "Killed" or "Too many open files": one SSH login,
        one verdict with culprit, limit, evidence, causes ruled out and not judged (never fine). Use it first, instead of
        commands; not to read one again: get_diagnosis. Example: diagnose(host="web01", symptom="fork: retry: Resource
        temporarily unavailable")."""
        caller = self.context.caller()
        inputs = _inputs(symptom=symptom, unit=unit, user=user, pid=pid)
        asked = self.context.runner.diagnose(caller, host, runbook, inputs, _tell(ctx, LAST))
        found = await self.context.answer(caller, "diagnose", asked)
        answer = answer_of(found)
        return result(answer, text_of(answer), self.context.meta(lambda cards, user: cards.of_answer(found, user)))

    async def diagnose_fleet(
        self, ctx: Context[Any, Any], hosts: of.Hosts, runbook: of.Runbook = "", symptom: of.Symptom = ""
    ) -> Annotated[CallToolResult, FleetAnswer]:
        """Diagnose up to 64 hosts at once, grouped by verdict, worst first; those not reached stand apart. For "which hosts have
        it?"; not for one host: diagnose. Example: diagnose_fleet(hosts=["group:web"])."""
        caller = self.context.caller()

        async def resolve() -> tuple[str, ...]:
            runner = self.context.runner
            return await self.context.run(runner.names.resolve, hosts, runner.sight(caller))

        names = await self.context.answer(caller, "diagnose_fleet", resolve())
        tell, done = _tell(ctx, len(names)), 0

        async def silent(_step: int, _says: str) -> None:
            return

        async def one(name: str) -> Found | TriagebookError:
            nonlocal done
            try:
                return await self.context.runner.diagnose(caller, name, runbook, _inputs(symptom=symptom), silent)
            except TriagebookError as error:
                return error
            finally:
                done += 1
                await tell(done, "hosts done")

        found = await asyncio.gather(*(one(name) for name in names))
        answer = _fleet(names, found)
        by_host = dict(zip(names, found, strict=True))
        return result(answer, _fleet_text(answer), self.context.meta(lambda cards, user: cards.of_fleet(by_host, user)))

    async def get_diagnosis(
        self, diagnosis_id: of.DiagnosisId, section: of.SectionName = "brief", offset: of.Offset = 0, limit: of.Limit = PAGE
    ) -> Annotated[CallToolResult, SectionAnswer]:
        """More of a kept diagnosis, a page at a time; no host is asked. Not for how the host is now: diagnose. Example:
        get_diagnosis(diagnosis_id="...", section="fixes")."""
        caller = self.context.caller()
        kept = await self.context.answer(caller, "get_diagnosis", self.context.runner.load(caller, diagnosis_id))
        found = diagnoses_of(kept)[0]
        items = section_of(found, section)
        page = items[offset : offset + limit]
        shown = mark_untrusted(page, most=limit)
        following = offset + len(page) if offset + len(page) < len(items) else None
        answer = SectionAnswer(kept.id, found.host.name, section, len(items), following, shown)
        if section == "brief":
            return result(answer, text_of(answer_of(kept)), self.context.meta(lambda cards, user: cards.of_answer(kept, user)))
        more = f" The next page begins at offset {following}." if following is not None else ""
        head = f"{section} of {kept.id} on {found.host.name}: {len(page)} of {len(items)} lines.{more} Everything: {uri_of(kept)}"
        return result(answer, f"{head}\n{fence(shown, MAX_BYTES - len(head) - 1)}")


def _inputs(**given: object) -> Mapping[str, object]:
    return {name: value for name, value in given.items() if value}


def _tell(ctx: Context[Any, Any], total: int) -> Tell:
    async def tell(step: int, says: str) -> None:
        with suppress(Exception):  # a client that hung up hears nothing; the run goes on for whoever joined it
            await ctx.report_progress(step, total, says)

    return tell


def _fleet(names: Sequence[str], found: Sequence[Found | TriagebookError]) -> FleetAnswer:
    groups: dict[tuple[str, str, str], list[FleetHost]] = {}
    failures: dict[str, list[str]] = {}
    for name, item in zip(names, found, strict=True):
        if isinstance(item, TriagebookError):
            failures.setdefault(item.reason, []).append(name)
            continue
        verdict = item.verdict
        outcome = diagnoses_of(item)[0].login.outcome if item.status == "unreachable" else ""
        key = (item.status, verdict.cause if verdict else outcome, verdict.active if verdict else "")
        groups.setdefault(key, []).append(FleetHost(name, item.id))
    ordered = sorted(groups.items(), key=lambda pair: (ORDER.index(pair[0][0]), pair[0]))
    actions = ["Say what could not be judged or reached; never count it as fine."] if _is_unclear(groups, failures) else []
    if any(status in {"cause_found", "warning"} for status, _, _ in groups):
        actions.append("get_diagnosis for one host of each group, and explain it.")
    return FleetAnswer(
        asked=len(names),
        groups=tuple(FleetGroup(*key, len(members), tuple(members)) for key, members in ordered),
        failures=tuple(FleetFailure(reason, tuple(members)) for reason, members in sorted(failures.items())),
        next_actions=tuple(actions),
    )


def _is_unclear(groups: Mapping[tuple[str, str, str], object], failures: Mapping[str, object]) -> bool:
    return bool(failures) or any(status in {"unreachable", "inconclusive"} for status, _, _ in groups)


def _fleet_text(answer: FleetAnswer) -> str:
    lines = [f"{answer.asked} hosts asked."]
    for group in answer.groups:
        what = " ".join(part for part in (group.cause, group.active) if part)
        names = ", ".join(f"{host.host} ({host.diagnosis_id})" for host in group.hosts[:SHOWN])
        more = f" and {group.count - SHOWN} more" if group.count > SHOWN else ""
        lines.append(f"{group.count} {group.status.upper()}{' ' + what if what else ''}: {names}{more}")
    lines += [f"{len(item.hosts)} NOT ASKED [{item.reason}]: {', '.join(item.hosts[:SHOWN])}" for item in answer.failures]
    lines += [f"Next: {action}" for action in answer.next_actions]
    text = "\n".join(lines)
    return text if len(text) <= MAX_BYTES else text[: MAX_BYTES - 40] + "\n... cut; the structured answer has all."
