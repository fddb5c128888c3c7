"""Sets up an approval server on this machine: account, folders, files, keys, unit. It looks first, and overwrites nothing."""

import grp
import os
import pwd
import stat
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.files import create_private, write_whole
from triagebook.tools.server.keys import ORDER_FILE, open_keys
from triagebook.tools.server.options import KEYS

TEMPLATES = resources.files("triagebook.tools.server") / "templates"
State = Literal["there", "missing", "wrong"]
LOGIN_KEYS = ("diagnose", "fix")
UNIT = "triagebook.service"
FILLED = ("ssh_config", UNIT)  # templates with names of the layout in braces


@dataclass(frozen=True)
class ServerLayout:
    """Where the parts of a server lie, and whose they are. Below a `root` other than `/` no account is made, nothing given away."""

    data: Path = Path("/var/lib/triagebook")
    config: Path = Path("/etc/triagebook-serve")
    units: Path = Path("/etc/systemd/system")
    program: Path = Path("/opt/triagebook-serve/bin/triagebook")
    account: str = "triagebook-serve"
    group: str = "triagebook-users"
    root: Path = Path("/")

    def at(self, path: Path) -> Path:
        """Return where a path is written."""
        return self.root / path.relative_to("/")

    def text(self, template: str) -> str:
        """Return a file to start from, with this layout's names in it."""
        text = (TEMPLATES / template).read_text("utf-8")
        names = {"data": self.data, "config": self.config, "program": self.program, "account": self.account, "group": self.group}
        return text.format(**names) if template in FILLED else text


@dataclass(frozen=True)
class SetupStep:
    """One part of a server: what it is, whether it is there, and how it is made. What is there but wrong is left to a person."""

    what: str
    state: State
    make: Callable[[], None]
    cure: str = ""  # of what is wrong: the command that puts it right


def setup_steps(layout: ServerLayout) -> tuple[SetupStep, ...]:
    """Look at each part in the order in which they are made."""
    at, data, config = layout.at, layout.data, layout.config
    accounts = (_group_step(layout), _account_step(layout)) if layout.root == Path("/") else ()
    return (
        *accounts,
        _folder_step(layout, data, 0o700, is_accounts=True),
        _folder_step(layout, config, 0o755, is_accounts=False),
        _file_step(
            layout, config / "policy.yaml", "policy.yaml", "who may do what; until you name persons nobody may change anything"
        ),
        _file_step(layout, config / "inventory.yaml", "inventory.yaml", "the hosts"),
        *(_login_key_step(layout, name) for name in LOGIN_KEYS),
        *(_public_key_step(layout, name, at(data / name)) for name in LOGIN_KEYS),
        _server_keys_step(layout),
        _public_key_step(layout, "orders", at(data / KEYS / ORDER_FILE)),
        _file_step(layout, data / "ssh_config", "ssh_config", "how the hosts are reached: both accounts' keys", is_private=True),
        _file_step(layout, data / "known_hosts", "known_hosts", "the keys of the hosts", is_private=True),
        _file_step(layout, layout.units / UNIT, UNIT, "the systemd unit"),
    )


def _group_step(layout: ServerLayout) -> SetupStep:
    what = f"group {layout.group}: who may ask the server at all"
    return SetupStep(what, _state_of(grp.getgrnam, layout.group), lambda: _run("groupadd", "--system", layout.group))


def _account_step(layout: ServerLayout) -> SetupStep:
    options = ("--system", "--user-group", "--no-create-home", "--home-dir", str(layout.data), "--shell", "/usr/sbin/nologin")
    what = f"account {layout.account}: the server's own, without a login"
    return SetupStep(what, _state_of(pwd.getpwnam, layout.account), lambda: _run("useradd", *options, layout.account))


def _folder_step(layout: ServerLayout, folder: Path, mode: int, *, is_accounts: bool) -> SetupStep:
    owner = layout.account if is_accounts else "root"
    path, what = layout.at(folder), f"folder {folder}, {mode:04o}, of {owner}"

    def make() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(mode)
        _give(layout, path, is_accounts=is_accounts)

    if not path.exists():
        return SetupStep(what, "missing", make)
    lax = stat.S_IMODE(path.stat().st_mode) & ~mode
    cure = f"chmod {mode:04o} {folder}" if lax else _cure_of_owner(layout, path, folder, is_accounts=is_accounts)
    return SetupStep(what, "wrong" if cure else "there", make, cure)


def _cure_of_owner(layout: ServerLayout, path: Path, folder: Path, *, is_accounts: bool) -> str:
    if layout.root != Path("/"):
        return ""
    if not is_accounts:
        return "" if path.stat().st_uid == 0 else f"chown root: {folder}"
    is_theirs = _state_of(pwd.getpwnam, layout.account) == "there" and path.stat().st_uid == pwd.getpwnam(layout.account).pw_uid
    return "" if is_theirs else f"chown {layout.account}: {folder}"


def _file_step(layout: ServerLayout, file: Path, template: str, about: str, *, is_private: bool = False) -> SetupStep:
    path = layout.at(file)

    def make() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = layout.text(template).encode()
        create_private(path, content)
        if not is_private:
            path.chmod(0o644)
        _give(layout, path, is_accounts=is_private)

    return SetupStep(f"file {file}: {about}", _there(path), make)


def _login_key_step(layout: ServerLayout, name: str) -> SetupStep:
    path = layout.at(layout.data / name)

    def make() -> None:
        made = Ed25519PrivateKey.generate()
        create_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        _give(layout, path, is_accounts=True)

    verb = "changes" if name == "fix" else "reads"
    return SetupStep(f"key {layout.data / name}: with which the server logs in where it {verb}", _there(path), make)


def _server_keys_step(layout: ServerLayout) -> SetupStep:
    folder = layout.at(layout.data / KEYS)

    def make() -> None:
        open_keys(folder)
        for path in (folder, *folder.iterdir()):
            _give(layout, path, is_accounts=True)

    return SetupStep(f"keys {layout.data / KEYS}: which sign orders and the audit log; keep copies", _there(folder), make)


def _public_key_step(layout: ServerLayout, name: str, private: Path) -> SetupStep:
    file = layout.config / f"{name}.pub"
    path = layout.at(file)

    def make() -> None:
        key = load_ssh_private_key(private.read_bytes(), None)
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        write_whole(path, f"{public} triagebook-{name}\n".encode(), mode=0o644)

    return SetupStep(f"file {file}: its public half, for the hosts", _there(path), make)


def _there(path: Path) -> State:
    return "there" if os.path.lexists(path) else "missing"


def _state_of(look_up: Callable[[str], object], name: str) -> State:
    try:
        look_up(name)
    except KeyError:
        return "missing"
    return "there"


def _give(layout: ServerLayout, path: Path, *, is_accounts: bool) -> None:
    """Give a file to the server's account, on the machine itself."""
    if is_accounts and layout.root == Path("/"):
        account = pwd.getpwnam(layout.account)
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _run(*argv: str) -> None:
    """Run a program of the system. Raises TrustError: it is missing or failed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TrustError(f"{argv[0]}: {error.strerror}", reason="setup") from None
    if done.returncode != 0:
        raise TrustError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.strip()[:300]}", reason="setup")
