"""What every tool shares: who calls, the services, and the one way a failure becomes an answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.mcp_server.diagnosing import DiagnosisRunner
from triagebook.tools.mcp_server.failures import tool_error
from triagebook.tools.mcp_server.gates import FixGateway, Who
from triagebook.tools.mcp_server.tokens import Caller

NAMES = frozenset({"host_name", "inventory", "no_inventory"})  # refused by the face: the services never hear of them
LOOKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
ASKS_HOSTS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
WRITES_DOWN = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
CHANGES_HOSTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
T = TypeVar("T")


@dataclass(frozen=True)
class Toolbox:
    """The parts."""

    who: Who
    diagnosing: DiagnosisRunner
    fixes: FixGateway

    async def run(self, function: Callable[..., T], *arguments: object, **named: object) -> T:
        """A service's own method on a thread."""
        return await anyio.to_thread.run_sync(partial(function, *arguments, **named))

    async def answer(self, caller: Caller, action: str, asked: Awaitable[T]) -> T:
        """The answer, or the failure as a ToolError. Names that the inventory refused are recorded."""
        try:
            return await asked
        except TriagebookError as error:
            if error.reason in NAMES:
                await self._note(caller, action, error)
            raise tool_error(error) from error

    async def _note(self, caller: Caller, action: str, error: TriagebookError) -> None:
        try:
            await self.run(self.fixes.note_refusal, caller, action, error.reason, safe_text(str(error), 300))
        except TriagebookError as failure:
            if failure.reason != "no_server":
                raise tool_error(failure) from failure


def tool(function: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    """A tool whose schema takes nothing but its arguments."""
    made = Tool.from_function(function, title=title, annotations=annotations, structured_output=True)
    made.description = " ".join(made.description.split())
    made.parameters["additionalProperties"] = False
    return made


def result(answer: Any, text: str) -> CallToolResult:
    """Structured content and its short text."""
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=to_plain(answer))
