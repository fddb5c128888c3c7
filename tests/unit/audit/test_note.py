import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.note import Checkpoint, parse_vkey, sign, verify, vkey_of

ORIGIN = "triagebook.example/audit"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
VKEY = vkey_of(ORIGIN, KEY.public_key())
SIGNED = sign(Checkpoint(ORIGIN, 5, b"r" * 32), KEY)


def test_a_signed_checkpoint_is_read_back() -> None:
    assert verify(SIGNED.note, VKEY) == SIGNED
    assert SIGNED.note.startswith(f"{ORIGIN}\n5\n")


def test_a_checkpoint_with_a_stranger_s_signature_beside_ours_is_read() -> None:
    assert verify(SIGNED.note + "\N{EM DASH} witness.example AAAAAAAA\n", VKEY).size == 5


@pytest.mark.parametrize(
    "note",
    [
        SIGNED.note.replace("\n5\n", "\n6\n"),
        SIGNED.note.replace(ORIGIN, "other.example"),
        SIGNED.note.rpartition("\n\n")[0] + "\n\n",
        SIGNED.note.replace("\n5\n", "\n05\n"),
        "",
        "x\n\n\N{EM DASH} a b\n",
    ],
)
def test_a_changed_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(TrustError):
        verify(note, VKEY)


def test_another_key_s_checkpoint_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(TrustError, match="not signed by"):
        verify(sign(Checkpoint(ORIGIN, 5, b"r" * 32), other).note, VKEY)


@given(st.text(max_size=200))
def test_reading_raises_nothing_but_trust_errors(text: str) -> None:
    for note in (text, SIGNED.note[:-1] + text, text + SIGNED.note):
        with contextlib.suppress(TrustError):
            assert verify(note, VKEY).size == 5


@pytest.mark.parametrize("vkey", ["", "a+b", "a+00000000+AQ==", VKEY.replace("+A", "+B"), VKEY + "AA"])
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(TrustError):
        parse_vkey(vkey)
