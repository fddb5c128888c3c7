"""Every checkpoint that is still to be had, from the database and from the anchors, and what is odd about them."""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.anchors import Anchor
from triagebook.tools.audit.note import Checkpoint, verify
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Store

MOST = 2000  # compared: the newest shows any change before it, the others only say where it is
GONE = "the database has checkpoints, but no anchor has any: an anchor was removed or emptied (a new replica: --join)"


@dataclass(frozen=True)
class Collected:
    """Checkpoints that verify, what is wrong with those that do not, and what another server may be the reason of."""

    valid: tuple[Checkpoint, ...]
    odd: tuple[str, ...]
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownCheckpoints:
    """Collects checkpoints."""

    store: Store
    anchors: tuple[Anchor, ...]
    vkey: str

    def collect(self, extra_notes: Sequence[str] = (), most: int = MOST) -> Collected:
        """Collect at most about so many of each source, the newest among them. One that this key did not sign is odd."""
        with self.store.read() as transaction:
            stored = audit_rows.checkpoint_notes(transaction, most)
        read = [notes for anchor in self.anchors if (notes := anchor.sample(most)) is not None]
        return self._verify_notes(stored, read, extra_notes)

    def newest(self) -> Collected:
        """Collect the newest of each source, without reading them all."""
        with self.store.read() as transaction:
            signed = audit_rows.read_signed_head(transaction)
        read = [[found] if found else [] for anchor in self.anchors if (found := anchor.newest()) is not None]
        return self._verify_notes([signed[1]] if signed else [], read, ())

    def _verify_notes(self, stored: list[str], read: list[list[str]], extra_notes: Sequence[str]) -> Collected:
        anchored = [note for notes in read for note in notes]
        odd = [GONE] if stored and read and not anchored else []
        valid: dict[str, Checkpoint] = {}
        for note in dict.fromkeys([*stored, *anchored, *extra_notes]):
            try:
                valid[note] = verify(note, self.vkey)
            except TrustError as error:
                odd.append(str(error))
        behind = self._behind(*([valid[note] for note in notes if note in valid] for notes in (stored, anchored)))
        # on SQLite there is one server: its anchor is written first, so nothing but a cut leaves it behind
        is_cut = self.store.dialect == "sqlite"
        return Collected(tuple(valid.values()), (*odd, *(behind if is_cut else ())), () if is_cut else behind)

    def _behind(self, stored: list[Checkpoint], anchored: list[Checkpoint]) -> tuple[str, ...]:
        most, kept = (max((found.size for found in each), default=0) for each in (stored, anchored))
        if not anchored or kept >= most:
            return ()
        says = f"the anchor ends before the database: its newest checkpoint has {kept} rows, the database's {most}"
        return (f"{says}; it was cut, or put back from an older copy (serve --join brings it up)",)
