"""Checks every call, read and prompt before it runs: its rate, its scope, and that the schema knows each argument.

A refusal here goes into the audit log like one of the services, under the account that the transport proved.
"""

import time
from collections.abc import Iterable
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, GetPromptResult, InputRequiredResult
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, UsageError
from triagebook.runbooks.engine.text import did_you_mean, safe_text
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.log import log_event
from triagebook.tools.mcp_server.auth import ACTION_OF, Caller, GetCaller, scope_of, scope_of_resource
from triagebook.tools.mcp_server.backend import FixBackend
from triagebook.tools.mcp_server.failures import refusal_text, tool_error

SILENT = frozenset({"no_server"})


class CheckedServer(MCPServer[Any]):
    """An MCP server that identifies and checks its caller before anything else."""

    def __init__(self, caller: GetCaller, backend: FixBackend, limits: RateLimits, tools: list[Tool], **settings: Any) -> None:
        super().__init__(tools=tools, **settings)
        self.caller, self._backend, self._limits = caller, backend, limits
        self._arguments = {tool.name: frozenset(tool.parameters.get("properties", {})) for tool in tools}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Check the call, then run it; log one line for each."""
        caller, started = self.caller(), time.monotonic()
        try:
            answer = await self._check_and_call(caller, name, arguments, context)
        except Exception as error:
            self._log_call(caller, name, started, error)
            raise
        self._log_call(caller, name, started, None)
        return answer

    def _log_call(self, caller: Caller, name: str, started: float, error: Exception | None) -> None:
        why = error.__cause__ if isinstance(error, ToolError) and error.__cause__ else error
        log_event(
            "mcp.call",
            tool=name if name in self._arguments else "unknown",
            account=str(caller.actor.account),
            outcome="ok" if error is None else "refused" if isinstance(why, TriagebookError) else "failed",
            reason=getattr(why, "reason", None),
            error=why,
            ms=(time.monotonic() - started) * 1000,
        )

    async def _check_and_call(
        self, caller: Caller, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None
    ) -> CallToolResult | InputRequiredResult:
        try:
            self._check(caller, scope_of(name))
            self._check_call(name, arguments)
        except TriagebookError as error:
            await self._note(caller, ACTION_OF.get(name, name), error)
            raise tool_error(error) from error
        return await super().call_tool(name, arguments, context)

    async def read_resource(
        self, uri: Any, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Check the read, then do it. Which hosts may be read is decided where they are read."""
        caller = self.caller()
        try:
            self._check(caller, scope_of_resource(str(uri)))
        except TriagebookError as error:
            await self._note(caller, "read", error)
            raise ResourceError(refusal_text(error.reason, str(error))) from error
        return await super().read_resource(uri, context)

    def take_rate(self) -> None:
        """Count a request that is neither a call nor a read. Raises RefusedError `rate_limit`."""
        self._limits.take(self.caller().key)

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Check the rate, then render the prompt."""
        self._limits.take(self.caller().key)
        return await super().get_prompt(name, arguments, context)

    def _check(self, caller: Caller, scope: str) -> None:
        self._limits.take(caller.key)
        if not caller.has_scope(scope):
            raise RefusedError(f"this token lacks the scope {scope}", reason="scope_missing")

    def _check_call(self, name: str, arguments: dict[str, Any]) -> None:
        known = self._arguments.get(name)
        if known is None:
            if self._tool_manager.get_tool(name) is not None:  # mounted later: its own schema decides
                return
            raise UsageError(f"no tool {safe_text(name, 60)!r}{did_you_mean(name[:60], self._arguments)}", reason="unknown_tool")
        for argument in arguments:
            if argument not in known:
                raise UsageError(f"{name} takes no argument {safe_text(argument, 60)!r}", reason="unknown_argument")

    async def _note(self, caller: Caller, action: str, error: TriagebookError) -> None:
        """Record a refusal in the audit log. Where there is none (no server), there is nothing to protect either."""
        if error.reason == "rate_limit" and not self._limits.is_news(caller.key):
            return
        known = action if action in self._arguments or action in {"read", *ACTION_OF.values()} else "read"
        try:
            await anyio.to_thread.run_sync(self._backend.note_refusal, caller, known, error.reason, str(error))
        except TriagebookError as failure:
            if failure.reason not in SILENT:
                raise ToolError(refusal_text(failure.reason, str(failure))) from failure
