"""Measured, not promised: one host on loopback through a warm server beside the command line's own time, fifty calls at once,
the memory of the idle server, the time from start to the first answer. Run as a program it prints one JSON object.
"""

import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[3]))
from mcp import Client, StdioServerParameters

from tests import sshd
from tests.command import ROOT, Triagebook
from tests.system.mcp import persons

ROUNDS = 7
PEER = ROOT / ".cache" / "peers" / "lms" / "bin" / "linux-mcp-server"
FLEET = 50
RUNBOOK = "enomem"  # all five look twice, two seconds apart, where a listener once refused a connection


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def first_answer(command: list[str], environment: dict[str, str], tool: str, arguments: dict[str, Any]) -> float:
    """Seconds from starting the process to the first tool's answer."""

    async def main() -> float:
        begun = time.perf_counter()
        async with Client(StdioServerParameters(command=command[0], args=command[1:], env=environment)) as client:
            answer = await client.call_tool(tool, arguments)
            took = time.perf_counter() - begun
        assert not answer.is_error, answer
        return took

    return anyio.run(main)


def beside_the_peer(directory: Path, config: Path, ours: list[str], environment: dict[str, str], rounds: int) -> dict[str, Any]:
    """Start to first answer, ours and linux-mcp-server's in turn, where that is installed."""
    (directory / "home" / ".ssh").mkdir(mode=0o700, exist_ok=True)
    (directory / "home" / ".ssh" / "config").write_text(config.read_text())
    known = config.read_text().partition("UserKnownHostsFile ")[2].split()[0]
    (directory / "home" / ".ssh" / "known_hosts").write_text(Path(known).read_text())  # the peer reads no other
    own, peer = [], []
    for _ in range(rounds):
        own.append(first_answer(ours, environment, "diagnose", {"host": "box", "runbook": RUNBOOK}))
        if PEER.exists():
            peer.append(first_answer([str(PEER)], environment, "get_memory_information", {"host": "box"}))
    return {"first_answer_s": round(min(own), 2), "peer_first_answer_s": round(min(peer), 2) if peer else None}


async def compared(client: Client, command_line: Triagebook, config: str, rounds: int) -> tuple[list[float], list[float]]:
    """Wall time of a call and the command line's own collect time, in turn, in milliseconds.

    A round counts where one sample was enough on both sides: the pause before a second one would hide the difference.
    """
    through: list[float] = []
    own: list[float] = []
    for _ in range(rounds * 4):
        begun = time.perf_counter()
        answer = await client.call_tool("diagnose", {"host": "box", "runbook": RUNBOOK})
        took = (time.perf_counter() - begun) * 1000
        assert not answer.is_error, answer
        run = await anyio.to_thread.run_sync(lambda: command_line("diagnose", "box", "-F", config, "--json", "-r", RUNBOOK))
        (line,) = run.json()
        if answer.structured_content["samples"] == len(line["samples"]) == 1:
            through.append(took)
            own.append(line["timings_ms"]["collect"])
        if len(own) == rounds:
            break
    return through, own


def measured(directory: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """All figures of one run; the two that are compared take turns."""
    environment = persons.home(directory)
    with sshd.ground() as place, place.sshd({"MaxStartups": "200", "MaxSessions": "200"}) as box:
        names = [f"box{number:02}" for number in range(FLEET)]
        config = directory / "ssh_config"
        config.write_text("Host box*\n" + box.config.read_text().partition("\n")[2])
        inventory = directory / "inventory.yaml"
        inventory.write_text(f"hosts: [{', '.join(['box', *names])}]\n")
        options = ["mcp", "-F", str(config), "--inventory", str(inventory)]
        command_line = Triagebook(directory / "home")

        async def main() -> dict[str, Any]:
            async with AsyncExitStack() as stack:
                before = children()
                parameters = StdioServerParameters(
                    command=persons.COMMAND[0], args=[*persons.COMMAND[1:], *options], env=environment
                )
                client = await stack.enter_async_context(Client(parameters))
                await client.call_tool("list_hosts", {})
                (pid,) = children() - before
                found: dict[str, Any] = {"idle_mb": rss_mb(pid)}
                await client.call_tool("diagnose", {"host": "box"})
                through, own = await compared(client, command_line, str(config), rounds)
                found |= {"through_ms": round(min(through)), "own_ms": round(min(own)), "pairs": len(own)}
                slowest = 0.0

                async def ask(name: str) -> None:
                    reply = await client.call_tool("diagnose", {"host": name})
                    assert not reply.is_error, reply

                begun = time.perf_counter()
                async with anyio.create_task_group() as group:
                    for name in names:
                        group.start_soon(ask, name)
                    for _ in range(10):
                        asked = time.perf_counter()
                        await client.call_tool("list_hosts", {})
                        slowest = max(slowest, time.perf_counter() - asked)
                        await anyio.sleep(0.1)
                found |= {"fifty_s": round(time.perf_counter() - begun, 2), "other_call_meanwhile_ms": round(slowest * 1000)}
                found["after_fifty_mb"] = rss_mb(pid)
            return found

        found = anyio.run(main)
        ours = [*persons.COMMAND, *options]
        found |= beside_the_peer(directory, config, ours, environment, min(2, rounds))
    return found


if __name__ == "__main__":
    import tempfile

    sys.stdout.write(json.dumps(measured(Path(tempfile.mkdtemp(prefix="triagebook-measure-")))) + "\n")
