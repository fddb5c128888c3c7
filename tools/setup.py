"""Putting the parts together for a person's command line: catalogue, transports, service."""

from functools import cache
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.catalog import Catalog, catalog
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.dial import config_file, ssh_transport
from triagebook.tools.service import Service
from triagebook.tools.settings import Settings, read_settings
from triagebook.tools.target_name import TargetName
from triagebook.tools.transport.base import Transport

if TYPE_CHECKING:
    from triagebook.tools.transport.ssh import SshTransport

TRANSPORTS = ("ssh", "openssh")


def settings() -> Settings:
    """The person's configuration."""
    return read_settings()


def default_runbook(settings: Settings, available: Catalog) -> str:
    """The configured runbook, or the only one there is. Raises UsageError naming the choices."""
    if settings.default_runbook:
        return settings.default_runbook
    ids = sorted({entry.id for entry in available.entries()})
    if len(ids) == 1:
        return ids[0]
    raise UsageError(f"which runbook? --runbook {' | '.join(ids)} (or default_runbook in the configuration)")


def service(settings: Settings, *, transport: str = "ssh", ssh_config: str = "", dialing: "SshTransport | None" = None) -> Service:
    """A service for this person: their ssh configuration, their keys, their known hosts.

    `dialing` is the transport that has begun to connect (`dial.dial`).
    """
    if transport not in TRANSPORTS:
        raise UsageError(f"unknown transport {transport!r} (one of: {', '.join(TRANSPORTS)})")
    runbooks = catalog(settings.runbook_paths, settings.cache / "runbooks" if settings.cache else None)
    ssh = cache(lambda: dialing or ssh_transport(settings, ssh_config))

    def transport_for(target: TargetName) -> Transport:
        if target.kind == "local":
            from triagebook.tools.transport.local import LocalTransport  # noqa: PLC0415 - only what a run needs

            return LocalTransport()
        if transport == "openssh":
            from triagebook.tools.transport.openssh import OpensshTransport  # noqa: PLC0415

            return OpensshTransport(config_file=config_file(settings, ssh_config))
        return ssh()

    return Service(runbooks, transport_for)
