"""A real nats-server for tests: TLS on loopback, a key for the server and one for each site, ended by its pid."""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.sshd import await_port, end

PROGRAM = shutil.which("nats-server") or next((path for path in ("/usr/sbin/nats-server",) if Path(path).exists()), None)
WHY_NOT = None if PROGRAM else "no nats-server here (as root, `make test` installs Debian's package)"


@dataclass
class Nats:
    """A running nats-server. `creds` are the files of keys by name: `server`, and the sites."""

    folder: Path
    port: int
    creds: dict[str, Path] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    address: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"tls://{self.address}:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    def start(self) -> None:
        assert PROGRAM
        log = (self.folder / "nats.log").open("ab")
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.folder / "nats-server.conf")], stdout=log, stderr=log)
        await_port(self.port, self.process, self.address)

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def nats(
    folder: Path, *sites: str, widened: dict[str, tuple[str, str]] | None = None, address: str = "127.0.0.1"
) -> Iterator[Nats]:
    """Run one with a key for each site. `widened`: (publish, subscribe) that the key of a name may do as well."""
    from triagebook.tools.sites.credentials import create_credentials, user_lines
    from triagebook.tools.sites.wire import Permissions, server_permissions, site_permissions

    made = Nats(folder, free_port(), address=address)
    make_certificate(folder, address)
    users = ""
    for name in ("server", *sites):
        may = server_permissions() if name == "server" else site_permissions(name)
        if widened and name in widened:
            publish, subscribe = widened[name]
            may = Permissions((*may.publish, publish), (*may.subscribe, subscribe))
        made.creds[name] = folder / f"{name}.creds"
        users += user_lines(create_credentials(made.creds[name], name), may)
    (folder / "nats-server.conf").write_text(f"""
host: {address}
port: {made.port}
max_payload: 1MB
tls {{ cert_file: "{folder}/nats.pem", key_file: "{folder}/nats.key" }}
authorization {{
  users: [
{users}  ]
}}
""")
    made.start()
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            end(made.process)


def make_certificate(folder: Path, address: str = "127.0.0.1") -> None:
    """Write ca.pem, nats.pem and nats.key."""
    from tests.certificates import Authority  # whoever skips for want of a nats-server need not load it

    Authority(folder / "ca.pem").issue(folder, "nats", "localhost", address=address)
