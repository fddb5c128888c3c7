"""Gives every tool its caller, the services, and the one way in which a failure becomes an answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.mcp_server.auth import Caller, GetCaller
from triagebook.tools.mcp_server.backend import FixBackend
from triagebook.tools.mcp_server.diagnosis_runner import DiagnosisRunner
from triagebook.tools.mcp_server.failures import tool_error
from triagebook.tools.mcp_server.native_blocks import DRAWS_BLOCKS, Blocks, Cards, NativeBlocks
from triagebook.tools.mcp_server.tool_schema import slim_schema

NAME_REASONS = frozenset({"host_name", "inventory", "no_inventory"})  # refused by the face: the services never hear of them
READS_RECORDS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
READS_HOSTS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
WRITES_RECORDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
CHANGES_HOSTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
T = TypeVar("T")


@dataclass(frozen=True)
class ToolContext:
    """The parts of the server that a tool calls."""

    caller: GetCaller
    runner: DiagnosisRunner
    backend: FixBackend
    blocks: NativeBlocks | None = None  # for a client that draws them

    def meta(self, draw: Callable[[Cards, str], Blocks]) -> dict[str, Any] | None:
        """Return the `_meta` of a result: its blocks, where the client of this request draws them."""
        return self.blocks.meta(draw) if self.blocks is not None else None

    def declare_blocks(self, made: Tool) -> Tool:
        """Return a tool as one whose results may have blocks, where this server makes any."""
        return made.model_copy(update={"meta": dict(DRAWS_BLOCKS)}) if self.blocks is not None else made

    async def run(self, function: Callable[..., T], *arguments: object, **named: object) -> T:
        """Run a synchronous method of a service on a thread."""
        return await anyio.to_thread.run_sync(partial(function, *arguments, **named))

    async def answer(self, caller: Caller, action: str, asked: Awaitable[T]) -> T:
        """Return the answer, or raise the failure as a ToolError. Names that the inventory refused are recorded."""
        try:
            return await asked
        except TriagebookError as error:
            if error.reason in NAME_REASONS and not isinstance(error, RefusedError):  # the service records what it refuses
                await self._note(caller, action, error)
            raise tool_error(error) from error

    async def _note(self, caller: Caller, action: str, error: TriagebookError) -> None:
        try:
            await self.run(self.backend.note_refusal, caller, action, error.reason, safe_text(str(error), 300))
        except TriagebookError as failure:
            if failure.reason != "no_server":
                raise tool_error(failure) from failure


def tool(function: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    """Make a tool whose schema takes nothing but its arguments."""
    made = Tool.from_function(function, title=title, annotations=annotations, structured_output=True)
    made.description = " ".join(made.description.split())
    made.parameters = {**slim_schema(made.parameters), "additionalProperties": False}
    made.fn_metadata.output_schema = slim_schema(made.fn_metadata.output_schema or {})
    return made


def result(answer: Any, text: str, meta: dict[str, Any] | None = None) -> CallToolResult:
    """Return structured content with its short text."""
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=to_plain(answer), _meta=meta)
