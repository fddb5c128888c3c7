"""Looks at what triagebook would use here, and says of what is missing which command mends it. It changes nothing."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools import unix_socket
from triagebook.tools.diagnosis import setup
from triagebook.tools.inventory.sources import ANSIBLE, load
from triagebook.tools.server.client import default_socket
from triagebook.tools.settings import Settings, config_file, config_path, read_settings
from triagebook.tools.ssh.config import SYSTEM_CONFIG, LocalAccount, look_up
from triagebook.tools.ssh.destination import Destination

State = Literal["ok", "absent", "broken"]  # absent: optional, and not there
ANSWER_S = 2.0


@dataclass(frozen=True)
class DoctorFinding:
    """What was found of one part, and the command that mends it where something is to be mended."""

    part: str
    state: State
    says: str
    cure: str = ""


def examine(environment: Mapping[str, str] = os.environ) -> Iterator[DoctorFinding]:
    """Yield what was found, part by part."""
    yield DoctorFinding(
        "version", "ok", f"triagebook {version('triagebook')}, Python {platform.python_version()} ({sys.executable})"
    )
    file = config_path(environment)
    try:
        settings = read_settings(environment)
    except TriagebookError as error:
        yield DoctorFinding("config", "broken", str(error), "triagebook config edit")
        return
    if file.exists():
        yield DoctorFinding("config", "ok", str(file))
    else:
        yield DoctorFinding("config", "absent", f"none at {file}; the defaults are used", "triagebook config edit")
    for part, look, cure in PARTS:
        try:
            yield from look(settings)
        except (TriagebookError, OSError) as error:
            yield DoctorFinding(part, "broken", str(error), cure)


def _inventory(settings: Settings) -> Iterator[DoctorFinding]:
    for source in settings.inventory:
        if source.startswith(ANSIBLE) and shutil.which("ansible-inventory") is None:
            yield DoctorFinding("inventory", "broken", f"{source}: no program ansible-inventory", "pipx install ansible-core")
            continue
        found = load([source], config_file(settings, ""))
        groups = f" in {len(found.groups)} groups" if found.groups else ""
        says = f"{source}: {len(found.hosts)} hosts{groups}"
        yield DoctorFinding("inventory", "ok" if found.hosts else "absent", says, "" if found.hosts else "triagebook config edit")


def _ssh_config(settings: Settings) -> Iterator[DoctorFinding]:
    chosen = config_file(settings, "")
    files = [chosen] if chosen else [LocalAccount.own().home / ".ssh" / "config", SYSTEM_CONFIG]
    for file in files:
        if file.exists():
            file.read_bytes()
            yield DoctorFinding("ssh_config", "ok", str(file))
        else:
            yield DoctorFinding(
                "ssh_config", "broken" if chosen else "absent", f"none at {file}", "triagebook config edit" if chosen else ""
            )


def _known_hosts(settings: Settings) -> Iterator[DoctorFinding]:
    files = look_up(Destination("any.example"), config_file(settings, "")).known_hosts_files
    there = [file for file in files if file.exists()]
    for file in there:
        lines = [line for line in file.read_text("utf-8", "replace").splitlines() if line.strip() and not line.startswith("#")]
        yield DoctorFinding("known_hosts", "ok", f"{file}: {len(lines)} keys")
    if not there:
        yield DoctorFinding(
            "known_hosts", "absent", f"none at {files[0] if files else '-'}; unknown hosts are refused", "ssh HOST true"
        )


def _login(settings: Settings) -> Iterator[DoctorFinding]:
    agent = os.environ.get("SSH_AUTH_SOCK", "")
    keys = [str(file) for file in look_up(Destination("any.example"), config_file(settings, "")).identity_files if file.exists()]
    if agent and not Path(agent).is_socket():
        yield DoctorFinding("login", "broken", f"$SSH_AUTH_SOCK is {agent}, and there is no socket", "eval $(ssh-agent) && ssh-add")
    has_agent = bool(agent) and Path(agent).is_socket()
    says = "; ".join([*(["an ssh agent"] if has_agent else []), *keys])
    yield DoctorFinding(
        "login", "ok" if says else "absent", says or "no agent and no key of the usual names", "" if says else "ssh-keygen"
    )


def _runbooks(settings: Settings) -> Iterator[DoctorFinding]:
    catalog = setup.runbooks(settings)
    released = catalog.lock()
    for missing in catalog.missing_releases():
        yield DoctorFinding("runbook", "broken", f"{missing} is released, and its folder is not there", "triagebook runbook lint")
    for entry in catalog.entries():
        asked = f" (used by -r {entry.id})" if catalog.find(entry.id).version == entry.version else ""
        state = "released" if entry.name in released else "draft"
        try:
            catalog.load(entry.name)
        except TriagebookError as error:
            yield DoctorFinding("runbook", "broken", str(error), f"triagebook runbook lint {entry.name}")
            continue
        yield DoctorFinding("runbook", "ok", f"{entry.name} {state}{asked}: {entry.folder}")


def _folders(settings: Settings) -> Iterator[DoctorFinding]:
    for name, folder in (("cache", settings.cache), ("state", settings.state)):
        if folder is None:
            continue
        nearest = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
        if os.access(nearest, os.W_OK):
            yield DoctorFinding(name, "ok", str(folder))
        else:
            yield DoctorFinding(name, "absent", f"{folder} cannot be written: each start is slower", f"ls -ld {nearest}")


def _watches(settings: Settings) -> Iterator[DoctorFinding]:
    sockets = sorted(settings.runtime.glob("watch-*.sock")) if settings.runtime else []
    living = [path for path in sockets if not _why_silent(path)]
    hosts = "1 host is" if len(living) == 1 else f"{len(living)} hosts are"
    says = f"{hosts} watched by this account ({settings.runtime})" if living else "none of this account runs"
    yield DoctorFinding("watch", "ok" if living else "absent", says, "" if living else "triagebook watch HOST")


def _sites(settings: Settings) -> Iterator[DoctorFinding]:
    if settings.sites is None:
        return
    client = setup.sites_of(settings).client()
    try:
        client.require_connection("any")
        yield DoctorFinding("sites", "ok", f"the NATS server {settings.sites.nats} knows our key")
    finally:
        client.close()


def _server(_settings: Settings) -> Iterator[DoctorFinding]:
    path = default_socket()
    if not path.exists():
        yield DoctorFinding("serve", "absent", f"no approval server at {path}", "triagebook serve --help")
    elif why := _why_silent(path):
        yield DoctorFinding("serve", "broken", f"{path}: {why}", f"ls -l {path}")
    else:
        yield DoctorFinding("serve", "ok", f"an approval server answers at {path}")


def _why_silent(path: Path) -> str:
    try:
        unix_socket.connect(path, ANSWER_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


PARTS: tuple[tuple[str, Callable[[Settings], Iterator[DoctorFinding]], str], ...] = (
    ("inventory", _inventory, "triagebook config edit"),
    ("ssh_config", _ssh_config, "triagebook config edit"),
    ("known_hosts", _known_hosts, "triagebook config edit"),
    ("login", _login, "ssh-keygen"),
    ("runbook", _runbooks, "triagebook config edit"),
    ("folders", _folders, "triagebook config view"),
    ("watch", _watches, "triagebook watch HOST"),
    ("sites", _sites, "triagebook site list"),
    ("serve", _server, "triagebook serve --help"),
)
