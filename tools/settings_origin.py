"""Says of each setting what it is and where that comes from: a line of config.yaml, an environment variable, a default."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.library.node import Node, read_node
from triagebook.tools.settings import KEYS, Settings, config_path, is_blank, read_settings

DEFAULT = "default"


@dataclass(frozen=True)
class OriginOfSetting:
    """One setting: its key, its value as text, and `FILE:LINE`, `$VARIABLE` or `default`."""

    key: str
    value: str
    origin: str


def origins(environment: Mapping[str, str] = os.environ) -> tuple[OriginOfSetting, ...]:
    """Return every setting in use. Raises UsageError as `read_settings` does."""
    settings = read_settings(environment)
    return (*_of_file(settings, config_path(environment)), *_of_environment(settings, environment))


def _of_file(settings: Settings, file: Path) -> Iterator[OriginOfSetting]:
    members = _members(file)
    values = {
        "runbook_paths": ", ".join(map(str, settings.runbook_paths)),
        "default_runbook": settings.default_runbook,
        "triage": ", ".join(settings.triage),
        "sites": settings.sites.nats if settings.sites else "",
        "ssh_config": settings.ssh_config,
        "inventory": ", ".join(settings.inventory),
        "accept_unknown": ", ".join(settings.accept_unknown),
    }
    for key in KEYS:
        where = members[key].where if key in members else DEFAULT
        if key in values:
            yield OriginOfSetting(key, values[key], where)
    slack = members["slack"].members(None) if "slack" in members and members["slack"].value else {}
    for key, node in slack.items():
        yield OriginOfSetting(f"slack.{key}", str(node.value), node.where)


def _members(file: Path) -> Mapping[str, Node]:
    if not file.is_file():
        return {}
    try:
        text = file.read_text("utf-8")
        return {} if is_blank(text) else read_node(text, str(file)).members(KEYS)
    except RunbookError as error:
        raise UsageError(str(error)) from None


def _of_environment(settings: Settings, environment: Mapping[str, str]) -> Iterator[OriginOfSetting]:
    for key, folder, variable in (
        ("cache", settings.cache, "XDG_CACHE_HOME"),
        ("state", settings.state, "XDG_STATE_HOME"),
        ("sockets", settings.runtime, "XDG_RUNTIME_DIR"),
    ):
        is_set = environment.get(variable, "").startswith("/")  # a relative one does not count (XDG base directories)
        yield OriginOfSetting(f"({key})", str(folder or ""), f"${variable}" if is_set else DEFAULT)
