"""Opens the TCP connection to the one host of a diagnosis while the rest of the program is still being imported.

This module imports little: opening a connection is waiting for a round trip, and the other imports fit into that time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triagebook.bot.cli.verbosity import FLAGS, count_flags, show
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.settings import config_file, has_watch, read_settings, recent_logins_file
from triagebook.tools.transport.base import timeouts_for

if TYPE_CHECKING:
    from triagebook.tools.ssh.transport import SshTransport


_FLAGS = {"--json", "--explain", *FLAGS}
_SSH_CONFIG = {"-F", "--ssh-config"}
_WITH_VALUE = {"-r", "--runbook", "--symptom", "--unit", "--user", "--pid", "--sample", "--save", "--accept-unknown", *_SSH_CONFIG}


@dataclass(frozen=True)
class EarlyConnection:
    """A connection that is being opened, with the host and ssh configuration it was opened for."""

    hosts: tuple[str, ...]
    ssh_config: str
    transport: "SshTransport | None"


def plain_target(words: Sequence[str]) -> tuple[str, str] | None:
    """Return (host, file given with -F) if the arguments are `diagnose`, one host and options known here; else None."""
    if not words or words[0] != "diagnose":
        return None
    hosts, ssh_config, rest = [], "", iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            value = next(rest, None)
            if value is None:
                return None
            ssh_config = value if word in _SSH_CONFIG else ssh_config
        elif not word.startswith("-"):
            hosts.append(word)
        elif word not in _FLAGS:
            return None
    return (hosts[0], ssh_config) if len(hosts) == 1 else None


def connect(words: Sequence[str]) -> EarlyConnection | None:
    """Begin to connect to the host of these arguments. Returns None unless they name exactly one host."""
    plain = plain_target(words)
    if plain is None:
        return None
    if verbosity := count_flags(words, _WITH_VALUE):
        show(verbosity)
    try:
        return EarlyConnection((plain[0],), plain[1], dial((plain[0],), plain[1]))
    except TriagebookError:
        return None  # the parser reports it


def dial(hosts: Sequence[str], ssh_config: str) -> "SshTransport | None":
    """Begin to connect if there is exactly one remote host, by the name that ssh knows. Raises UsageError: not a host name.

    Returns None if an inventory may rename the host, or if a running watch may lend its session.
    """
    if len(hosts) != 1 or hosts[0].startswith("@"):
        return None
    target = parse_target(hosts[0])
    if target.kind != "remote":
        return None
    settings = read_settings()
    if has_watch(settings) or any(source != "ssh_config" for source in settings.inventory):
        return None
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415 - not needed for this machine

    config = config_file(settings, ssh_config)
    transport = SshTransport(
        config_file=config, recent_logins_file=recent_logins_file(settings), timeouts=timeouts_for(settings.timeout_s)
    )
    transport.dial(target.text)
    return transport
