"""Reads `$XDG_CONFIG_HOME/triagebook/config.yaml`. It may be absent; a mistake in it is refused with file and line."""

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import cast

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.library.node import Node, find_member, read_node

_PATH = r"[^\x00-\x1f\x7f]{1,4096}"
MOST_SILENT_S = 600
SITE_KEYS = ("nats", "credentials", "authority")
KEYS = ("runbook_paths", "default_runbook", "ssh_config", "inventory", "slack", "accept_unknown", "triage", "sites", "timeout")


@dataclass(frozen=True)
class SiteSettings:
    """Where the workers of sites are asked: the NATS server, the file with our key, and the authority of its certificate."""

    nats: str
    credentials: Path
    authority: Path | None = None


@dataclass(frozen=True)
class Settings:
    """The configuration of one person; everything has a default."""

    runbook_paths: tuple[Path, ...] = ()
    default_runbook: str = ""  # asked alone where none is named
    triage: tuple[str, ...] = ()  # asked together where none is named; empty: every released runbook
    ssh_config: str = ""
    cache: Path | None = None
    state: Path | None = None
    runtime: Path | None = None  # sockets
    inventory: tuple[str, ...] = ()  # files of ours, `ssh_config`, `ansible:PATH`
    accept_unknown: tuple[str, ...] = ()  # checks whose unknown result is a caveat on every host, not inconclusive
    sites: SiteSettings | None = None  # None: every host is reached from here
    timeout_s: float = 0.0  # how long a host may be silent before it is given up; 0: the usual time
    slack: Mapping[str, object] = field(default_factory=dict)  # the keys of bot/slack/settings.py


def read_settings(environment: Mapping[str, str] = os.environ, draft: Path | None = None) -> Settings:
    """Read the settings from the XDG folders. Raises UsageError naming file, line and the nearest valid key.

    A `draft` is read in place of config.yaml.
    """
    home, config = _home(environment), draft or config_path(environment)
    cache = _folder(environment, "XDG_CACHE_HOME", home / ".cache")
    state = _folder(environment, "XDG_STATE_HOME", home / ".local" / "state")
    runtime = _runtime(environment, state)
    beside = config.with_name("inventory.yaml")
    default = (*([str(beside)] if beside.is_file() else []), "ssh_config")
    without = Settings(cache=cache, state=state, runtime=runtime, inventory=default)
    if not config.exists():
        return without
    try:
        text = config.read_text("utf-8")
        if is_blank(text):
            return without
        top = read_node(text, str(config)).members(KEYS)
        paths, sources, slack = find_member(top, "runbook_paths"), find_member(top, "inventory"), find_member(top, "slack")
        if slack is not None:
            slack.members(None)
        if (alone := find_member(top, "default_runbook")) is not None and alone.value and find_member(top, "triage") is not None:
            raise alone.error("it is asked alone, and `triage` names runbooks to ask together: keep one of the two")
        return Settings(
            runbook_paths=tuple(config.parent / Path(item).expanduser() for item in _texts(paths, "a list of folders")),
            default_runbook=_text(find_member(top, "default_runbook")),
            triage=_texts(find_member(top, "triage"), "a list of runbooks"),
            ssh_config=_beside(config, _text(find_member(top, "ssh_config"))),
            cache=cache,
            state=state,
            runtime=runtime,
            inventory=tuple(_source(config, one) for one in _texts(sources, "a list: files, ssh_config, ansible:PATH")) or default,
            accept_unknown=_texts(find_member(top, "accept_unknown"), "a list of checks"),
            slack=cast("Mapping[str, object]", slack.value) if slack else {},
            sites=_sites(config, find_member(top, "sites")),
            timeout_s=_seconds(find_member(top, "timeout")),
        )
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{config}: {getattr(error, 'strerror', None) or error}") from None
    except RunbookError as error:
        raise UsageError(str(error)) from None


def _seconds(node: Node | None) -> float:
    """Return how long a host may be silent."""
    if node is None:
        return 0.0
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= MOST_SILENT_S:
        raise node.error(f"expected seconds from 1 to {MOST_SILENT_S}, got {value!r}")
    return float(value)


def _sites(config: Path, node: Node | None) -> SiteSettings | None:
    """Return how sites are asked; files are relative to the configuration."""
    if node is None:
        return None
    members = node.members(SITE_KEYS, ("nats", "credentials"))
    authority = _beside(config, _text(find_member(members, "authority")))
    credentials = Path(_beside(config, members["credentials"].text(_PATH))).expanduser()
    return SiteSettings(members["nats"].text(_PATH), credentials, Path(authority).expanduser() if authority else None)


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the configuration is looked for."""
    return _folder(environment, "XDG_CONFIG_HOME", _home(environment) / ".config") / "config.yaml"


def is_blank(text: str) -> bool:
    """Tell whether a YAML text says nothing: it is empty, or has comments only."""
    return all(not line.strip() or line.lstrip().startswith("#") or line.strip() == "---" for line in text.splitlines())


def _texts(node: Node | None, what: str) -> tuple[str, ...]:
    return tuple(item.text(_PATH) for item in node.items(what)) if node else ()


def _source(config: Path, text: str) -> str:
    """Return a source of the inventory; a relative file is relative to the configuration."""
    if text == "ssh_config":
        return text
    before, colon, path = text.rpartition("ansible:")
    return f"{colon}{_beside(config, path)}" if not before else _beside(config, text)


def _beside(config: Path, text: str) -> str:
    return text if not text or text.startswith(("/", "~")) else str(config.parent / text)


def _text(node: Node | None) -> str:
    return node.text(_PATH) if node and node.value else ""


def config_file(settings: Settings, ssh_config: str) -> Path | None:
    """Return the ssh configuration to use: the one named, else the configured one, else None for ssh's own."""
    chosen = ssh_config or settings.ssh_config
    return Path(chosen).expanduser() if chosen else None


def recent_logins_file(settings: Settings) -> Path | None:
    """Return where the last login at each host is remembered, or None where there is no state folder."""
    return settings.state / "recent-logins.jsonl" if settings.state else None


def has_watch(settings: Settings) -> bool:
    """Tell whether a watch runs or left its socket behind, so that a host may already have an open session."""
    if settings.runtime is None:
        return False
    try:
        with os.scandir(settings.runtime) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _runtime(environment: Mapping[str, str], state: Path) -> Path:
    """Return the folder for sockets: XDG_RUNTIME_DIR of a login session, or a service's state folder."""
    folder = environment.get("XDG_RUNTIME_DIR", "")
    return Path(folder) / "triagebook" if folder.startswith("/") else state / "run"


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or "/")


def _folder(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    value = environment.get(variable, "")
    return (Path(value) if value.startswith("/") else default) / "triagebook"
