"""The first thing of a run: TCP to the one host asked for, while the rest of the program is still being imported.

This module is light: a connection costs a round trip of waiting, and the imports behind it fit into that.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.tools.settings import Settings, read_settings
from triagebook.tools.target_name import parse_target

if TYPE_CHECKING:
    from triagebook.tools.transport.ssh import SshTransport


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


def dial(hosts: Sequence[str], ssh_config: str) -> "SshTransport | None":
    """Begin to connect when it is one remote host, named as ssh names it. Raises UsageError on what is no host's name.

    Not where an inventory may call it otherwise, and not where a watch may lend its session.
    """
    if len(hosts) != 1 or hosts[0].startswith("@"):
        return None
    target = parse_target(hosts[0])
    if target.kind != "remote":
        return None
    settings = read_settings()
    if has_watch(settings) or any(source != "ssh_config" for source in settings.inventory):
        return None
    from triagebook.tools.transport.ssh import SshTransport  # noqa: PLC0415 - not for this machine

    ways = settings.state / "ways.json" if settings.state else None
    transport = SshTransport(config_file=config_file(settings, ssh_config), ways_file=ways)
    transport.dial(target.text)
    return transport
