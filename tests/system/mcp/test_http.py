"""Over HTTP: who a token is, what it may be used for, and which tokens prove nothing. A real server on loopback."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.mcp_server import http
from triagebook.tools.mcp_server.auth import SCOPES, JwtVerifier
from triagebook.tools.server.run import RunningServer

from tests.hang import GUARD_S
from tests.system.mcp import world as worlds

from .test_attacks import WISH
from .world import INVENTORY, ISSUER, Hosts, McpWorld, text

URL = "https://triage.example/mcp"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token(
    subject: str = "ann", *, key: Any = KEY, algorithm: str = "ES256", headers: dict[str, Any] | None = None, **claims: Any
) -> str:
    """An access token as the identity provider makes them; `claims` replace or (None) remove."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": URL, "sub": subject, "exp": now + 300, "iat": now, "scope": " ".join(SCOPES), **claims}
    made = {name: value for name, value in made.items() if value is not None}
    return jwt.encode(made, key, algorithm=algorithm, headers={"kid": "k1", "typ": "at+jwt", **(headers or {})})


@dataclass
class Web:
    """A world served on HTTP."""

    world: McpWorld
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def post(self, bearer: str = "", *, body: Any = None, **headers: str) -> httpx2.Response:
        sent = {"accept": "application/json, text/event-stream", "content-type": "application/json", **headers}
        if bearer:
            sent["authorization"] = f"Bearer {bearer}"
        message = body if body is not None else {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        return httpx2.post(self.address, content=json.dumps(message), headers=sent, timeout=GUARD_S)

    def call(self, bearer: str, tool: str, arguments: dict[str, Any], mode: str = "auto") -> Any:
        async def main() -> Any:
            async with AsyncExitStack() as stack:
                http = await stack.enter_async_context(
                    httpx2.AsyncClient(headers={"authorization": f"Bearer {bearer}"} if bearer else {}, timeout=GUARD_S)
                )
                client = await stack.enter_async_context(Client(streamable_http_client(self.address, http_client=http), mode=mode))
                return await client.call_tool(tool, arguments)

        return anyio.run(main)

    def strangers(self) -> set[str]:
        """The reasons of the audit log for credentials that proved nothing; written within a second."""
        deadline = time.monotonic() + GUARD_S
        while time.monotonic() < deadline:
            found = {event.reason for event in self.world.trust.events() if event.action == "authenticate"}
            if found:
                return found
            time.sleep(0.05)
        return set()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    world = worlds.build(tmp_path)
    keys = [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k1", "use": "sig", "alg": "ES256"}]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": keys}))
    options = http.http_options("127.0.0.1:0", url=URL, issuer=ISSUER, jwks=str(tmp_path / "jwks.json"))
    place = RunningServer(world.trust.service, world.trust.trust, None)  # type: ignore[arg-type]
    hosts: Any = Hosts()
    server, app = http.build_application(options, place, hosts, INVENTORY, lambda: hosts.catalog.entries()[-1].name)
    world.server = server
    with http.listen(options, app) as port:
        yield Web(world, port)
    world.trust.store.close()


def test_a_verified_token_is_a_person_in_both_revisions(site: Web) -> None:
    for mode in ("auto", "legacy"):
        answer = site.call(token(), "propose_fix", WISH, mode)
        assert answer.structured_content["requester"] == "ann", text(answer)
    newest = site.world.trust.last()
    assert (newest.account, newest.person, newest.channel) == ("mcp:https://idp.example/#ann", "ann", "mcp")


