"""Sends prepared requests all at once, from a process of its own, and says how long each answer took.

Standard input: {"port", "path", "requests": [{"headers", "body"}]}; standard output: {"statuses", "seconds"}. Connections are
open before the clock starts, as Slack keeps them open.
"""

import asyncio
import json
import sys
import time
from typing import Any


async def main() -> None:
    asked = json.load(sys.stdin)
    ways = [await asyncio.open_connection("127.0.0.1", asked["port"]) for _ in asked["requests"]]
    messages = [_message(asked["path"], request) for request in asked["requests"]]
    answers = await asyncio.gather(*(_answered(way, message) for way, message in zip(ways, messages, strict=True)))
    for _reader, writer in ways:
        writer.close()
    json.dump({"statuses": [status for status, _ in answers], "seconds": [seconds for _, seconds in answers]}, sys.stdout)


async def _answered(way: tuple[asyncio.StreamReader, asyncio.StreamWriter], message: bytes) -> tuple[int, float]:
    reader, writer = way
    began = time.perf_counter()
    writer.write(message)
    line = await reader.readline()
    return int(line.split()[1]), time.perf_counter() - began


def _message(path: str, request: dict[str, Any]) -> bytes:
    body = request["body"].encode()
    headers = {**request["headers"], "host": "127.0.0.1", "content-length": str(len(body))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode() + body


asyncio.run(main())
