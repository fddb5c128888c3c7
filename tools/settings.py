"""The configuration file: `$XDG_CONFIG_HOME/triagebook/config.yaml`. Absent is fine; wrong is refused with file and line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError

KEYS = ("runbook_paths", "default_runbook", "ssh_config", "inventory")
INVENTORY = "inventory.yaml"


@dataclass(frozen=True)
class Settings:
    """What a person configured; everything has a default."""

    runbook_paths: tuple[Path, ...] = ()
    default_runbook: str = ""
    ssh_config: str = ""
    inventory: Path | None = None  # tools/inventory.py; the default lies beside this file
    cache: Path | None = None
    state: Path | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the XDG folders. Raises UsageError naming file, line and the nearest right key."""
    home = Path(environment.get("HOME") or "/")
    config = _folder(environment, "XDG_CONFIG_HOME", home / ".config") / "config.yaml"
    cache = _folder(environment, "XDG_CACHE_HOME", home / ".cache")
    state = _folder(environment, "XDG_STATE_HOME", home / ".local" / "state")
    if not config.is_file():
        return Settings(inventory=config.with_name(INVENTORY), cache=cache, state=state)
    from triagebook.runbooks.engine.document import read_document  # noqa: PLC0415 - only where a file exists
    from triagebook.runbooks.engine.nearest import did_you_mean  # noqa: PLC0415

    document = read_document(config.read_text(), str(config))
    if not isinstance(document.data, dict):
        raise UsageError(str(document.error((), f"expected the keys {', '.join(KEYS)}")))
    for key in document.data:
        if key not in KEYS:
            raise UsageError(str(document.error((key,), f"unknown key{did_you_mean(key, KEYS)}")))
    paths = document.data.get("runbook_paths") or []
    if not isinstance(paths, list) or not all(isinstance(item, str) for item in paths):
        raise UsageError(str(document.error(("runbook_paths",), "expected a list of folders")))
    return Settings(
        runbook_paths=tuple(Path(item).expanduser() for item in paths),
        default_runbook=str(document.data.get("default_runbook") or ""),
        ssh_config=str(document.data.get("ssh_config") or ""),
        inventory=Path(str(document.data.get("inventory") or config.with_name(INVENTORY))).expanduser(),
        cache=cache,
        state=state,
    )


def _folder(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    value = environment.get(variable, "")
    return (Path(value) if value.startswith("/") else default) / "triagebook"
