"""Verifies the audit log: reports the first bad row, a missing one, a reordered one, a cut tail, a rewritten stretch.

Rows are checked against themselves (hash, index, link to the row before) and the whole against every checkpoint that
was ever signed and is still to be had: from the database, from the anchors outside it, and from whoever kept one.
Somebody who rewrites the database from one row to its end, hashes included, fits only checkpoints that he also signs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.event import AuditEvent, Head, LogRow, decode, is_copy
from triagebook.tools.audit.merkle import Edge, GrowingEdge, leaf_hash
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.audit.outline import read_outline
from triagebook.tools.audit.seal import RowKey, has_seal

MOST_WARNINGS = 100  # described singly
Visit = Callable[[AuditEvent, bool], None]


def ignore(_event: AuditEvent, _is_sealed: bool) -> None:
    """Look at no row beside the checks."""


@dataclass(frozen=True)
class Problem:
    """Describes one fault. `row` is the index where it shows first, None if there is none."""

    # unsealed | edited | missing | reordered | relinked | foreign | cut_tail | rewritten | head | checkpoint | fix | vote; copies
    kind: str
    row: int | None
    says: str


@dataclass(frozen=True)
class Report:
    """Reports what was checked and what was found, in the order of the log. Without problems the log holds.

    A warning is about a copy beside the log, which can be made again from the log (`audit repair`).
    """

    size: int
    root: bytes
    checkpoints: int
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    since: int = 0  # the first row that was checked

    @property
    def holds(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True)
class WalkStart:
    """Where to begin: the tree over the rows before, the hash of the last of them, and whether that one is sealed."""

    edge: Edge
    previous: bytes = b""
    is_sealed: bool = False


FROM_THE_FIRST = WalkStart(Edge())


@dataclass
class _Walk:
    tree: GrowingEdge
    previous: bytes = b""
    expected: int = 0
    last_matched: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unlisted: int = 0
    key: RowKey | None = None
    visit: Visit = ignore
    is_sealed: bool = False

    def take(self, row: LogRow) -> None:
        self.tree.append(row.leaf_hash)
        self.previous, self.expected = row.leaf_hash, row.index + 1

    def warn(self, row: int, says: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(Problem("copies", row, says))
        else:
            self.unlisted += 1

    def add(self, kind: str, row: int | None, says: str) -> None:
        self.problems.append(Problem(kind, row, says))


def verify(
    rows: Iterable[LogRow],
    head: Head | None,
    checkpoints: Sequence[Checkpoint],
    odd: Sequence[str] = (),
    *,
    key: RowKey | None = None,
    visit: Visit = ignore,
    start: WalkStart = FROM_THE_FIRST,
) -> Report:
    """Check all rows in order. `head` is None for an export; `odd` are checkpoints that could not be read, said why.

    With the server's key the seals are checked too. `visit` is shown each row of a fix, and whether it is sealed.
    A `start` further on must be known from elsewhere; the rows before it are not given, nor are smaller checkpoints compared.
    """
    walk = _Walk(GrowingEdge(start.edge), start.previous, start.edge.size, start.edge.size, key=key, visit=visit)
    walk.problems = [Problem("checkpoint", None, text) for text in odd]
    walk.is_sealed = start.is_sealed
    compared = [checkpoint for checkpoint in checkpoints if checkpoint.size >= start.edge.size]
    pending = sorted(compared, key=lambda checkpoint: checkpoint.size)
    at = _compare(walk, pending, 0)
    for row in rows:
        if not _is_as_written(walk, row):
            _check_row(walk, row)
        walk.take(row)
        at = _compare(walk, pending, at)
    edge = walk.tree.edge()
    if at < len(pending):
        newest = pending[-1]
        message = f"the log ends after {edge.size} rows, but a signed checkpoint shows {newest.size}: its tail was cut"
        walk.add("cut_tail", edge.size, message)
    if head is not None:
        _check_head(walk, edge, head)
    if walk.unlisted:
        walk.warnings.append(Problem("copies", None, f"{walk.unlisted} more rows have search columns that differ"))
    return Report(edge.size, edge.root(), len(pending), tuple(walk.problems), tuple(walk.warnings), start.edge.size)


def _is_as_written(walk: _Walk, row: LogRow) -> bool:
    """Say whether there is nothing to report of a row, nor to show: sealed by the key, in its place, and no fix's.

    What the key sealed is what the server wrote, so that its members need no check of their own. False says nothing yet.
    """
    if walk.key is None or row.index != walk.expected or leaf_hash(row.leaf) != row.leaf_hash or not walk.key.is_sealed(row.leaf):
        return False
    found = read_outline(row.leaf)
    if found is None or found.fix or (found.row, found.previous) != (row.index, walk.previous):
        return False
    walk.is_sealed = True
    copies = row.copies
    return copies is None or (copies.at_micros, copies.action, copies.host, copies.fix, copies.person) == found.copied


def _check_row(walk: _Walk, row: LogRow) -> None:
    if row.index != walk.expected:
        gap = f"row {walk.expected}" if row.index == walk.expected + 1 else f"rows {walk.expected} to {row.index - 1}"
        walk.add("missing", walk.expected, f"{gap} missing")
    hashed = leaf_hash(row.leaf)
    if hashed != row.leaf_hash:
        walk.add("edited", row.index, f"row {row.index} was edited: its content does not have its hash")
    for kind, says in _odd_content(walk, row):
        walk.add(kind, row.index, f"row {row.index} {says}")


def _odd_content(walk: _Walk, row: LogRow) -> Iterator[tuple[str, str]]:
    try:
        event, index, previous = decode(row.leaf)
    except TrustError as error:
        yield "foreign", f"is not an audit row: {error}"
        return
    if index != row.index:
        yield "reordered", f"was written as row {index}"
    elif previous != walk.previous and row.index == walk.expected:
        yield "relinked", "does not follow the row before it: one of the two was rewritten"
    is_sealed = walk.key.is_sealed(row.leaf) if walk.key else has_seal(row.leaf)
    if not is_sealed and (walk.is_sealed or has_seal(row.leaf)):
        yield "unsealed", "was not written by this server: it does not have its seal"
        is_sealed = has_seal(row.leaf)
    walk.is_sealed |= is_sealed
    if event.fix:
        walk.visit(event, is_sealed)
    if row.copies and not is_copy(row.copies, event):
        walk.warn(row.index, f"row {row.index} has search columns that differ from its content")


def _compare(walk: _Walk, pending: Sequence[Checkpoint], at: int) -> int:
    """Compare the tree so far with the checkpoints of its size. Returns the index of the next checkpoint."""
    while at < len(pending) and pending[at].size == walk.tree.size:
        if pending[at].root == walk.tree.edge().root():
            walk.last_matched = pending[at].size
        elif not any(problem.kind == "rewritten" for problem in walk.problems):
            stretch = f"rows {walk.last_matched} to {walk.tree.size - 1}"
            message = f"{stretch} are not those that the checkpoint of {walk.tree.size} rows was signed for"
            walk.add("rewritten", walk.last_matched, message)
        at += 1
    return at


def _check_head(walk: _Walk, edge: Edge, head: Head) -> None:
    if head.edge.size != edge.size:
        says = f"tree_head counts {head.edge.size} rows, there are {edge.size}"
        walk.add("head", min(head.edge.size, edge.size), says)
    elif head.edge != edge or head.last_leaf != walk.previous:
        walk.add("head", None, "tree_head does not have the hash of these rows")
