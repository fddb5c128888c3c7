"""An MCP client of another code base: starts a server, lists its tools, makes calls, prints what a model would get as JSON.

Run by the Python of `.cache/peers/lms`. Its one line of standard input is
JSON: `command`, `environment`, `calls` (tool, arguments).
"""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

TIMEOUT = timedelta(seconds=120)  # of one call


async def main(asked: dict[str, Any], tools: list[Any], answers: list[dict[str, Any]]) -> None:
    server = StdioServerParameters(command=asked["command"][0], args=asked["command"][1:], env=asked["environment"])
    with open(os.devnull, "w") as quiet:
        async with stdio_client(server, errlog=quiet) as (reading, writing), ClientSession(reading, writing) as session:
            await session.initialize()
            listed = await session.list_tools()
            tools += [tool.model_dump(mode="json", exclude_none=True) for tool in listed.tools]
            for name, arguments in asked["calls"]:
                began = time.monotonic()
                try:
                    result = await session.call_tool(name, arguments, read_timeout_seconds=TIMEOUT)
                    text = "\n".join(part.text for part in result.content if part.type == "text")
                except Exception as error:  # noqa: BLE001 - what the client tells its model
                    text = f"{type(error).__name__}: {error}"
                answers.append({"text": text, "seconds": time.monotonic() - began})


given: dict[str, Any] = json.loads(sys.stdin.readline())
found: dict[str, list[Any]] = {"tools": [], "answers": []}
try:
    asyncio.run(main(given, found["tools"], found["answers"]))
except BaseException as end:  # noqa: BLE001 - the server's end, in whatever group the SDK wraps it
    lost = {"text": f"[the server has ended: {type(end).__name__}]", "seconds": 0.0}
    found["answers"] += [lost] * (len(given["calls"]) - len(found["answers"]))
sys.stdout.write(json.dumps(found))
