"""What a host may send at any step never raises anything but the faults that are evidence."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh import certificates, connector
from triagebook.tools.ssh.algorithms import CURVE25519
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.channels import Channel
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.failures import FAILURES, BadPacket, Cut, NotAgreed, NotSsh, Surprise, TimedOut
from triagebook.tools.ssh.host_keys import HostKeyCheck
from triagebook.tools.ssh.known_hosts import KnownHost
from triagebook.tools.ssh.public_keys import fingerprint, is_signed_by
from triagebook.tools.ssh.sftp import read_files
from triagebook.tools.ssh.wire import Malformed, Reader, mpint, string, uint32
from triagebook.tools.transport.base import LoginFailed, Timeouts

CHECK = HostKeyCheck("h", "h", 22, KnownHost("h", ()))


class Pipe:
    """A stream that gives its bytes and then closes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent = b""

    def send(self, data: bytes, until: float) -> None:
        self.sent += data

    def receive(self, until: float) -> bytes:
        data, self.data = self.data, b""
        if not data:
            raise Cut("connection closed by the host")
        return data

    def close(self) -> None:
        pass


def packet(payload: bytes) -> bytes:
    padding = 4 + (-(len(payload) + 9)) % 8
    return uint32(len(payload) + padding + 1) + bytes((padding,)) + payload + bytes(padding)


NAMES = st.lists(
    st.sampled_from(["curve25519-sha256", "ssh-ed25519", "aes128-gcm@openssh.com", "hmac-sha2-256", "none", "", "x"]), max_size=3
)
KEXINIT = st.builds(
    lambda lists, tail: b"\x14" + bytes(16) + b"".join(string(",".join(names)) for names in lists) + tail,
    st.lists(NAMES, min_size=10, max_size=10),
    st.sampled_from([bytes(5), b"", b"\x01" + bytes(4)]),
)
REPLY = st.builds(
    lambda *parts: b"\x1f" + b"".join(map(string, parts)), st.binary(max_size=80), st.binary(max_size=40), st.binary(max_size=90)
)
ANY = st.builds(lambda kind, rest: bytes((kind,)) + rest, st.integers(0, 255), st.binary(max_size=60))


@pytest.mark.parametrize("eager", [None, CURVE25519])
@settings(max_examples=150, deadline=None)
@given(payloads=st.lists(st.one_of(KEXINIT, REPLY, ANY), max_size=5), tail=st.binary(max_size=40))
def test_a_key_exchange_with_a_hostile_host_fails_as_evidence(eager: str | None, payloads: list[bytes], tail: bytes) -> None:
    connection = Connection(Pipe(b"SSH-2.0-x\r\n" + b"".join(map(packet, payloads)) + tail), CHECK, eager)
    attempt = LoginAttempt("h", Timeouts())
    with pytest.raises(LoginFailed):
        _exchange(connection, attempt)


def _exchange(connection: Connection, attempt: LoginAttempt) -> None:
    with attempt.phase("kex"):
        connection.exchange_identifications(time.monotonic() + 1)
        connection.exchange_keys(time.monotonic() + 1)


@settings(max_examples=300)
@given(kind=st.integers(50, 120), rest=st.binary(max_size=60), number=st.integers(0, 2))
def test_messages_after_the_login_are_handled_or_refused(kind: int, rest: bytes, number: int) -> None:
    connection = Connection(Pipe(packet(bytes((kind,)) + uint32(number) + rest)), CHECK)
    connection.handshake.initial_kex_done = True
    channel = connection.channels.open("session", cap_bytes=100)
    with pytest.raises((Cut, NotAgreed, Surprise, BadPacket)):
        connection.wait(lambda: False, time.monotonic() + 1)
    assert channel.is_closed or connection.is_dead or isinstance(channel, Channel)


def test_what_a_host_said_before_it_closed_is_read_though_nothing_can_be_sent() -> None:
    class Closed(Pipe):
        def send(self, data: bytes, until: float) -> None:
            raise Cut("broken pipe")

    with pytest.raises(NotSsh, match="Exceeded MaxStartups"):
        Connection(Closed(b"Exceeded MaxStartups\r\n"), CHECK).exchange_identifications(0.0)
    with pytest.raises(Cut, match="closed by the host"):
        Connection(Closed(b""), CHECK).exchange_identifications(0.0)


