"""The first thing of a run: TCP to the one host asked for, while the rest of the program is still being imported.

This module is light: a connection costs a round trip of waiting, and the imports behind it fit into that.
"""

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


def ssh_transport(settings: Settings, ssh_config: str) -> "SshTransport":
    """One for all hosts of a run: it keeps what it learned of them."""
    from triagebook.tools.transport.ssh import SshTransport  # noqa: PLC0415 - not for this machine

    ways = settings.state / "ways.json" if settings.state else None
    return SshTransport(config_file=config_file(settings, ssh_config), ways_file=ways)


def dial(hosts: Sequence[str], ssh_config: str) -> "SshTransport | None":
    """Begin to connect when it is one remote host. Raises UsageError on what is no host's name."""
    targets = [parse_target(host) for host in hosts]
    if len(targets) != 1 or targets[0].kind != "remote":
        return None
    transport = ssh_transport(read_settings(), ssh_config)
    transport.dial(targets[0].text)
    return transport
