"""Opens root's session to a host that is prepared, waits for its sshd, and reads the public keys that the host gets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from triagebook.tools.host_setup.layout import Signer
    from triagebook.tools.host_setup.remote import Remote

SSHD_BACK_S = 90.0  # three logins that each wait 30 s for an answer: one that got lost says nothing yet
SERVER_CONFIG = Path("/etc/triagebook-serve")  # where `serve init` leaves the public keys


@contextmanager
def open_session(
    host: str, config: Path | None, *, is_sudo: bool = False, first: tuple[str, ...] = ("true",)
) -> Iterator["Remote"]:
    """Open a session that stays open for all steps."""
    from triagebook.tools.host_setup.remote import Remote  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415
    from triagebook.tools.transport.base import Timeouts  # noqa: PLC0415

    timeouts = Timeouts(banner_s=30, kex_s=30, auth_s=30, exec_s=60, first_byte_s=60, total_s=900)
    process = SshTransport(config_file=config, timeouts=timeouts, allows_one_flight=False).launch(host, first)
    try:
        process.finish(60)
        yield Remote(process.session, ("sudo", "-n") if is_sudo else ())
    finally:
        process.session.close()


def await_login(host: str, config: Path | None) -> None:
    """Wait until a new login works: sshd refuses connections while it reloads. Raises PrepareError if it keeps refusing."""
    from triagebook.tools.host_setup.remote import PrepareError  # noqa: PLC0415
    from triagebook.tools.transport.base import LoginFailed  # noqa: PLC0415

    deadline = time.monotonic() + SSHD_BACK_S
    while True:
        try:
            with open_session(host, config):
                return
        except LoginFailed as error:
            if time.monotonic() > deadline:
                message = f"{host}: sshd refuses new logins since it reloaded its configuration: {error}; keep your open sessions"
                raise PrepareError(f"{message} and read its log (journalctl -u ssh)") from None
            time.sleep(0.5)


def signer_of(path: Path, days: int) -> "Signer":
    """Return the key in a file as one that may sign for so many days. Raises UsageError."""
    from triagebook.tools.host_setup.layout import Signer  # noqa: PLC0415

    return Signer(read_key(path), now() + timedelta(days=days))


def read_key(path: Path) -> str:
    """Return the public key in a file. Raises UsageError: it cannot be read, or is the private one, of which nothing is shown."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read a public key: {error}", reason="usage") from None
    if "PRIVATE KEY" in text.partition("\n")[0]:
        raise UsageError(f"{path}: that is the private key; give its public half, such as {path}.pub", reason="usage")
    return text


def login_keys(fix_key: Path, diagnose_key: Path) -> tuple[str, str]:
    """Return the two keys that may log in. Raises UsageError: they are one key, which would open both accounts."""
    from triagebook.tools.host_setup.layout import public_key  # noqa: PLC0415

    fix, diagnose = read_key(fix_key), read_key(diagnose_key)
    if public_key(fix) == public_key(diagnose):
        raise UsageError(
            f"{fix_key} and {diagnose_key} are one key: who may diagnose could change the host; make a key for each account",
            reason="usage",
        )
    return fix, diagnose


def now() -> datetime:
    """Return the time now, aware, UTC."""
    return datetime.now(UTC)
