"""The hosts a server knows, and the one way in which all of its faces diagnose them."""

from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools import setup
from triagebook.tools.inventory_sources import SSH_CONFIG, load
from triagebook.tools.names import Names
from triagebook.tools.service import Service
from triagebook.tools.settings import Settings


@dataclass(frozen=True)
class Hosts:
    """`names` are those that assistants and chats may say; `service` reaches hosts by the server's own ssh configuration."""

    service: Service
    names: Names
    default_runbook: Callable[[], str]
    settings: Settings = field(default_factory=Settings)  # by these the service was made, and another process makes its own
    ssh_config: str = ""


def server_hosts(settings: Settings, ssh_config: Path) -> Hosts:
    """Raises UsageError: an inventory that does not read. The names of an ssh_config are a person's, not a server's."""
    service = setup.service(settings, ssh_config=str(ssh_config))
    names = Names(load([source for source in settings.inventory if source != SSH_CONFIG]))
    return Hosts(service, names, lambda: setup.default_runbook(settings, service.catalog), settings, str(ssh_config))
