"""asyncssh, many hosts in one loop: connect and run every command. `python with_asyncssh.py TASK`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncssh


async def visit(task: dict[str, Any], key: Any, known: Any, gate: asyncio.Semaphore, address: str, port: int) -> int:
    async with gate, asyncssh.connect(
        address, port, username=task["user"], client_keys=[key], known_hosts=known, agent_path=None, config=None, gss_host=None,
        login_timeout=300,
    ) as connection:  # fmt: skip
        return sum([len((await connection.run(command, encoding=None)).stdout or b"") for command in task["commands"]])


async def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    key, known = asyncssh.read_private_key(task["key"]), asyncssh.read_known_hosts(task["known_hosts"])
    gate = asyncio.Semaphore(task["workers"])
    received = await asyncio.gather(*(visit(task, key, known, gate, *host) for host in task["hosts"]))
    sys.exit(0 if all(received) else 1)


asyncio.run(main())
