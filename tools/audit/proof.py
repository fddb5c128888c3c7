"""Checks the proof that comes with an audit row: that the log has the row, and that it only grew since an older size.

Nothing but the proof is used: the leaf, the hashes, the signed checkpoint and the verifier key. Whether that key is the
log's own, the reader must know from elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.merkle import is_consistent, is_included, leaf_hash
from triagebook.tools.audit.note import verify


def check_proof(proof: Mapping[str, Any]) -> int:
    """Return the size of the log that the proof is about. Raises TrustError: the checkpoint or the proof does not hold."""
    checkpoint = verify(proof["checkpoint"], proof["vkey"])
    index, size = proof["index"], checkpoint.size
    if not is_included(leaf_hash(proof["leaf"].encode()), index, size, _hashes(proof["inclusion"]), checkpoint.root):
        raise _refusal(f"row {index} is not the one in the signed checkpoint of {size} rows")
    if old_size := proof["old_size"]:
        (old_root,) = _hashes([proof["old_root"]])
        if not is_consistent(old_size, size, old_root, checkpoint.root, _hashes(proof["consistency"])):
            raise _refusal(f"the log of {size} rows does not begin with the log of {old_size} rows")
    return size


def _hashes(texts: Sequence[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(text) for text in texts]
    except ValueError:
        raise _refusal("a hash of it is not hexadecimal") from None


def _refusal(what: str) -> TrustError:
    return TrustError(f"audit log: the proof does not hold: {what}; run `triagebook audit verify`", reason="audit_proof")