def test_each_request_is_judged_by_its_own_token(site: Web) -> None:
    assert not site.call(token(), "propose_fix", WISH).is_error
    reader = site.call(token(scope="triagebook:read"), "propose_fix", WISH)
    assert "refused [scope_missing]" in text(reader)
    assert site.world.trust.last().reason == "scope_missing"
    assert "refused [unmapped_account]" in text(site.call(token("stranger"), "propose_fix", WISH))
    assert not site.call(token("stranger"), "diagnose", {"host": "web-01"}).is_error
    assert site.world.trust.last().account.endswith("#stranger")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: token(aud="https://other.example/mcp"), "token_audience"),
        (lambda: token(aud=None), "token_malformed"),
        (lambda: token(iss="https://evil.example/"), "token_issuer"),
        (lambda: token(exp=int(time.time()) - 60), "token_expired"),
        (lambda: token(exp=None), "token_malformed"),
        (lambda: token(sub=None), "token_malformed"),
        (lambda: token(key=OTHER), "token_signature"),
        (lambda: token(key=RSA, algorithm="RS256", headers={"kid": "k2"}), "token_key"),
        (lambda: token(key="x" * 64, algorithm="HS256"), "token_algorithm"),
        (lambda: token(key="", algorithm="none"), "token_algorithm"),
        (lambda: token(headers={"typ": "JOSE"}), "token_malformed"),
        (lambda: token()[:-4] + "AAAA", "token_signature"),
        (lambda: "not a token", "token_malformed"),
        (lambda: "x" * 9000, "token_malformed"),
    ],
)
def test_a_token_that_proves_nothing_is_refused_and_recorded(site: Web, made: Callable[[], str], reason: str) -> None:
    answer = site.post(made())  # made now: collected with the test, it would have expired before a long run comes here
    assert answer.status_code == 401
    assert (
        'resource_metadata="https://triage.example/.well-known/oauth-protected-resource/mcp"' in answer.headers["www-authenticate"]
    )
    assert site.strangers() == {reason}


def test_without_a_token_nothing_is_served_and_the_metadata_says_where_to_get_one(site: Web) -> None:
    assert site.post().status_code == 401
    document = httpx2.get(site.address.replace("/mcp", "/.well-known/oauth-protected-resource/mcp"), timeout=GUARD_S).json()
    assert document["resource"] == URL
    assert document["authorization_servers"] == [ISSUER]
    assert set(document["scopes_supported"]) == set(SCOPES)


def test_another_host_or_origin_is_turned_away(site: Web) -> None:
    assert site.post(token(), host="evil.example").status_code == 421
    assert site.post(token(), origin="https://evil.example").status_code == 403


def test_a_body_that_is_too_large_is_turned_away(site: Web) -> None:
    assert site.post(token(), body={"x": "y" * 300_000}).status_code == 413


@pytest.mark.parametrize(
    ("listen", "values"),
    [
        ("0.0.0.0:8765", {}),
        ("[::]:8765", {}),
        ("192.0.2.1:8765", {}),
        ("triage.example:8765", {}),
        ("127.0.0.1:8765", {"issuer": ISSUER}),
        ("0.0.0.0:8765", {"issuer": ISSUER, "jwks": "jwks.json"}),
        ("127.0.0.1", {}),
    ],
)
def test_it_does_not_start_where_strangers_could_reach_it(listen: str, values: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        http.http_options(listen, **values)


def test_keys_come_by_https_or_from_a_file() -> None:
    from triagebook.tools.mcp_server.auth import Issuer

    for where in ("http://idp.example/jwks", "ftp://idp.example/jwks", "/nonexistent"):
        with pytest.raises(UsageError):
            JwtVerifier(Issuer(ISSUER, URL, where), lambda _counts: None)


def test_on_loopback_without_an_issuer_everybody_is_nobody(tmp_path: Path) -> None:
    world = worlds.build(tmp_path)
    options = http.http_options("127.0.0.1:0")
    place = RunningServer(world.trust.service, world.trust.trust, None)  # type: ignore[arg-type]
    hosts: Any = Hosts()
    _, app = http.build_application(options, place, hosts, INVENTORY, lambda: hosts.catalog.entries()[-1].name)
    with http.listen(options, app) as port:
        site = Web(world, port)
        assert not site.call("", "diagnose", {"host": "web-01"}).is_error
        assert "refused [unmapped_account]" in text(site.call("", "propose_fix", WISH))
    assert world.trust.last().account == "mcp:loopback#anonymous"
    world.trust.store.close()
