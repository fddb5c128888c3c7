"""The configuration file: `$XDG_CONFIG_HOME/triagebook/config.yaml`. Absent is fine; wrong is refused with file and line."""

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError

KEYS = ("runbook_paths", "default_runbook", "ssh_config", "inventory", "slack")


@dataclass(frozen=True)
class Settings:
    """What a person configured; everything has a default."""

    runbook_paths: tuple[Path, ...] = ()
    default_runbook: str = ""
    ssh_config: str = ""
    cache: Path | None = None
    state: Path | None = None
    runtime: Path | None = None  # sockets
    inventory: tuple[str, ...] = ()  # files of ours, `ssh_config`, `ansible:PATH`
    slack: Mapping[str, object] = field(default_factory=dict)  # the keys of bot/slack/settings.py


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the XDG folders. Raises UsageError naming file, line and the nearest right key."""
    home = Path(environment.get("HOME") or "/")
    config = _folder(environment, "XDG_CONFIG_HOME", home / ".config") / "config.yaml"
    cache = _folder(environment, "XDG_CACHE_HOME", home / ".cache")
    state = _folder(environment, "XDG_STATE_HOME", home / ".local" / "state")
    runtime = _runtime(environment, state)
    beside = config.with_name("inventory.yaml")
    default = (*([str(beside)] if beside.is_file() else []), "ssh_config")
    if not config.is_file():
        return Settings(cache=cache, state=state, runtime=runtime, inventory=default)
    from triagebook.runbooks.engine.text import did_you_mean  # noqa: PLC0415
    from triagebook.runbooks.library.document import read_document  # noqa: PLC0415 - only where a file exists

    document = read_document(config.read_text(), str(config))
    if not isinstance(document.data, dict):
        raise UsageError(str(document.error((), f"expected the keys {', '.join(KEYS)}")))
    for key in document.data:
        if key not in KEYS:
            raise UsageError(str(document.error((key,), f"unknown key{did_you_mean(key, KEYS)}")))
    paths = document.data.get("runbook_paths") or []
    if not isinstance(paths, list) or not all(isinstance(item, str) for item in paths):
        raise UsageError(str(document.error(("runbook_paths",), "expected a list of folders")))
    inventory = document.data.get("inventory") or list(default)
    if not isinstance(inventory, list) or not all(isinstance(item, str) and item for item in inventory):
        raise UsageError(str(document.error(("inventory",), "expected a list: files, ssh_config, ansible:PATH")))
    slack = document.data.get("slack") or {}
    if not isinstance(slack, dict):
        raise UsageError(str(document.error(("slack",), "expected keys and values")))
    return Settings(
        runbook_paths=tuple(Path(item).expanduser() for item in paths),
        default_runbook=str(document.data.get("default_runbook") or ""),
        ssh_config=str(document.data.get("ssh_config") or ""),
        cache=cache,
        state=state,
        runtime=runtime,
        inventory=tuple(inventory),
        slack=slack,
    )


def config_file(settings: Settings, ssh_config: str) -> Path | None:
    """The ssh configuration to use: the one named, else the configured one, else ssh's own (None)."""
    chosen = ssh_config or settings.ssh_config
    return Path(chosen).expanduser() if chosen else None


def has_watch(settings: Settings) -> bool:
    """Some watch runs, or left its socket behind: a host may have a session that is open already."""
    if settings.runtime is None:
        return False
    try:
        with os.scandir(settings.runtime) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _runtime(environment: Mapping[str, str], state: Path) -> Path:
    """XDG_RUNTIME_DIR is there for those who logged in; a service has its state folder."""
    folder = environment.get("XDG_RUNTIME_DIR", "")
    return Path(folder) / "triagebook" if folder.startswith("/") else state / "run"


def _folder(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    value = environment.get(variable, "")
    return (Path(value) if value.startswith("/") else default) / "triagebook"
