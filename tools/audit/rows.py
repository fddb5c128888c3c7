"""What the log holds, as the store and an export give it, without the database."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.audit.merkle import Edge


@dataclass(frozen=True)
class Copies:
    """Columns that repeat what the leaf says, to search by."""

    at_micros: int
    action: str
    host: str
    fix: str
    person: str


@dataclass(frozen=True)
class Row:
    """One audit row; `leaf` is what the tree covers. An export has no copies."""

    index: int
    leaf: bytes
    leaf_hash: bytes
    copies: Copies | None = None


@dataclass(frozen=True)
class Head:
    """The tree as it is stored: its edge, and the hash of the newest leaf (empty for none)."""

    edge: Edge
    last_leaf: bytes
