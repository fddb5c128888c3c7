"""fastmcp's client, another code base, drives the whole order over stdio. Its own virtual environment runs this file.

Its one argument is JSON: `command` and `environment` of the server, the host `diagnosed`, and what is asked for (`wish`).
It prints one JSON object a line, and waits for a line on standard input while a person decides.
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    asked = json.loads(sys.argv[1])
    transport = StdioTransport(command=asked["command"][0], args=asked["command"][1:], env=asked["environment"])
    async with Client(transport) as client:
        tools = sorted(tool.name for tool in await client.list_tools())
        verdict = await client.call_tool("diagnose", {"host": asked["diagnosed"]})
        prompt = await client.get_prompt("triage", {"host": asked["wish"]["host"], "symptom": "fork"})
        fix = await client.call_tool("propose_fix", asked["wish"])
        early = await client.call_tool("apply_fix", {"fix_id": fix.structured_content["fix_id"]}, raise_on_error=False)
        said = {"tools": tools, "status": verdict.structured_content["status"], "prompt": len(prompt.messages)}
        sys.stdout.write(json.dumps({**said, "early": early.content[0].text, "fix": fix.structured_content}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        done = await client.call_tool("apply_fix", {"fix_id": fix.structured_content["fix_id"]})
        sys.stdout.write(json.dumps(done.structured_content) + "\n")


asyncio.run(main())
