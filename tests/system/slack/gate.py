"""Slack as the product sees it in tests: a workspace behind a gate that keeps what was asked, fails on demand, tells what the
workspace does not know of users, user groups and metadata, and is the server of Socket Mode."""

import asyncio
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.hang import GUARD_S

from .workspace import Workspace

CALLED = threading.Condition()  # the product called Slack: who waits for what Slack shows looks again


@dataclass(frozen=True)
class Call:
    """One call of the Web API and its answer."""

    method: str
    values: dict[str, str]
    answer: dict[str, Any]
    status: int = 200


@dataclass
class Gate:
    """What the product's `api_url` leads to."""

    workspace: Workspace
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    is_down: bool = False
    failing: set[str] = field(default_factory=set)  # methods
    not_in: set[str] = field(default_factory=set)  # channels the bot is not in
    scopes: str = ""  # what Slack says of every token; neither workspace says it
    picky: bool = False  # takes no blocks
    limited: dict[str, int] = field(default_factory=dict)  # method -> seconds of Retry-After, once
    users: dict[str, dict[str, Any]] = field(default_factory=dict)  # user id -> members of users.info to replace
    lost: dict[str, int] = field(default_factory=dict)  # method -> how many answers never arrive, though it was done
    tags: dict[tuple[str, str], Any] = field(default_factory=dict)  # (channel, ts) -> metadata, which the emulator drops
    groups: dict[str, list[str]] = field(default_factory=dict)  # user group id -> user ids
    acknowledged: dict[str, Any] = field(default_factory=dict)  # envelope id -> payload
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _session: aiohttp.ClientSession | None = None

    def of(self, method: str) -> list[Call]:
        """The calls of a method that Slack took."""
        return [call for call in list(self.calls) if call.method == method and call.answer.get("ok")]

    def whispers(self, user: str) -> list[str]:
        """What this user alone was told, oldest first."""
        id_ = self.workspace.users[user]
        told = [call.values for call in [*self.of("chat.postEphemeral"), *self.of("chat.postMessage")]]
        return [values["text"] for values in told if values.get("user") == id_ or values.get("channel") == id_]

    def views(self) -> list[dict[str, Any]]:
        """Views as they were opened or updated, oldest first."""
        return [
            call.answer["view"] for call in list(self.calls) if call.method in {"views.open", "views.update"} and call.answer["ok"]
        ]

    @property
    def is_connected(self) -> bool:
        return any(not socket.closed for socket in self._sockets)

    def send(self, envelope: dict[str, Any]) -> None:
        """Over the newest WebSocket."""
        assert self._loop is not None
        socket = [socket for socket in self._sockets if not socket.closed][-1]
        asyncio.run_coroutine_threadsafe(socket.send_json(envelope), self._loop).result(GUARD_S)

    def forget_sockets(self) -> None:
        """Whoever held them is dead."""
        self._sockets.clear()

    def hang_up(self) -> None:
        """Close every WebSocket, as Slack does from time to time: it says so first."""
        assert self._loop is not None
        for socket in self._sockets:
            told = socket.send_json({"type": "disconnect", "reason": "refresh_requested"})
            asyncio.run_coroutine_threadsafe(told, self._loop).result(GUARD_S)
            asyncio.run_coroutine_threadsafe(socket.close(), self._loop).result(GUARD_S)

    async def api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body = await request.read()
        kind = request.headers.get("content-type", "")
        values = await _values(request, body, kind)
        if self.is_down:
            return self._kept(method, values, {"ok": False, "error": "service_unavailable"}, 503)
        if method in self.failing:
            return self._kept(method, values, {"ok": False, "error": "internal_error"}, 500)
        if values.get("channel") in self.not_in:
            return self._kept(method, values, {"ok": False, "error": "not_in_channel"})
        if self.picky and method == "blocks.validate":
            errors = [{"pointer": "/blocks/0", "code": "invalid", "message": "picky"}]
            return self._kept(method, values, {"ok": False, "error": "invalid_blocks", "errors": errors})
        if self.picky and "blocks" in values:
            return self._kept(method, values, {"ok": False, "error": "invalid_blocks"})
        if method in self.limited:
            after = self.limited.pop(method)
            answer = self._kept(method, values, {"ok": False, "error": "ratelimited"}, 429)
            answer.headers["Retry-After"] = str(after)
            return answer
        if method == "usergroups.users.list":
            users = self.groups.get(values.get("usergroup", ""))
            answer_ = {"ok": False, "error": "no_such_subteam"} if users is None else {"ok": True, "users": users}
            return self._kept(method, values, answer_)
        if method == "apps.connections.open":
            return self._kept(method, values, {"ok": True, "url": f"{self.url.replace('http', 'ws')}/link"})
        return await self._forwarded(method, values, request, body)

    async def _forwarded(self, method: str, values: dict[str, str], request: web.Request, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        passed = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        if request.method == "GET":  # which Slack takes and a workspace here does not
            body = urllib.parse.urlencode(values).encode()
            passed["content-type"] = "application/x-www-form-urlencoded"
        async with self._session.post(f"{self.workspace.url}/api/{method}", data=body, headers=passed) as answer:
            found = await answer.json()
        if method == "users.info" and found.get("ok"):
            found["user"] |= self.users.get(values.get("user", ""), {})
        if method == "chat.postMessage" and found.get("ok") and "metadata" in values:
            self.tags[found["channel"], found["ts"]] = json.loads(values["metadata"])
        for item in found.get("messages", ()):
            if values.get("include_all_metadata") in {"1", "true"} and (values["channel"], item["ts"]) in self.tags:
                item["metadata"] = self.tags[values["channel"], item["ts"]]
        if self.lost.get(method):
            self.lost[method] -= 1
            return self._kept(method, values, {"ok": False, "error": "fatal_error"}, 500)
        if "upload_url" in found:
            found["upload_url"] = found["upload_url"].replace(self.workspace.url, self.url)
        return self._kept(method, values, found)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        body = await request.read()
        passed = {"content-type": request.headers.get("content-type", "application/octet-stream")}
        async with self._session.post(f"{self.workspace.url}{request.path_qs}", data=body, headers=passed) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    async def link(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0TEST"}})
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                told = json.loads(message.data)
                self.acknowledged[told["envelope_id"]] = told.get("payload")
        return socket

    def _kept(self, method: str, values: dict[str, str], answer: dict[str, Any], status: int = 200) -> web.Response:
        with CALLED:
            self.calls.append(Call(method, values, answer, status))
            CALLED.notify_all()
        headers = {"x-oauth-scopes": self.scopes} if self.scopes else {}
        return web.json_response(answer, status=status, headers=headers)


async def _values(request: web.Request, body: bytes, kind: str) -> dict[str, str]:
    if kind.startswith("application/json"):
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in json.loads(body or b"{}").items()}
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(urllib.parse.parse_qsl(body.decode()))
    return dict(request.query)


@contextmanager
def running(workspace: Workspace) -> Iterator[Gate]:
    gate, started, stopping = Gate(workspace), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=4 << 20)
        app.router.add_route("*", "/api/{method}", gate.api)
        app.router.add_get("/link", gate.link)
        app.router.add_post("/{tail:.*}", gate.upload)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        gate.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        gate._loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as gate._session:
            started.set()
            await stopping.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(GUARD_S)
    try:
        yield gate
    finally:
        assert gate._loop is not None
        gate._loop.call_soon_threadsafe(stopping.set)
        thread.join(GUARD_S)
