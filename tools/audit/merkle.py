"""Implements the Merkle tree of RFC 6962, section 2: hashes, a right edge that grows in O(log n), proofs and their checks.

Pure functions over SHA-256 hashes (32 bytes). `Edge` is all that must be kept to append: the roots of the perfect
subtrees that make up the tree, largest first, one for each bit set in its size.
"""

import hashlib
from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf: SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Edge:
    """Holds the right edge of a tree of `size` leaves."""

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Edge":
        """Return the edge after one more leaf hash. O(log n)."""
        grown = GrowingEdge(self)
        grown.append(leaf)
        return grown.edge()

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        if not self.nodes:
            return EMPTY_ROOT
        *nodes, root = self.nodes
        while nodes:
            root = node_hash(nodes.pop(), root)
        return root

    def encode(self) -> bytes:
        """Return the nodes one after the other; the size says how many."""
        return b"".join(self.nodes)


class GrowingEdge:
    """The right edge of a tree to which many leaves are appended, of which few edges between are looked at."""

    def __init__(self, start: Edge) -> None:
        self.size = start.size
        self._nodes = list(start.nodes)

    def append(self, leaf: bytes) -> None:
        """Take one more leaf hash into the tree. O(log n)."""
        nodes, node, size = self._nodes, leaf, self.size
        while size & 1:
            node = node_hash(nodes.pop(), node)
            size >>= 1
        nodes.append(node)
        self.size += 1

    def edge(self) -> Edge:
        """Return the edge as it is now."""
        return Edge(self.size, tuple(self._nodes))


def decode_edge(size: int, content: bytes) -> Edge:
    """Read `Edge.encode`'s bytes. ValueError when they do not fit the size."""
    if size < 0 or len(content) != size.bit_count() * HASH_BYTES:
        raise ValueError(f"{len(content)} bytes are no edge of a tree of {size}")
    return Edge(size, tuple(content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)))


def edge_of(leaves: Sequence[bytes]) -> Edge:
    """Return the edge of the tree over these leaf hashes."""
    grown = GrowingEdge(Edge())
    for leaf in leaves:
        grown.append(leaf)
    return grown.edge()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the path that shows leaf `index` to be in the tree over these leaf hashes (RFC 6962, 2.1.1). O(n)."""
    (proof,) = inclusion_proofs(leaves, [index])
    return proof


def inclusion_proofs(leaves: Sequence[bytes], indexes: Sequence[int]) -> list[tuple[bytes, ...]]:
    """Return the path of each of these leaves. A subtree that several paths go by is hashed once."""
    roots: dict[tuple[int, int], bytes] = {}

    def root(start: int, stop: int) -> bytes:
        if (start, stop) not in roots:
            roots[start, stop] = edge_of(leaves[start:stop]).root()
        return roots[start, stop]

    def path(index: int, start: int, stop: int) -> tuple[bytes, ...]:
        if stop - start == 1:
            return ()
        middle = start + _split(stop - start)
        if index < middle:
            return (*path(index, start, middle), root(middle, stop))
        return (*path(index, middle, stop), root(start, middle))

    for index in indexes:
        if not 0 <= index < len(leaves):
            raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    return [path(index, 0, len(leaves)) for index in indexes]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the tree over these leaves begins with the tree of `old_size` (RFC 6962, 2.1.2). O(n)."""
    if not 0 < old_size <= len(leaves):
        raise ValueError(f"a tree of {len(leaves)} has no proof from size {old_size}")
    return _subproof(leaves, old_size, is_whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, is_whole: bool) -> tuple[bytes, ...]:
    if old_size == len(leaves):
        return () if is_whole else (edge_of(leaves).root(),)
    split = _split(len(leaves))
    if old_size <= split:
        return (*_subproof(leaves[:split], old_size, is_whole=is_whole), edge_of(leaves[split:]).root())
    return (*_subproof(leaves[split:], old_size - split, is_whole=False), edge_of(leaves[:split]).root())


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return int(1 << (size - 1).bit_length() - 1)


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the proof shows this leaf hash at `index` of the tree of `size` with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(node, found)
            while at & 1 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the proof shows that the tree of `size` begins with the tree of `old_size` (RFC 9162, 2.1.4.2)."""
    if old_size == size:
        return old_root == root and not proof
    if not 0 < old_size < size or not proof:
        return False
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = found = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_found, found = node_hash(node, old_found), node_hash(node, found)
            while at & 1 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root
