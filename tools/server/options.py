"""How a server is started."""

from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass

DATABASE = "triagebook.db"
ANCHOR = "checkpoints.jsonl"
KEYS = "keys"


@dataclass(frozen=True)
class ServeOptions:
    """`data` holds keys, database and anchor unless told otherwise; the policy is read once, at the start."""

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