def test_messages_wait_while_the_host_renews_the_keys() -> None:
    pipe = Pipe(b"")
    connection = Connection(pipe, CHECK)
    connection.handshake.initial_kex_done, connection.handshake.local_kex_init = True, b"ours"
    connection.send(94, b"data")
    connection.flush(0.0)
    assert pipe.sent == b""
    connection.handshake.local_kex_init = None
    connection._send_delayed()
    connection.flush(0.0)
    assert pipe.sent == packet(b"\x5edata")


def test_a_refused_key_is_tried_again_by_a_run_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, two, one = connector.RefusedKeys(), {"SHA256:k", "SHA256:l"}, {"SHA256:k"}
    refused.get("ann", "web1", two).add("SHA256:k")
    assert refused.get("ann", "web1", two) == refused.get("ann", "web1", one) == {"SHA256:k"}
    assert refused.get("bob", "web1", two) == set()
    monkeypatch.setattr(connector, "ALL_REFUSED_FOR_S", -1.0)
    assert refused.get("ann", "web1", two) == {"SHA256:k"}
    assert refused.get("ann", "web1", one) == set()
    refused.get("ann", "web1", two).add("SHA256:k")
    monkeypatch.setattr(connector, "REFUSED_FOR_S", -1.0)
    assert refused.get("ann", "web1", two) == set()


def test_more_than_the_window_and_the_cap_is_dropped_and_counted() -> None:
    channel = Channel(0, 10)
    channel.feed(b"x" * 8)
    channel.feed(b"y" * 8)
    channel.feed_error(b"z" * 30)
    assert (bytes(channel.out), len(channel.err), channel.dropped, channel.is_truncated) == (b"xxxxxxxxyy", 10, 26, True)
    assert channel.take() == b"xxxxxxxxyy"
    channel.feed(b"w")
    assert channel.take() == b""


@settings(max_examples=200)
@given(answers=st.lists(st.binary(max_size=40), max_size=6), tail=st.binary(max_size=20))
def test_a_hostile_sftp_server_is_a_fault(answers: list[bytes], tail: bytes) -> None:
    data = b"".join(string(answer) for answer in answers) + tail

    class Served(Connection):
        def write(self, channel: Channel, data: bytes, until: float) -> None:
            pass

        def wait(self, is_reached: object, until: float) -> None:
            channel.out, channel.is_eof = bytearray(b"" if channel.is_eof else data), True

    channel = Channel(0, 1 << 20)
    with contextlib.suppress(Cut, NotAgreed):
        read_files(Served(Pipe(b""), CHECK), channel, ["/a", "/b"], 100, 0.0)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_keys_signatures_and_certificates_of_nonsense_are_no_proof(blob: bytes, signature: bytes) -> None:
    for algorithm in ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"):
        named = string(algorithm.replace("rsa-sha2-512", "ssh-rsa"))
        assert not is_signed_by(named + blob, algorithm, b"x", string(algorithm) + string(signature))
        assert not is_signed_by(named + string(blob) + string(signature), algorithm, b"x", string(algorithm) + string(signature))
        with pytest.raises(Malformed):
            certificates.parse(string(f"{algorithm}-cert-v01@openssh.com") + blob)
    assert fingerprint(blob).startswith("SHA256:")


@given(st.integers(0, 2**80))
def test_an_integer_is_read_as_written(value: int) -> None:
    assert Reader(mpint(value)).mpint() == value


@given(st.text(max_size=500))
def test_text_of_a_host_is_one_printable_line(text: str) -> None:
    assert safe_line(text).isprintable()
    assert safe_line(text.encode("utf-8", "replace"), 20).isprintable()
    assert len(safe_line("x" * 1000)) < 210


def test_bidirectional_and_control_characters_are_escaped() -> None:
    assert safe_line("a\u202eb\x1b[31m\nc\td") == "a\\u202eb\\x1b[31m c d"


def test_every_fault_has_a_class(tmp_path: Path) -> None:
    for fault in (*FAILURES, TimedOut):
        attempt = LoginAttempt("h", Timeouts())
        for phase in ("connect", "banner", "kex", "auth", "session", "exec"):
            with pytest.raises(LoginFailed) as caught, attempt.phase(phase):
                raise fault("connection closed by the host")
            assert caught.value.login.outcome in ("refused", "no_banner", "no_session", "cut", "timeout", "host_key")
            assert caught.value.login.message.startswith("h: ")
