"""Where the independent clients are, and how to run them beside a server of ours that is ended by its pid."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.command import ROOT
from tests.hang import GUARD_S
from tests.system.mcp import persons

CACHE = ROOT / ".cache" / "peers"
NODE = next(iter(sorted((CACHE / "node" / "node_modules").glob("node-linux-*/bin/node"))), None)
CONFORMANCE = CACHE / "node" / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = CACHE / "node" / "node_modules" / ".bin" / "mcp-inspector"
FASTMCP = CACHE / "fastmcp" / "bin" / "python"
NO_NODE = None if NODE and CONFORMANCE.exists() else "no conformance suite here (`make peers` installs it where npm is)"
NO_FASTMCP = None if (CACHE / "fastmcp" / ".installed").exists() else "no fastmcp here (`make peers` installs it)"


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """Our server for the suite; its address."""
    server = Path(__file__).with_name("conformance_server.py")
    with subprocess.Popen(
        [sys.executable, str(server), kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        finally:
            process.terminate()


def node(*arguments: str, timeout_s: float = GUARD_S, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a Node program with the Node of the cache."""
    assert NODE is not None
    path = f"{NODE.parent}:{os.environ['PATH']}"
    return subprocess.run(
        [str(NODE), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, "PATH": path, **env},
    )


def driven(socket: Path, asked: Mapping[str, Any], timeout_s: float = GUARD_S) -> tuple[dict[str, Any], dict[str, Any]]:
    """fastmcp's client goes from a verdict to a fix; another OS account approves in between. What it saw, and how it ended."""
    client = Path(__file__).with_name("fastmcp_client.py")
    command = [str(FASTMCP), str(client), json.dumps(asked)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert persons.approve(socket, first["fix"]["fix_id"], first["fix"]["digest"]) == 0
        rest, _ = process.communicate("go\n", timeout=timeout_s)
    return first, json.loads(rest)
