"""Real sshd servers on loopback for tests: own keys, known_hosts, ssh_config and, as root, an unprivileged account.

    with ground() as place, place.sshd() as server:
        SshTransport(config_file=server.config).launch("box", ["id"])

Every process started here is ended by its pid. Nothing outside a temporary folder is written, except the account
(useradd, userdel) and sshd's own /run/sshd.
"""

import contextlib
import functools
import getpass
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hang import GUARD_S
from tests.namespaces import Namespace
from tests.ports import free_port

SSHD = next((path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if Path(path).exists()), shutil.which("sshd"))
WHY_NOT = None if SSHD and shutil.which("ssh-keygen") else "no sshd here (as root, `make test` installs openssh-server)"
_GROUNDS = itertools.count()  # one account for each ground of this process
_RSA_KEYS = itertools.cycle(range(3))
KEY_TYPES = {"ed25519": (), "ecdsa": ("-b", "256"), "rsa": ("-b", "3072")}


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A private key at `path`, its public key beside it. RSA, which takes a second to make, is one of three, in turn."""
    if kind == "rsa" and not passphrase:
        private, its_public = _rsa_key(next(_RSA_KEYS))
        path.touch(0o600)
        path.write_bytes(private)
        path.with_name(path.name + ".pub").write_bytes(its_public)
        return path
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *KEY_TYPES[kind], "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


@functools.cache
def _rsa_key(_number: int) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rsa"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", *KEY_TYPES["rsa"], "-N", "", "-C", "rsa", "-f", path], check=True)
        return path.read_bytes(), path.with_suffix(".pub").read_bytes()


def public(path: Path) -> str:
    """`TYPE BASE64` of the public key beside a private one."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def await_port(port: int, process: subprocess.Popen[bytes], address: str = "127.0.0.1") -> None:
    """Until something listens there, or the process ended."""
    deadline = time.monotonic() + GUARD_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        time.sleep(0.02)
    raise RuntimeError("the server does not listen")


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate, then kill."""
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Server:
    """A running sshd. `config` is an ssh_config in which `alias` is this server."""

    folder: Path
    port: int
    alias: str
    user: str
    config: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def session_pids(self) -> list[int]:
        """The sshd processes of its connections."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]


@dataclass
class Ground:
    """A folder with keys and an account; the sshd servers on it."""

    folder: Path
    user: str
    is_account_made: bool
    servers: int = field(default=0)

    @property
    def user_key(self) -> Path:
        return self.folder / "user_ed25519"

    def host_key(self, kind: str = "ed25519") -> Path:
        path = self.folder / f"host_{kind}"
        return path if path.exists() else make_key(path, kind)

    @contextlib.contextmanager
    def sshd(
        self,
        options: Mapping[str, str] | None = None,
        *,
        alias: str = "box",
        host_keys: tuple[str, ...] = ("ed25519",),
        is_hashed: bool = False,
        extra_config: str = "",
        trusts: tuple[Path, ...] = (),
        within: Namespace | None = None,
    ) -> Iterator[Server]:
        """Start one, `within` a network of its own if so. `options` change lines of sshd_config; `trusts` are more user keys."""
        self.servers += 1
        folder = self.folder / f"sshd{self.servers}"
        folder.mkdir()
        port = free_port()
        keys = (self.user_key, *trusts)
        (folder / "authorized_keys").write_text("".join(f"{public(key)}\n" for key in keys))
        settings = {
            "ListenAddress": "127.0.0.1",
            "Port": str(port),
            "PidFile": "none",
            "AuthorizedKeysFile": str(folder / "authorized_keys"),
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "StrictModes": "no",
            "UsePAM": "no",
            "PrintMotd": "no",
            "LogLevel": "VERBOSE",
            "Subsystem": "sftp internal-sftp",
            **(options or {}),
        }
        lines = [f"HostKey {self.host_key(kind)}" for kind in host_keys]
        lines += [f"{keyword} {value}" for keyword, value in settings.items()]
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        known = folder / "known_hosts"
        known.write_text("".join(f"[127.0.0.1]:{port} {public(self.host_key(kind))}\n" for kind in host_keys))
        if is_hashed:
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
        config = folder / "ssh_config"
        config.write_text(
            f"Host {alias}\n  HostName 127.0.0.1\n  Port {port}\n{extra_config}"
            f"Host *\n  User {self.user}\n  IdentityFile {self.user_key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
        )
        with (folder / "sshd.log").open("wb") as log:
            command = [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")]
            argv = within.argv(*command) if within else command
            process = subprocess.Popen(argv, stderr=log, stdin=subprocess.DEVNULL)
        server = Server(folder, port, alias, self.user, config, known, process)
        try:
            if within:
                within.call(lambda: await_port(port, process))
            else:
                await_port(port, process)
            yield server
        finally:
            sessions = server.session_pids()
            end(process)
            for pid in sessions:  # sshd leaves them behind
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def remove_account(user: str) -> None:
    """With what is left of its processes (a `sleep` whose connection went): userdel refuses to go on otherwise."""
    deadline = time.monotonic() + GUARD_S
    while time.monotonic() < deadline:
        left = subprocess.run(["pgrep", "-u", user], capture_output=True, text=True, check=False).stdout.split()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if not left and subprocess.run(["userdel", user], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.05)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Keys and an account for as long as the block lasts. Without root the account is your own."""
    folder = Path(tempfile.mkdtemp(prefix="triagebook-sshd-"))
    folder.chmod(0o755)  # the account must reach its authorized_keys
    user, is_made = getpass.getuser(), False
    try:
        if os.getuid() == 0:
            user, is_made = f"tb{os.getpid()}x{next(_GROUNDS)}", True
            argv = ["useradd", "--no-log-init", "-m", "-d", str(folder / "home"), "-s", "/bin/sh", "-p", "*", user]
            subprocess.run(argv, check=True, capture_output=True)
            Path("/run/sshd").mkdir(exist_ok=True)
        place = Ground(folder, user, is_made)
        make_key(place.user_key)
        yield place
    finally:
        if is_made:
            remove_account(user)
        shutil.rmtree(folder, ignore_errors=True)
