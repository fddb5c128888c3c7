"""A real PostgreSQL of this machine's packages, for tests: on loopback, as an unprivileged user, ended by pid."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.hang import GUARD_S
from tests.ports import free_port


@dataclass(frozen=True)
class Server:
    """A running server; `url` of a database in it."""

    port: int
    password: str
    binaries: Path

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://triagebook:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, *, template: str = "template1") -> str:
        """Create a database and return its URL. It is empty, or a copy of `template`."""
        name = f"t{secrets.token_hex(6)}"
        conninfo = f"host=127.0.0.1 port={self.port} user=triagebook password={self.password} dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:  # a tenth of what the program `createdb` takes
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        return self.url(name)

    def tool(self, name: str, *arguments: str) -> str:
        """Run a client program of the server's version, as the server's superuser."""
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": self.password, "LC_ALL": "C"}
        connect = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "triagebook")
        argv = (str(self.binaries / name), *connect, *arguments)
        return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=GUARD_S).stdout


def binaries() -> Path | None:
    """Where initdb and postgres are, newest version first; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: -int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def unprivileged() -> dict[str, object]:
    """How to start it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("no unprivileged account to run PostgreSQL as")


@contextmanager
def running(*, is_durable: bool = False) -> Iterator[Server]:
    """A fresh server until the block ends; its files are removed. Tests need no synced disk, measurements do."""
    found = binaries()
    assert found is not None
    account = unprivileged()
    directory = Path(tempfile.mkdtemp(prefix="triagebook-pg-"))
    password = secrets.token_hex(16)
    (directory / "password").write_text(password)
    if account:
        for path in (directory, directory / "password"):
            os.chown(path, account["user"], account["group"])  # type: ignore[arg-type]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    start = {"cwd": directory, "env": environment, **account}
    initdb = (
        found / "initdb",
        "-D",
        "data",
        "-U",
        "triagebook",
        "--auth=scram-sha-256",
        "--pwfile=password",
        "-E",
        "UTF8",
    )
    subprocess.run(initdb, check=True, capture_output=True, timeout=GUARD_S, **start)  # type: ignore[call-overload]
    port = free_port()
    synced = () if is_durable else ("-c", "fsync=off")
    argv = (found / "postgres", "-D", "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", "", *synced)
    with (directory / "server.log").open("wb") as log:  # not a pipe: nobody would read it, and a full one stops every writer
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=log, **start)  # type: ignore[call-overload]
    try:
        _wait(process, port, directory / "server.log")
        yield Server(port, password, found)
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: its files are thrown away
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        shutil.rmtree(directory, ignore_errors=True)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + GUARD_S
    argv = (binaries() / "pg_isready", "-h", "127.0.0.1", "-p", str(port))  # type: ignore[operator]
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {log.read_text()[-500:]}")
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")
