"""Who has stolen the key of site us1 can do nothing to eu1: a real nats-server refuses it, by the permissions of the key alone."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from triagebook.tools.sites import wire
from triagebook.tools.sites.client import NoAnswer, SiteClient
from triagebook.tools.sites.credentials import read_credentials
from triagebook.tools.sites.last_contact import SeenSites
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.transport import SiteTransport
from triagebook.tools.transport.base import LoginFailed

from tests import nats
from tests.hang import GUARD_S
from tests.system.sites.conftest import Somebody, somebody, until


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nats.Nats]:
    """A nats-server as `triagebook site add` has it."""
    if nats.WHY_NOT:
        pytest.skip(nats.WHY_NOT)
    with nats.nats(tmp_path_factory.mktemp("strict"), "eu1", "us1") as bus:
        yield bus


@pytest.fixture(scope="module")
def lax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nats.Nats]:
    """A nats-server that lets the key of us1 do everything: what the permissions are for."""
    if nats.WHY_NOT:
        pytest.skip(nats.WHY_NOT)
    with nats.nats(tmp_path_factory.mktemp("lax"), "eu1", "us1", widened={"us1": (">", ">")}) as bus:
        yield bus


@contextmanager
def asker(bus: nats.Nats, folder: Path) -> Iterator[SiteClient]:
    made = SiteClient(NatsServer(bus.url, read_credentials(bus.creds["server"]), bus.authority), SeenSites(folder / "seen.json"))
    try:
        made.require_connection("eu1")
        yield made
    finally:
        made.close()


LISTEN = {
    "questions of another site": (wire.ask_subject("eu1"), wire.QUEUE),
    "questions of another site, outside of its queue": (wire.ask_subject("eu1"), ""),
    "what another site's worker is asked": (wire.worker_subject("eu1", "*"), ""),
    "answers of another site": ("triagebook.site.eu1.answer.>", ""),
    "answers of its own site": ("triagebook.site.us1.answer.>", ""),
    "everything": (">", ""),
    "all sites": ("triagebook.site.*.ask", ""),
    "what the nats-server says of itself": ("$SYS.>", ""),
    "inboxes of others": ("_INBOX.>", ""),
}


@pytest.mark.parametrize("what", LISTEN)
def test_a_stolen_key_does_not_listen_to(strict: nats.Nats, what: str) -> None:
    subject, queue_name = LISTEN[what]
    with somebody(strict, "us1", subject, queue_name=queue_name) as thief:
        until(lambda: thief.denied, f"nobody refuses {subject}")
        assert thief.denied == [subject.lower()]  # nats-py lowers it


SPEAK = {
    "an answer for another site": "triagebook.site.eu1.answer.x.1",
    "the presence of another site": wire.here_subject("eu1"),
    "a question to another site": wire.ask_subject("eu1"),
    "a question to its own site": wire.ask_subject("us1"),
    "something to another site's worker": wire.worker_subject("eu1", "w"),
    "something else to the server": "triagebook.server",
}


@pytest.mark.parametrize("what", SPEAK)
def test_a_stolen_key_does_not_say(strict: nats.Nats, what: str) -> None:
    with somebody(strict, "us1") as thief:
        thief.say(SPEAK[what], {"text": "mine"})
        until(lambda: thief.denied, f"nobody refuses {SPEAK[what]}")
        assert thief.denied == [SPEAK[what]]


def test_all_of_that_passes_where_the_permissions_are_wider(lax: nats.Nats) -> None:
    """Nothing but the permissions of the key refuses it."""
    passed = []
    for what, (subject, queue_name) in LISTEN.items():
        with somebody(lax, "us1", subject, queue_name=queue_name) as thief:
            thief.settle()
            passed += [] if thief.denied else [what]
    for what, subject in SPEAK.items():
        with somebody(lax, "us1") as thief:
            thief.say(subject, {"text": "mine"})
            thief.settle()
            passed += [] if thief.denied else [what]
    assert passed == [*LISTEN, *SPEAK]


def test_only_the_permissions_keep_another_site_from_reading_questions(strict: nats.Nats, lax: nats.Nats, tmp_path: Path) -> None:
    question = {"ask": "read", "host": "web01"}
    subject = wire.ask_subject("eu1")
    for bus, reads in ((strict, False), (lax, True)):
        with somebody(bus, "us1", subject, queue_name=wire.QUEUE) as thief, asker(bus, tmp_path) as server:
            if not reads:
                with pytest.raises(NoAnswer, match="no worker for site eu1"):
                    server.ask("eu1", subject, question, GUARD_S)
                assert thief.came.empty()
                continue
            with pytest.raises(NoAnswer):
                server.ask("eu1", subject, question, 0.5)
            assert wire.decode(thief.came.get(timeout=GUARD_S)[1]) == question


def test_only_the_permissions_keep_another_site_from_forging_an_answer(strict: nats.Nats, lax: nats.Nats, tmp_path: Path) -> None:
    """The thief is told by a traitor in eu1 where the answer is waited for: no worker of us1 could know it."""
    forged = {"host": "web01", "worker": "w", "session": "s", "text": "forged"}
    subject = wire.ask_subject("eu1")
    for bus, passes in ((strict, False), (lax, True)):
        with (
            somebody(bus, "eu1", subject, queue_name=wire.QUEUE) as traitor,
            somebody(bus, "us1") as thief,
            asker(bus, tmp_path) as server,
        ):
            answers = asyncio.run(_asked(server, traitor, thief, forged, GUARD_S if passes else 3.0))
            assert answers == (forged if passes else None)


async def _asked(server: SiteClient, traitor: Somebody, thief: Somebody, forged: Mapping[str, object], deadline_s: float) -> object:
    asking = asyncio.create_task(asyncio.to_thread(server.ask, "eu1", wire.ask_subject("eu1"), {"ask": "read"}, deadline_s))
    _subject, _question, reply = await asyncio.to_thread(traitor.came.get, timeout=GUARD_S)
    thief.say(reply, forged)
    try:
        return await asking
    except NoAnswer:
        return None


def test_an_answer_on_the_subject_of_another_site_is_not_used(lax: nats.Nats, tmp_path: Path) -> None:
    """Also where the nats-server lets it pass: its subject names another site than was asked."""
    subject = wire.ask_subject("eu1")
    with (
        somebody(lax, "eu1", subject, queue_name=wire.QUEUE) as traitor,
        somebody(lax, "us1") as thief,
        asker(lax, tmp_path) as server,
    ):
        asked = {"host": "web01", "text": "forged"}

        async def forge() -> object:
            asking = asyncio.create_task(asyncio.to_thread(server.ask, "eu1", subject, {"ask": "read"}, 1.0))
            _subject, _question, reply = await asyncio.to_thread(traitor.came.get, timeout=GUARD_S)
            thief.say(reply.replace(".eu1.", ".us1."), asked)
            try:
                return await asking
            except NoAnswer as error:
                return error.outcome

        assert asyncio.run(forge()) == "deadline"


@pytest.mark.parametrize("answer", [{"host": "db01"}, {}, {"host": ["web01"]}])
def test_an_answer_about_another_host_is_refused(strict: nats.Nats, tmp_path: Path, answer: Mapping[str, object]) -> None:
    with somebody(strict, "eu1", wire.ask_subject("eu1"), queue_name=wire.QUEUE) as worker, asker(strict, tmp_path) as server:

        async def lie() -> str:
            way = SiteTransport(server, "eu1", "web01")
            asking = asyncio.create_task(asyncio.to_thread(way.collect, "web01", ("host",)))
            _subject, _question, reply = await asyncio.to_thread(worker.came.get, timeout=GUARD_S)
            worker.say(reply, {"worker": "w", "session": "s", "text": "", **answer})
            with pytest.raises(LoginFailed) as failed:
                await asking
            return str(failed.value)

        assert "site eu1 answered about another host" in asyncio.run(lie())


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"\xff", "not a message of a site"),
        (b"[]", "not a message of a site"),
        (b'{"v":2}', "not a message of version 1"),
        (b'{"v":1,"v":1}', "not a message of a site"),
        (b"[" * 100_000, "not a message of a site"),
        (b'{"v":1,"n":NaN}', "not a message of a site"),
        (b"x" * (900 << 10), "a part of 921600 bytes"),
    ],
)
def test_a_malformed_answer_is_refused_in_words(strict: nats.Nats, tmp_path: Path, payload: bytes, says: str) -> None:
    with somebody(strict, "eu1", wire.ask_subject("eu1"), queue_name=wire.QUEUE) as worker, asker(strict, tmp_path) as server:

        async def lie() -> str:
            asking = asyncio.create_task(asyncio.to_thread(server.ask, "eu1", wire.ask_subject("eu1"), {"ask": "read"}, GUARD_S))
            _subject, _question, reply = await asyncio.to_thread(worker.came.get, timeout=GUARD_S)
            assert worker.connection.publish(reply, payload)
            with pytest.raises(NoAnswer) as refused:
                await asking
            return str(refused.value)

        assert says in asyncio.run(lie())


def test_an_unknown_key_is_told_so_at_the_first_question(strict: nats.Nats, lax: nats.Nats) -> None:
    made = SiteClient(NatsServer(strict.url, read_credentials(lax.creds["server"]), strict.authority), SeenSites(None))
    try:
        with pytest.raises(NoAnswer, match=r"no connection to the NATS server .*Authorization Violation"):
            made.require_connection("eu1")
    finally:
        made.close()


def test_a_nats_server_with_a_certificate_of_nobody_we_know_is_not_spoken_to(
    strict: nats.Nats, lax: nats.Nats, tmp_path: Path
) -> None:
    server = NatsServer(strict.url, read_credentials(strict.creds["server"]), lax.authority)
    made = SiteClient(server, SeenSites(None))
    try:
        with pytest.raises(NoAnswer, match=r"no connection to the NATS server .*TLS: "):
            made.require_connection("eu1")
    finally:
        made.close()
