"""Keys made for the laboratory, and the ssh configuration of a running machine.

The guest's host key is made here and put into the image, so known_hosts is exact and nothing is accepted on trust.
"""

from pathlib import Path

from tests.lab import cache, programs

ACCOUNTS = ("diag", "root", "appuser", "acme")  # the accounts that the client key may log in to


def client_key() -> Path:
    """The private key that every account of a guest accepts."""
    return _key("client")


def host_key() -> Path:
    """The private host key of every guest."""
    return _key("host")


def _key(name: str) -> Path:
    path = cache.directory() / "keys" / name
    with cache.lock("keys"):
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            programs.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab-{name}", "-f", str(path)))
    return path


def public(path: Path) -> str:
    """The public half, as one line without its comment."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def write_ssh_config(where: Path, name: str, port: int) -> Path:
    """Write `known_hosts` and `ssh_config` into `where`.

    The aliases: `lab-NAME` logs in as diag, `lab-NAME-root`, `lab-NAME-appuser` and `lab-NAME-acme` as those.
    """
    known_hosts = where / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {public(host_key())}\n")
    blocks = [_block(f"lab-{name}{'' if user == 'diag' else '-' + user}", user, port, known_hosts) for user in ACCOUNTS]
    path = where / "ssh_config"
    path.write_text("\n".join(blocks))
    return path


def _block(alias: str, user: str, port: int, known_hosts: Path) -> str:
    return (
        f"Host {alias}\n"
        f"    HostName 127.0.0.1\n"
        f"    Port {port}\n"
        f"    User {user}\n"
        f"    IdentityFile {client_key()}\n"
        f"    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {known_hosts}\n"
        f"    GlobalKnownHostsFile /dev/null\n"
        f"    StrictHostKeyChecking yes\n"
        f"    BatchMode yes\n"
    )
