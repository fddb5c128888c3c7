"""Servers that misbehave, and other makes of SSH server, on loopback."""

import asyncio
import contextlib
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import paramiko  # type: ignore[import-untyped]
from triagebook.tools.transport.base import HostProcess

from tests.hang import GUARD_S
from tests.sshd import Ground, await_port, end, free_port, public

LOOPBACK = "127.0.0.1"


def write_config(place: Ground, port: int, folder: Path, host_key: Path | None = None) -> Path:
    """An ssh_config in which `box` is that port, with one key and a known_hosts that has `host_key`."""
    known = folder / "known_hosts"
    known.write_text(f"[{LOOPBACK}]:{port} {public(host_key or place.host_key())}\n")
    config = folder / "ssh_config"
    config.write_text(
        f"Host box\n  HostName {LOOPBACK}\n  Port {port}\n  User {place.user}\n  IdentityFile {place.user_key}\n"
        f"  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
    )
    return config


def more(process: HostProcess) -> bytes:
    """The next bytes of its output. Fails where the output has ended: who waits in a loop would wait for ever."""
    piece = process.read(GUARD_S)
    assert piece, f"the output ended: {process.finish(GUARD_S)}"
    return piece


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where every connection is given to `handle` and closed after it."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    threading.Thread(target=_handled, args=(handle, connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _handled(handle: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        handle(connection)


def drained(connection: socket.socket) -> bytes:
    """Everything that comes until the other side closes."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def silent(connection: socket.socket) -> None:
    """Takes the connection and says nothing."""
    drained(connection)


def closing(connection: socket.socket) -> None:
    """What a sshd that cannot fork does."""


def resetting(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def saying(text: bytes, *, then: Callable[[socket.socket], None] = closing) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.sendall(text)
        then(connection)

    return handle


class Relay:
    """A TCP relay that keeps what the client sent, and may put a packet into the host's side of the key exchange."""

    def __init__(self, port: int, *, inject: bytes = b"", is_first: bool = False) -> None:
        self._port, self._inject, self._is_first = port, inject, is_first
        self.sent: list[bytes] = []
        self.is_over = threading.Event()  # the last connection has ended, all of it is in `sent`

    def __call__(self, client: socket.socket) -> None:
        self.is_over.clear()
        with socket.create_connection((LOOPBACK, self._port)) as server:
            back = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            back.start()
            self.pump(client, server, self.sent.append)
            back.join(GUARD_S)
        self.is_over.set()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        if self._inject:
            with contextlib.suppress(OSError):
                client.sendall(_line(server))
                kexinit = b"" if self._is_first else _packet(server)
                client.sendall(kexinit + self._inject)
        self.pump(server, client, len)

    @staticmethod
    def pump(source: Any, sink: Any, keep: Callable[[bytes], object]) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                keep(piece)
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _line(source: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += source.recv(1)
    return line


def _packet(source: socket.socket) -> bytes:
    length = source.recv(4, socket.MSG_WAITALL)
    return length + source.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)


class _Server(asyncssh.SSHServer):
    """Takes any key; `cuts` says when it breaks the connection."""

    def __init__(self, cuts: str) -> None:
        self._cuts = cuts

    def connection_made(self, conn: Any) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if self._cuts == "auth":
            self._connection.abort()
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: Any) -> bool:
        return True

    def auth_completed(self) -> None:
        if self._cuts == "session":
            self._connection.abort()


async def _process(process: Any) -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_shell(process.command, stdin=pipe, stdout=pipe)
    assert child.stdin
    assert child.stdout
    feeding = asyncio.create_task(_feed(process.stdin, child.stdin))
    while data := await child.stdout.read(65536):
        process.stdout.write(data)
    process.exit(await child.wait())
    feeding.cancel()


async def _feed(source: Any, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


async def _closed(server: Any) -> None:
    server.close()
    await server.wait_closed()


@contextlib.contextmanager
def asyncssh_server(place: Ground, *, cuts: str = "", **options: Any) -> Iterator[int]:
    """asyncssh's server, in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    async def create() -> Any:
        return await asyncssh.create_server(
            lambda: _Server(cuts),
            LOOPBACK,
            0,
            server_host_keys=[str(place.host_key())],
            process_factory=_process,
            encoding=None,
            **options,
        )

    server = run(create())
    try:
        yield server.get_port()
    finally:
        run(_closed(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(GUARD_S)


class _ParamikoServer(paramiko.ServerInterface):  # type: ignore[misc]
    """Lets every key in and runs what is asked."""

    def check_auth_publickey(self, username: str, key: object) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command), daemon=True).start()
        return True


def _run(channel: Any, command: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(["/bin/sh", "-c", command], stdin=theirs.fileno(), stdout=theirs.fileno())
        threading.Thread(target=Relay.pump, args=(channel, ours, len), daemon=True).start()
        theirs.close()
        Relay.pump(ours, channel, len)
        channel.send_exit_status(child.wait())
        channel.close()


@contextlib.contextmanager
def paramiko_server(place: Ground, *, first_channel: int = 0, signs_with: Path | None = None) -> Iterator[int]:
    """paramiko's server; `first_channel` is what it calls the first channel of a connection.

    With `signs_with` it shows the place's host key and does not own it.
    """

    def handle(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        key = paramiko.Ed25519Key(filename=str(place.host_key()))
        if signs_with:
            key.sign_ssh_data = paramiko.Ed25519Key(filename=str(signs_with)).sign_ssh_data
        transport.add_server_key(key)
        transport._channel_counter = first_channel
        with contextlib.suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=_ParamikoServer())
            transport.join(GUARD_S)

    with listening(handle) as port:
        yield port


DROPBEAR = shutil.which("dropbear")


@contextlib.contextmanager
def dropbear(place: Ground, folder: Path) -> Iterator[tuple[int, Path]]:
    """Dropbear's server and its host key (in OpenSSH's form). It wants the account's own authorized_keys."""
    port = free_port()
    key = folder / "dropbear_key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], check=True, capture_output=True)
    shown = subprocess.run(["dropbearkey", "-y", "-f", key], check=True, capture_output=True, text=True).stdout
    line = next(line for line in shown.splitlines() if line.startswith("ssh-ed25519"))
    (folder / "dropbear_key.pub").write_text(line + "\n")
    home = place.folder / "home" / ".ssh"
    home.mkdir(exist_ok=True, mode=0o700)
    (home / "authorized_keys").write_text(public(place.user_key) + "\n")
    (home / "authorized_keys").chmod(0o600)
    subprocess.run(["chown", "-R", place.user, home.parent], check=True)
    (place.folder / "home").chmod(0o755)
    process = subprocess.Popen(
        [str(DROPBEAR), "-F", "-E", "-s", "-r", str(key), "-p", f"{LOOPBACK}:{port}", "-P", str(folder / "pid")],
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port, process)
        yield port, key
    finally:
        end(process)
