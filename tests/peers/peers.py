"""Where the independent clients are, and how to run them beside a server of ours that is ended by its pid."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import ROOT

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


def node(*arguments: str, timeout_s: float = 300, **env: str) -> "subprocess.CompletedProcess[str]":
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
