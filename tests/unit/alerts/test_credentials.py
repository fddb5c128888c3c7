"""How a sender proves who it is."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest
from triagebook.tools.alerts.credentials import Basic, Bearer, Credential, Signature

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
    assert credential.holds(headers, BODY) is holds
