"""Measures a server on a long audit log: start, memory, whole verification; and appends with and without checkpoints.

`python -m tests.attacks.measure_log build FOLDER 1000000` writes the log (minutes), `... start sqlite|postgresql FOLDER` starts a
server on it, `... append sqlite|postgresql` appends for ten seconds each.
"""

import os
import pwd
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.server.keys import open_keys
from triagebook.tools.server.run import origin_of
from triagebook.tools.store import audit_rows
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import open_store

from tests import postgres
from tests.attacks.long_log import copy, extend
from tests.databases import open_current
from tests.system.fixes import policies, samples
from tests.system.fixes.server import Server, Starter

TICKS = os.sysconf("SC_CLK_TCK")
APPEND_S = 10.0
IDLE_S = 2.0


@dataclass(frozen=True)
class Cost:
    """What one step took of the server: wall time, its CPU time, the most memory it ever had."""

    wall_s: float
    cpu_s: float
    most_mib: float

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s, {self.cpu_s:.2f} s of CPU, at most {self.most_mib:.0f} MiB"


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a durable database of this kind; empty for the server's own SQLite."""
    if kind == "sqlite":
        yield ""
        return
    with postgres.running(is_durable=True) as server:
        yield server.new_database()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def most_mib(pid: int) -> float:
    """The most memory that a process had, of its own and shared."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def build_to(folder: Path, rows: int) -> None:
    """Let a server make its keys and its SQLite database in a folder, and continue its log up to so many rows."""
    starter = Starter(folder)
    if not (folder / "data").exists():
        folder.mkdir(parents=True, exist_ok=True)
        first = starter.start(**_asked(folder, ""))
        assert first.said == "ready", first.said
        starter.end()
    data = folder / "data"
    url = f"sqlite:///{data / 'triagebook.db'}"
    keys = open_keys(data / "keys")
    store = open_store(url)
    with store.read() as transaction:
        there = audit_rows.read_head(transaction).edge.size
    store.close()
    if there < rows:
        extend(url, keys.audit, origin_of(keys), data / "checkpoints.jsonl", rows - there)


def start_on(kind: str, folder: Path) -> dict[str, Cost]:
    """Start a server on the log of a folder, let it verify the log beside the work, and ask it to verify all of it.

    For PostgreSQL the rows of the SQLite database are copied first.
    """
    starter = Starter(folder)
    with database(kind) as url:
        if url:
            open_current(url)
            copy(f"sqlite:///{folder / 'data' / 'triagebook.db'}", url)
        try:
            return _measure(starter, _asked(folder, url))
        finally:
            starter.end()


def _asked(folder: Path, url: str) -> dict[str, str]:
    """The options of the server: this account is dan, who may read the log."""
    policy = folder / "policy.yaml"
    policy.write_text(policies.TEXT.replace("{os: dan}", f"{{os: {pwd.getpwuid(os.geteuid()).pw_name}}}"))
    policy.chmod(0o644)
    return {"policy": str(policy), "database": url}


def _measure(starter: Starter, asked: dict[str, str]) -> dict[str, Cost]:
    costs = {}
    began = time.monotonic()
    server = starter.start(**asked)
    assert server.said == "ready", server.said
    costs["start"] = _cost(server, began, 0.0)
    _wait_until_idle(server.process.pid)
    costs["verification beside the work"] = _cost(server, began, 0.0)
    before, began = cpu_s(server.process.pid), time.monotonic()
    report = server.ask("audit_verify")
    assert report["holds"], report
    costs["audit verify"] = _cost(server, began, before)
    return costs


def _wait_until_idle(pid: int) -> None:
    """Wait until a process computes no more: threads of Python have no name that other processes see."""
    before = -1.0
    while (now := cpu_s(pid)) - before > 0.1 * IDLE_S:
        before = now
        time.sleep(IDLE_S)


def _cost(server: Server, began: float, cpu_before: float) -> Cost:
    pid = server.process.pid
    return Cost(time.monotonic() - began, cpu_s(pid) - cpu_before, most_mib(pid))


def append_rate(kind: str, *, publishes: bool, processes: int = 2, seconds: float = APPEND_S) -> str:
    """Append from several processes at once for some seconds; rows a second of all, longest stall, CPU a row."""
    folder = Path(tempfile.mkdtemp(prefix="triagebook-append-"))
    with database(kind) as url:
        where = url or f"sqlite:///{folder / 'triagebook.db'}"
        open_current(where)
        children = []
        for number in range(processes):
            read, write = os.pipe()
            child = os.fork()
            if not child:
                os.close(read)
                count, longest, cpu = _append(where, folder / f"anchor-{number}", publishes=publishes, seconds=seconds)
                os.write(write, f"{count} {longest} {cpu}".encode())
                os._exit(0)
            os.close(write)
            children.append((child, read))
        counts = []
        for child, read in children:
            with open(read) as pipe:
                counts.append([float(word) for word in pipe.read().split()])
            os.waitpid(child, 0)
    rows, longest = sum(row[0] for row in counts), max(row[1] for row in counts)
    cpu_ms = 1000 * sum(row[2] for row in counts) / rows
    return f"{rows / seconds:.0f} a second, longest stall {longest:.2f} s, {cpu_ms:.2f} ms of CPU a row"


def _append(url: str, anchor: Path, *, publishes: bool, seconds: float) -> tuple[int, float, float]:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    store = open_store(url, row_key=row_key_of(key))
    checkpointer = Checkpointer(store, key, "triagebook.example", [FileAnchor(anchor)], lambda: samples.NOW)
    if publishes:
        checkpointer.join()
        checkpointer.start()
    detail = {"id": "D-00000001", "status": "cause_found", "cause": "pids_cgroup"}
    event = AuditEvent(
        at=samples.NOW, action="diagnose", outcome="ok", host="web-01", account="os:ann", person="ann", detail=detail
    )
    count, longest, before = 0, 0.0, time.process_time()
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        with store.write() as transaction:
            audit_rows.append(transaction, event)
        if publishes:
            checkpointer.publish()
        longest, count = max(longest, time.monotonic() - began), count + 1
    return count, longest, time.process_time() - before


def main() -> None:
    """Print what was measured."""
    what, kind, *rest = sys.argv[1:]
    if what == "build":
        build_to(Path(kind), int(rest[0]))
    elif what == "start":
        for name, cost in start_on(kind, Path(rest[0])).items():
            sys.stdout.write(f"{kind}, {name}: {cost}\n")
    else:
        for publishes in (True, False):
            words = "with" if publishes else "without"
            sys.stdout.write(f"{kind}, {words} a checkpoint each: {append_rate(kind, publishes=publishes)}\n")


if __name__ == "__main__":
    main()
