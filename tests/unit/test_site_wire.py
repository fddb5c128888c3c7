"""What travels between a server and its sites: subjects, permissions, messages, keys, and when a site was last heard."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import ParseError, TrustError, UsageError
from triagebook.tools.sites import wire
from triagebook.tools.sites.credentials import create_credentials, read_credentials, user_lines
from triagebook.tools.sites.last_contact import SeenSites, since_words
from triagebook.tools.sites.listing import MOST_COUNT, _worker
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.nkey import UserKey, new_seed

NOW = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)
# Of the package `nkeys` 0.2.1: encode_seed(b"a" * 32, PREFIX_BYTE_USER), and its public key.
SEED, PUBLIC = (
    "SUAGCYLBMFQWCYLBMFQWCYLBMFQWCYLBMFQWCYLBMFQWCYLBMFQWCYM73Y",
    "UCXQNI7DFELRJZHTK3AZZGYVZUMVD3DOMZRKU556A5KH6KETQM2B3P76",
)


def test_what_a_worker_counts_is_a_number_of_hosts() -> None:
    said = {"worker": "w\x1b[2J", "hosts": -(10**4000), "at_once": 10**4000, "waiting": "7", "version": 7}
    told = _worker(said)
    assert (told.hosts, told.at_once, told.waiting, told.version) == (0, MOST_COUNT, 0, "")
    assert told.name.isprintable()


def test_a_key_is_the_one_that_other_clients_of_nats_read() -> None:
    assert UserKey(SEED).public == PUBLIC
    seed = new_seed()
    assert UserKey(seed).public.startswith("U")
    assert seed != new_seed()


@pytest.mark.parametrize("seed", ["", "SU", SEED[:-1] + "A", SEED.replace("SU", "SA", 1), SEED.lower(), PUBLIC, "é" * 58])
def test_a_mistyped_key_is_refused(seed: str) -> None:
    with pytest.raises(ValueError, match="seed"):
        UserKey(seed)


def test_a_key_is_written_for_its_owner_only_and_never_over_another(tmp_path: Path) -> None:
    file = tmp_path / "eu1.creds"
    public = create_credentials(file, "about")
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_credentials(file).key.public == public
    with pytest.raises(UsageError, match="is there already"):
        create_credentials(file, "about")
    file.chmod(0o640)
    with pytest.raises(TrustError, match="lets others in; chmod 0600"):
        read_credentials(file)
    assert public in user_lines(public, wire.site_permissions("eu1"))


def test_the_permissions_of_a_site_name_no_other_site() -> None:
    may = wire.site_permissions("eu1")
    assert {wire.site_of(subject.partition(" ")[0]) for subject in (*may.publish, *may.subscribe)} == {"eu1"}
    assert not {wire.ask_subject("eu1"), wire.worker_subject("eu1", "*")} & set(may.publish)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_refusal_in_words(payload: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert isinstance(wire.decode(payload), dict)


@given(st.text(max_size=12))
def test_any_header_is_a_part_or_a_refusal_in_words(header: str) -> None:
    try:
        number, of = wire.part_of(header)
    except ParseError:
        return
    assert 1 <= number <= of <= wire.MOST_BYTES // wire.MOST_PART


def test_a_long_answer_is_sent_in_parts_and_none_is_too_long() -> None:
    parts = wire.split(b"x" * (wire.MOST_PART * 2 + 1))
    assert [len(part) for part in parts] == [wire.MOST_PART, wire.MOST_PART, 1]
    with pytest.raises(ParseError, match="more than"):
        wire.split(b"x" * (wire.MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://nats.example.com", "without TLS anybody on the way could read and answer; write tls://nats.example.com:4222"),
        ("nats://10.0.0.1:4333", "write tls://10.0.0.1:4333"),
        ("https://nats.example.com", "expected tls://HOST:4222"),
        ("tls://", "expected tls://HOST:4222"),
        ("tls://user:secret@nats.example.com", "expected tls://HOST:4222"),
        ("nats.example.com", "expected tls://HOST:4222"),
    ],
)
def test_an_address_that_is_none_or_that_others_could_read_is_refused(tmp_path: Path, url: str, says: str) -> None:
    create_credentials(tmp_path / "key", "")
    with pytest.raises(UsageError) as refused:
        NatsServer(url, read_credentials(tmp_path / "key")).check()
    assert says in str(refused.value)
    for fine in ("tls://nats.example.com", "nats://127.0.0.1:4222", "nats://localhost", "nats://[::1]:4222"):
        NatsServer(fine, read_credentials(tmp_path / "key")).check()


def test_since_when_a_site_has_no_worker_is_remembered_between_runs(tmp_path: Path) -> None:
    file = tmp_path / "state" / "sites.json"
    seen, other = SeenSites(file), SeenSites(file)
    seen.mark("eu1", NOW)
    other.mark("us1", NOW + timedelta(minutes=1))
    assert SeenSites(file).last("eu1") == NOW
    assert seen.last("us1") == NOW + timedelta(minutes=1)
    assert since_words(NOW, NOW + timedelta(minutes=9)) == f"since {NOW.astimezone():%H:%M}"
    assert since_words(NOW, NOW + timedelta(days=3)) == f"since {NOW.astimezone():%Y-%m-%d %H:%M}"
    assert SeenSites(None).since("eu1", NOW) == "(none has answered yet)"
    assert SeenSites(file).since("eu1", NOW) == since_words(NOW, NOW)
    assert SeenSites(file).since("eul", NOW) == "(none has answered yet) (did you mean 'eu1'?)"
    for text in (b"\xff", b"[]", b'{"eu1": 7}', b'{"eu1": "yesterday"}'):
        file.write_bytes(text)
        assert SeenSites(file).last("eu1") is None
