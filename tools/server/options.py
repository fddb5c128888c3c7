"""Holds the options with which an approval server is started."""

from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.names import Names
from triagebook.tools.inventory.sources import SSH_CONFIG, load
from triagebook.tools.settings import Settings
from triagebook.tools.sites.reach import Sites


@dataclass(frozen=True)
class Hosts:
    """The hosts of a server. Assistants and Slack may say `names`; `service` uses the server's own ssh configuration."""

    service: Service
    names: Names
    default_runbook: Callable[[], str]
    settings: Settings = field(default_factory=Settings)  # by these the service was made, and another process makes its own
    ssh_config: str = ""
    sites: Sites = field(default_factory=lambda: Sites(None, None))


def server_hosts(settings: Settings, ssh_config: Path) -> Hosts:
    """Return the hosts of a server, without names of an ssh_config, which are a person's. Raises UsageError: bad inventory."""
    sites = setup.sites_of(settings)
    service = setup.service(settings, ssh_config=str(ssh_config), sites=sites)
    names = Names(load([source for source in settings.inventory if source != SSH_CONFIG]))
    return Hosts(service, names, lambda: settings.default_runbook, settings, str(ssh_config), sites)


DATABASE = "triagebook.db"
ANCHOR = "checkpoints.jsonl"
KEYS = "keys"


@dataclass(frozen=True)
class ServeOptions:
    """The options of a server. `data` holds keys, database and anchor by default; the policy is read once, at the start."""

    data: Path
    socket: Path
    socket_mode: int = 0o660
    socket_group: str = ""
    policy: Path | None = None
    database: str = ""  # a URL; empty: SQLite in `data`
    anchor: Path | None = None  # best on another disk
    syslog: bool = False
    join: bool = False  # a new replica: its anchor begins with the checkpoints that the others signed
    lease_s: float = 60.0
    sweep_s: float = 5.0
    patience_s: float = 30.0  # for requests under way when the server is stopped
