"""Keeps one long call as a task: how far it is, what it waits for, how it ended. Wire names are those of SEP-2663."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolRequestParams, InputRequiredResult
from pydantic import BaseModel
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.times import rfc3339

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]
TTL_S = 3600
POLL_MS = 1000
Run = Callable[[], Awaitable[Any]]
Recheck = Callable[[], Awaitable[bool]]


@dataclass
class TaskRecord:
    """A call under way. `owner` is the account that made it: for anybody else the task does not exist."""

    owner: str
    params: CallToolRequestParams
    run: Run
    recheck: Recheck | None = None  # may it go on? Asked at each look, where something else than the client decides
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    status: Status = "working"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    requests: dict[str, Any] = field(default_factory=dict)
    responses: dict[str, Any] = field(default_factory=dict)
    state: str | None = None
    running: "asyncio.Task[Any] | None" = None

    def start(self) -> "asyncio.Task[Any]":
        """Start the call, from now on independent of the request that made it."""
        self._move("working")
        self.running = asyncio.create_task(self._run())
        return self.running

    def park(self, requests: Mapping[str, Any]) -> None:
        """Park the task until the client, or somebody else, has answered these requests."""
        self.requests = {key: _wire(value) for key, value in requests.items()}
        self._move("input_required")

    async def recheck_now(self) -> None:
        """Let a parked task go on once what it waits for has happened elsewhere."""
        if self.status == "input_required" and self.recheck is not None and await self.recheck():
            self.recheck, self.requests = None, {}
            self.start()

    def answer(self, responses: Mapping[str, Any]) -> None:
        """Take the client's answers; unknown keys are left alone. They never decide what the task waits for elsewhere."""
        for key in [key for key in responses if key in self.requests]:
            self.responses[key] = responses[key]
            if self.recheck is None:
                del self.requests[key]
        if self.status == "input_required" and not self.requests:
            self.params.input_responses, self.params.request_state = self.responses, self.state
            self.responses = {}
            self.start()

    def cancel(self) -> None:
        """Stop waiting for it. What a service already does to its end, it does to its end: the audit log has it."""
        if self.status in {"working", "input_required"}:
            self._move("cancelled")
            if self.running is not None:
                self.running.cancel()

    def as_wire(self) -> dict[str, Any]:
        """Return the members that every answer about the task has."""
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": rfc3339(self.created_at, "milliseconds"),
            "lastUpdatedAt": rfc3339(self.updated_at, "milliseconds"),
            "ttlMs": TTL_S * 1000,
            "pollIntervalMs": POLL_MS,
        }

    def detail(self) -> dict[str, Any]:
        """Return these members with the result, the error or the open requests."""
        found = {"resultType": "complete", **self.as_wire()}
        if self.status == "completed":
            found["result"] = self.result
        elif self.status == "failed":
            found["error"] = self.error
        elif self.status == "input_required":
            found["inputRequests"] = self.requests
        return found

    async def _run(self) -> Any:
        try:
            outcome = await self.run()
        except MCPError as error:
            self.error = {"code": error.error.code, "message": error.error.message}
            self._end("failed")
            raise
        except Exception:
            self.error = {"code": INTERNAL_ERROR, "message": "the call failed"}
            self._end("failed")
            raise
        if isinstance(outcome, InputRequiredResult):
            self.state = outcome.request_state
            self.park(outcome.input_requests or {})
        else:
            self.result = _wire(outcome)
            self._end("completed")
        return outcome

    def _end(self, status: Status) -> None:
        if self.status != "cancelled":
            self._move(status)

    def _move(self, status: Status) -> None:
        self.status, self.updated_at = status, datetime.now(UTC)


def _wire(value: Any) -> Any:
    return value.model_dump(by_alias=True, mode="json", exclude_none=True) if isinstance(value, BaseModel) else value
