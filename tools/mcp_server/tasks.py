"""Answers long calls as tasks (SEP-2663, `io.modelcontextprotocol/tasks`, revision 2026-07-28) to clients that declare them.

A call that is done soon is answered as ever. `apply_fix` of a fix that still waits for a person becomes a task that is
`input_required`: the request it shows is a courtesy, an answer to it decides nothing, and each look asks the service
whether a person has decided by now.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, InputRequiredResult, RequestParams
from mcp_types.jsonrpc import HEADER_MISMATCH
from pydantic import Field
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.mcp_server.auth import APPLY, Caller, GetCaller
from triagebook.tools.mcp_server.backend import FixBackend
from triagebook.tools.mcp_server.task_record import TTL_S, TaskRecord

IDENTIFIER = "io.modelcontextprotocol/tasks"
REVISIONS = frozenset({"2026-07-28"})
MOST_TASKS, MOST_OF_ONE = 1000, 50
Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True)
class TaskRule:
    """When a call of a tool becomes a task: after `after_s` seconds; with `is_required` always."""

    after_s: float
    is_required: bool = False
    asks_first: bool = False  # the rounds that gather input are answered as calls


RULES: Mapping[str, TaskRule] = MappingProxyType(
    {"diagnose": TaskRule(5.0), "diagnose_fleet": TaskRule(2.0), "apply_fix": TaskRule(1.0)}
)


class TaskParams(RequestParams):
    """Which task."""

    task_id: str = Field(alias="taskId", max_length=64)


class UpdateParams(TaskParams):
    """The client's answers, by the keys of `inputRequests`."""

    input_responses: dict[str, Any] = Field(default_factory=dict, alias="inputResponses")


class TaskExtension(Extension):
    """The extension of the server that hands out tasks and answers requests about them."""

    identifier = IDENTIFIER

    def __init__(self, caller: GetCaller, backend: FixBackend, rules: Mapping[str, TaskRule] = RULES) -> None:
        self._caller, self._backend, self._rules = caller, backend, rules
        self._tasks: OrderedDict[str, TaskRecord] = OrderedDict()

    def methods(self) -> Sequence[MethodBinding]:
        """`tasks/list` and `tasks/result` are gone in this revision."""
        return [
            MethodBinding("tasks/get", TaskParams, self._get, REVISIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, REVISIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, REVISIONS),
        ]

    async def intercept_tool_call(self, params: CallToolRequestParams, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Answer a call plainly, or by a task once it takes long."""
        rule = self._rules.get(params.name)
        if rule is None or ctx.protocol_version not in REVISIONS:
            return await call_next(ctx)
        if not _declares(ctx):
            if rule.is_required:
                require_client_extension(ctx, IDENTIFIER)
            return await call_next(ctx)
        if rule.asks_first and params.input_responses is None:
            return await call_next(ctx)
        caller = self._caller()
        task = TaskRecord(caller.key, params, partial(call_next, ctx))
        fix_id = await self._awaits_approval(caller, params)
        if fix_id:
            task.recheck = partial(self._is_decided, caller, fix_id)
            task.park(_notice(fix_id))
            return self._hand_out(task)
        running = task.start()
        if rule.after_s and await _is_done(running, rule.after_s):
            outcome = running.result()
            if not isinstance(outcome, InputRequiredResult):
                return outcome  # type: ignore[no-any-return]
        return self._hand_out(task)

    def _hand_out(self, task: TaskRecord) -> HandlerResult:
        now = datetime.now(UTC)
        for old in [old for old in self._tasks.values() if (now - old.created_at).total_seconds() > TTL_S]:
            old.cancel()
            del self._tasks[old.id]
        if len(self._tasks) >= MOST_TASKS or sum(other.owner == task.owner for other in self._tasks.values()) >= MOST_OF_ONE:
            task.cancel()
            raise MCPError(INVALID_PARAMS, "busy: too many tasks; wait for those under way")
        self._tasks[task.id] = task
        if task.running is not None:
            task.running.add_done_callback(_consume_exception)
        return {"resultType": "task", **task.as_wire(), "status": task.status if task.recheck else "working"}

    async def _get(self, ctx: Context, params: TaskParams) -> HandlerResult:
        task = self._find(ctx, params)
        await task.recheck_now()
        return task.detail()

    async def _cancel(self, ctx: Context, params: TaskParams) -> HandlerResult:
        self._find(ctx, params).cancel()
        return {"resultType": "complete"}

    async def _update(self, ctx: Context, params: UpdateParams) -> HandlerResult:
        self._find(ctx, params).answer(params.input_responses)
        return {"resultType": "complete"}

    def _find(self, ctx: Context, params: TaskParams) -> TaskRecord:
        require_client_extension(ctx, IDENTIFIER)
        named = getattr(ctx.request, "headers", {}).get("mcp-name", params.task_id)
        if named != params.task_id:
            raise MCPError(HEADER_MISMATCH, "Header Mcp-Name is not the task of the request")
        task = self._tasks.get(params.task_id)
        if task is None or task.owner != self._caller().key:
            raise MCPError(INVALID_PARAMS, "no such task", {"taskId": params.task_id[:64]})
        return task

    async def _awaits_approval(self, caller: Caller, params: CallToolRequestParams) -> str:
        """Return the id of the fix when all that `apply_fix` lacks is a person's decision, else an empty text."""
        given = params.arguments or {}
        fix_id = given.get("fix_id", "")
        if params.name != "apply_fix" or set(given) != {"fix_id"} or not isinstance(fix_id, str) or not caller.has_scope(APPLY):
            return ""
        return "" if await self._is_decided(caller, fix_id) else fix_id

    async def _is_decided(self, caller: Caller, fix_id: str) -> bool:
        try:
            fix = await anyio.to_thread.run_sync(self._backend.show, caller, fix_id)
        except TriagebookError:
            return True  # the call itself says why
        return bool(fix["state"] != "proposed")


def _notice(fix_id: str) -> dict[str, Any]:
    message = (
        f"{fix_id} waits for another person: `triagebook fix show {fix_id}` and `triagebook fix approve {fix_id}` in a terminal, "
        "or Slack. Whatever is answered here decides nothing."
    )
    params = {"mode": "form", "message": message, "requestedSchema": {"type": "object", "properties": {}}}
    return {"decision-elsewhere": {"method": "elicitation/create", "params": params}}


def _declares(ctx: Context) -> bool:
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and capabilities.extensions and IDENTIFIER in capabilities.extensions)


async def _is_done(running: "asyncio.Task[Any]", patience_s: float) -> bool:
    try:
        done, _ = await asyncio.wait({running}, timeout=patience_s)
    except asyncio.CancelledError:
        running.cancel()
        raise
    return bool(done)


def _consume_exception(running: "asyncio.Task[Any]") -> None:
    """Take the exception out of the asyncio task: it is in the task's record, and nobody else waits for it."""
    if not running.cancelled():
        running.exception()
