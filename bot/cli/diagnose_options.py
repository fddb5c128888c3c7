"""What a person asked `triagebook diagnose` for, as the command line was parsed."""

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.dataclass import dataclass

if TYPE_CHECKING:
    from triagebook.tools.ssh.transport import SshTransport


@dataclass(frozen=True)
class DiagnoseOptions:
    """The options of `triagebook diagnose` as parsed from the command line."""

    hosts: tuple[str, ...]
    runbook: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)
    sample_s: float = 2.0
    explain: bool = False
    as_json: bool = False
    save: str = ""
    accepted: tuple[str, ...] = ()
    is_by_server: bool = False
    transport: str = "ssh"
    ssh_config: str = ""
    at_once: int = 0
    max_errors: int = 0
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hosts_from: str = ""
    retry_file: str = ""
    timeout_s: float = 0.0
    dialing: "SshTransport | None" = None


def inputs_of(**known: object) -> Mapping[str, object]:
    """Return what a person said of the incident, without what was left empty."""
    return {name: value for name, value in known.items() if value}
