"""`audit show` verifies what the server sends: each part of a proof, changed, is noticed."""

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.merkle import consistency_proof, edge_of, inclusion_proof, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign, vkey_of
from triagebook.tools.audit.proof import check_proof

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LEAVES = [f"row {number}" for number in range(7)]
HASHES = [leaf_hash(leaf.encode()) for leaf in LEAVES]


def proof(index: int = 4, old_size: int = 3) -> dict[str, Any]:
    return {
        "index": index,
        "leaf": LEAVES[index],
        "inclusion": [node.hex() for node in inclusion_proof(HASHES, index)],
        "checkpoint": sign(Checkpoint("log.example", 7, edge_of(HASHES).root()), KEY).note,
        "vkey": vkey_of("log.example", KEY.public_key()),
        "old_size": old_size,
        "old_root": edge_of(HASHES[:old_size]).root().hex() if old_size else "",
        "consistency": [node.hex() for node in consistency_proof(HASHES, old_size)] if old_size else [],
    }


@pytest.mark.parametrize("index", range(7))
@pytest.mark.parametrize("old_size", range(8))
def test_the_proof_of_every_row_from_every_size_holds(index: int, old_size: int) -> None:
    assert check_proof(proof(index, old_size)) == 7


OTHER = leaf_hash(b"other").hex()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"leaf": "row 5"}, "row 4 is not the one in the signed checkpoint of 7 rows"),
        ({"index": 5}, "row 5 is not the one"),
        ({"inclusion": []}, "row 4 is not the one"),
        ({"inclusion": [OTHER] * 3}, "row 4 is not the one"),
        ({"inclusion": ["zz"]}, "a hash of it is not hexadecimal"),
        ({"old_root": OTHER}, "the log of 7 rows does not begin with the log of 3 rows"),
        ({"old_size": 2}, "does not begin with the log of 2 rows"),
        ({"consistency": []}, "does not begin with the log of 3 rows"),
        ({"checkpoint": proof()["checkpoint"].replace("\n7\n", "\n8\n")}, "the signature by log.example is wrong"),
        ({"vkey": vkey_of("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())}, "not signed by"),
    ],
)
def test_a_proof_with_one_part_changed_does_not_hold(change: Mapping[str, Any], says: str) -> None:
    with pytest.raises(TrustError, match=says):
        check_proof({**proof(), **change})
