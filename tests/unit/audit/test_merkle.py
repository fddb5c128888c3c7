import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.audit.merkle import (
    EMPTY_ROOT,
    Edge,
    consistency_proof,
    decode_edge,
    edge_of,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
)

# the test vectors of Certificate Transparency's reference implementation (google/certificate-transparency, merkle tests)
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "6061626364656667" * 1 + "68696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def _by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + _by_definition(leaves[:split]) + _by_definition(leaves[split:])).digest()


def test_roots_are_those_of_the_reference_implementation() -> None:
    assert [edge_of(HASHES[: size + 1]).root().hex() for size in range(8)] == ROOTS
    assert Edge().root() == EMPTY_ROOT


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_the_growing_edge_has_the_root_of_the_definition(leaves: list[bytes]) -> None:
    edge = edge_of(leaves)
    assert edge.root() == _by_definition(leaves)
    assert len(edge.nodes) == len(leaves).bit_count()
    assert decode_edge(edge.size, edge.encode()) == edge


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 21])
def test_every_leaf_is_proved_and_no_other_is(size: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    root = edge_of(leaves).root()
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert is_included(leaves[index], index, size, proof, root)
        assert not is_included(leaf_hash(b"other"), index, size, proof, root)
        assert not is_included(leaves[index], index + 1, size, proof, root)
        assert not is_included(leaves[index], index, size, (*proof, root), root)
        assert not proof or not is_included(leaves[index], index, size, proof[:-1], root)


def test_every_older_tree_is_proved_to_be_a_prefix_and_no_other_is() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(21)]
    for size in range(1, 22):
        root = edge_of(leaves[:size]).root()
        for old in range(1, size + 1):
            old_root = edge_of(leaves[:old]).root()
            proof = consistency_proof(leaves[:size], old)
            assert is_consistent(old, size, old_root, root, proof)
            assert not is_consistent(old, size, leaf_hash(b"x"), root, proof)
            assert not is_consistent(old, size, old_root, leaf_hash(b"x"), proof)


@pytest.mark.parametrize(("size", "content"), [(1, b""), (3, b"x" * 32), (-1, b""), (0, b"x" * 32)])
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, content: bytes) -> None:
    with pytest.raises(ValueError, match="no edge"):
        decode_edge(size, content)


@pytest.mark.parametrize("index", [-1, 8])
def test_a_leaf_that_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(HASHES, index)
