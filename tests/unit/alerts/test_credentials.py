"""How a sender proves who it is."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest
from triagebook.tools.alerts.credentials import Basic, Bearer, ClientCertificate, Credential, Proofs, Signature

BODY = b'{"event": {}}'
OLD, NEW, OTHER = b"old-secret-of-16", b"new-secret-of-16", b"another-of-16-ch"


def signed(*secrets: bytes, body: bytes = BODY) -> dict[str, str]:
    words = [f"v1={hmac.new(secret, body, hashlib.sha256).hexdigest()}" for secret in secrets]
    return {"x-pagerduty-signature": ",".join(words)}


def basic(user: str, password: bytes) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(user.encode() + b":" + password).decode()}


@pytest.mark.parametrize(
    ("credential", "headers", "holds"),
    [
        (Bearer((OLD, NEW)), {"authorization": f"Bearer {OLD.decode()}"}, True),
        (Bearer((OLD, NEW)), {"authorization": f"bearer {NEW.decode()}"}, True),
        (Bearer((OLD,)), {"authorization": f"Bearer {OTHER.decode()}"}, False),
        (Bearer((OLD,)), {"authorization": f"Basic {OLD.decode()}"}, False),
        (Bearer((OLD,)), {"authorization": "Bearer "}, False),
        (Bearer((OLD,)), {"authorization": "Bearer \xff\xfe"}, False),
        (Bearer((OLD,)), {}, False),
        (Basic("am", (OLD, NEW)), basic("am", NEW), True),
        (Basic("am", (OLD,)), basic("pm", OLD), False),
        (Basic("am", (OLD,)), basic("am", OTHER), False),
        (Basic("am", (OLD,)), {"authorization": "Basic %%%"}, False),
        (Signature((OLD, NEW)), signed(OLD), True),
        (Signature((OLD, NEW)), signed(OTHER, NEW), True),
        (Signature((OLD,)), signed(OTHER), False),
        (Signature((OLD,)), signed(OLD, body=b"other"), False),
        (Signature((OLD,)), {"x-pagerduty-signature": "v1="}, False),
        (Signature((OLD,)), {}, False),
    ],
)
def test_only_the_secret_holds(credential: Credential, headers: Mapping[str, str], *, holds: bool) -> None:
    assert credential.holds(Proofs(headers), BODY) is holds


@pytest.mark.parametrize(
    ("names", "holds"), [({"am.example"}, True), ({"other.example", "am.example"}, True), ({"example"}, False), (set(), False)]
)
def test_only_a_certificate_of_that_name_holds_and_no_header_is_one(names: set[str], *, holds: bool) -> None:
    credential = ClientCertificate(frozenset({"am.example"}))
    headers = {"client_names": "am.example", "x-client-names": "am.example", "authorization": "Bearer am.example"}
    assert credential.holds(Proofs(headers, frozenset(names)), BODY) is holds
