"""What another process must know of a running machine: `run/NAME/state.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.lab.qemu import Process

FILE = "state.json"


@dataclass
class State:
    """A running machine. `sysctls` are the guest's settings before the scenario."""

    release: str
    process: Process
    port: int
    sockets: str
    accelerator: str
    boot_s: float
    resume_s: float
    scenario: str = ""
    sysctls: dict[str, str] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Store it."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, directory: Path) -> "State | None":
        """The stored one, or None."""
        path = directory / FILE
        if not path.exists():
            return None
        stored = json.loads(path.read_text())
        return cls(**{**stored, "process": Process(**stored["process"])})
