"""The packet layer: every cipher both ways, any fragmentation, deadlines in the middle, hostile bytes."""

import contextlib
import hashlib
import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.tools.ssh.failures import BadPacket, Cut, TimedOut
from triagebook.tools.ssh.packets import MAX_PACKET_BYTES, Packets

MODES = ("clear", "gcm", "ctr", "etm")


class Pipe:
    """A stream in memory: what is sent, and pieces to receive (an empty piece is a deadline that passes)."""

    def __init__(self, pieces: list[bytes] | None = None) -> None:
        self.sent = b""
        self.pieces = pieces or []

    def send(self, data: bytes, until: float) -> None:
        self.sent += data

    def receive(self, until: float) -> bytes:
        if not self.pieces:
            raise Cut("connection closed by the host")
        piece = self.pieces.pop(0)
        if not piece:
            raise TimedOut
        return piece

    def close(self) -> None:
        pass


def encrypted(packets: Packets, mode: str, *, is_outbound: bool) -> Packets:
    """Switch one direction on, as paramiko does."""
    key, iv = b"k" * 16, b"i" * 12
    sets: Any = packets.set_outbound_cipher if is_outbound else packets.set_inbound_cipher
    iv_name = "iv_out" if is_outbound else "iv_in"
    if mode == "gcm":
        sets(
            block_engine=AESGCM(key),
            block_size=16,
            mac_engine=None,
            mac_size=16,
            mac_key=None,
            etm=False,
            aead=True,
            **{iv_name: iv},
        )
    elif mode != "clear":
        cipher = Cipher(AES(key), CTR(b"c" * 16))
        engine = cipher.encryptor() if is_outbound else cipher.decryptor()
        sets(
            block_engine=engine,
            block_size=16,
            mac_engine=hashlib.sha256,
            mac_size=32,
            mac_key=b"m" * 32,
            etm=mode == "etm",
            aead=False,
        )
    return packets


def wire(mode: str, payloads: list[bytes]) -> bytes:
    pipe = Pipe()
    packets = encrypted(Packets(pipe), mode, is_outbound=True)
    for payload in payloads:
        packets.send_message(payload)
    packets.flush(0.0)
    return pipe.sent


def receive_all(mode: str, pieces: list[bytes]) -> list[bytes]:
    packets, received = encrypted(Packets(Pipe(pieces)), mode, is_outbound=False), []
    while True:
        try:
            received.append(packets.read_packet(0.0)[0])
        except TimedOut:
            continue
        except Cut:
            return received


@pytest.mark.parametrize("mode", MODES)
@given(payloads=st.lists(st.binary(min_size=1, max_size=200), max_size=5), cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_packets_arrive_however_they_are_cut_and_whenever_a_deadline_passes(
    mode: str, payloads: list[bytes], cuts: list[int]
) -> None:
    stream = wire(mode, payloads)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [piece for start, end in itertools.pairwise(places) for piece in (stream[start:end], b"")]
    assert receive_all(mode, pieces) == payloads


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_changed_byte_is_noticed(mode: str) -> None:
    stream = wire(mode, [b"payload of some length"])
    for index in range(len(stream)):
        changed = stream[:index] + bytes((stream[index] ^ 1,)) + stream[index + 1 :]
        with contextlib.suppress(BadPacket):
            assert receive_all(mode, [changed]) == []  # a longer length: never whole


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=200)
@given(data=st.binary(max_size=300))
def test_hostile_bytes_are_a_bad_packet_or_nothing(mode: str, data: bytes) -> None:
    with contextlib.suppress(BadPacket):
        receive_all(mode, [data])


@pytest.mark.parametrize("length", [0, 4, MAX_PACKET_BYTES + 1, 2**32 - 1])
def test_an_impossible_length_is_refused_before_it_is_waited_for(length: int) -> None:
    with pytest.raises(BadPacket, match="length"):
        receive_all("clear", [length.to_bytes(4, "big") + b"xxxx"])


def test_a_flight_leaves_in_one_piece() -> None:
    pipe = Pipe()
    packets = Packets(pipe)
    packets.write_all(b"SSH-2.0-x\r\n")
    packets.send_message(b"one")
    assert pipe.sent == b""
    packets.flush(0.0)
    assert pipe.sent.startswith(b"SSH-2.0-x\r\n")
    assert len(pipe.sent) == 11 + 16
    packets.flush(0.0)
    assert len(pipe.sent) == 27


def test_a_line_is_read_before_packets_and_a_long_one_refused() -> None:
    packets = Packets(Pipe([b"one\r\ntwo\nrest"]))
    assert (packets.read_line(0.0), packets.read_line(0.0), packets.unread_text()) == (b"one", b"two", "rest")
    with pytest.raises(BadPacket):
        Packets(Pipe([b"x" * 5000, b"x" * 5000])).read_line(0.0)
