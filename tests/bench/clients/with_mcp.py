"""linux-mcp-server as an assistant's client calls it: start it, initialize, then the twelve calls of an ENOMEM case.

`python with_mcp.py SERVER_PROGRAM HOST`; its ssh_config and known_hosts are those of the home folder it is given. What the
assistant's model needs in between, and for a verdict, comes on top.
"""

import asyncio
import os
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters  # type: ignore[import-not-found,unused-ignore]
from mcp.client.stdio import stdio_client  # type: ignore[import-not-found,unused-ignore]

FILES = (
    "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/overcommit_ratio", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max",
    "/proc/sys/vm/max_map_count", "/proc/meminfo", "/proc/1/limits", "/proc/loadavg", "/proc/vmstat", "/proc/1/cgroup",
)  # fmt: skip


async def main() -> None:
    server = StdioServerParameters(command=sys.argv[1], args=[], env=dict(os.environ))
    calls: list[tuple[str, dict[str, Any]]] = [("get_memory_information", {}), ("list_processes", {})]
    calls += [("read_file", {"path": path}) for path in FILES]
    with open(os.devnull, "w") as quiet:
        async with stdio_client(server, errlog=quiet) as (reading, writing), ClientSession(reading, writing) as session:
            await session.initialize()
            for name, arguments in calls:
                result = await session.call_tool(name, {"host": sys.argv[2], **arguments})
                if result.isError:  # type: ignore[attr-defined] # mcp 1.x, in the environment of that peer
                    sys.exit(f"{name}: {result.content}")


asyncio.run(main())
