"""A token with one scope reads another's resource; texts no database keeps; numbers no kernel counts; cut SSH messages."""

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.reading import counts, integer, number
from triagebook.tools.collector.stream import SampleStream
from triagebook.tools.inventory.inventory import Inventory, InventoryHost
from triagebook.tools.inventory.names import Names
from triagebook.tools.mcp_server.auth import AUDIT, READ, SCOPES, scope_of_resource
from triagebook.tools.server.protocol import parse_request
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.wire import Malformed, Reader
from triagebook.tools.transport.base import LoginFailed, Timeouts

from tests.system.mcp.world import caller

ADDRESSES = ["audit://row/0", "audit://host/web-01", "audit://fix/F-1", "AUDIT://row/0", "Audit://host/web-01"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_resource_of_the_audit_log_needs_its_scope(address: str) -> None:
    assert scope_of_resource(address) == AUDIT
    assert scope_of_resource("runbook://enomem/1.0.0") == scope_of_resource("diagnosis://audit:") == READ


@pytest.mark.parametrize("host", ["\\ud800", "\\u0000", "web\\udfff"])
@pytest.mark.parametrize("request_line", ['{"do": "show", "fix": "%s"}', '{"do": "propose", "inputs": {"pid": "%s"}}', '{"%s": 1}'])
def test_a_text_that_no_database_keeps_is_answered_and_not_stored(host: str, request_line: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_request((request_line % host).encode())
    assert refused.value.reason == "request"


def test_deep_requests_are_answered_too() -> None:
    with pytest.raises(UsageError):
        parse_request(b'{"a":' * 5000 + b"1" + b"}" * 5000)


@pytest.mark.parametrize("text", ["9223372036854775808", "18446744073709551615", "99999999999999999999"])
def test_a_number_that_no_kernel_counts_is_unreadable(text: str) -> None:
    assert isinstance(integer(text), Unreadable)
    assert isinstance(number([text], 0), Unreadable)
    assert counts([text], 0) is None


@pytest.mark.parametrize("text", ["9223372036854775807", "9223372036854771712", "9007199254740993000"])
def test_a_great_number_can_be_multiplied_in_a_rule(text: str) -> None:
    for value in (integer(text), number([text], 0), number([text[:16]], 0, 1024)):
        assert isinstance(value, Unreadable) or value * 100 < 2**63


@pytest.mark.parametrize("phase", ["banner", "kex", "auth", "session"])
def test_a_message_that_ends_early_is_a_failed_login_in_every_phase(phase: str) -> None:
    attempt = LoginAttempt("evil", Timeouts())
    with pytest.raises(LoginFailed) as failed, attempt.phase(phase, 5):
        Reader(b"\x00\x00\xff\xff").names()
    assert isinstance(failed.value.__cause__, Exception)
    assert not isinstance(failed.value.__cause__, Malformed)
    assert "cannot be read" in failed.value.login.message


def test_an_unknown_name_suggests_no_host_that_may_not_be_seen() -> None:
    names = Names(Inventory({name: InventoryHost(name) for name in ("prod-db", "open-1")}, {"web": (("prod-db", "open-1"), ())}))
    for wrong in ("prod-bd", "x", "open-2", "group"):
        with pytest.raises(UsageError) as refused:
            names.require(wrong, lambda name: name == "open-1")
        assert "prod-db" not in str(refused.value)
    assert names.resolve(["group:web"], lambda name: name == "open-1") == ("open-1",)


class Drip:
    """A process that prints sixteen bytes at a time and never a header."""

    def __init__(self, pieces: int) -> None:
        self.left, self.looked = pieces, 0

    def read(self, _timeout_s: float) -> bytes:
        self.left -= 1
        return b"" if self.left < 0 else b"no header here\n\n"


def test_a_slow_drip_without_a_header_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in characters searched: before, 4000 pieces of 16 bytes were 128 million of them."""
    searched = 0

    class Counted:
        def search(self, text: str) -> None:
            nonlocal searched
            searched += len(text)

    monkeypatch.setattr("triagebook.tools.collector.stream.HEADER", Counted())
    stream = SampleStream(Drip(4000))  # type: ignore[arg-type]
    stream.read_sample(1, 60.0)
    assert searched < 4 * 64_000


def test_a_read_only_token_is_refused_at_the_audit_log() -> None:
    assert caller("ann", (READ,)).has_scope(scope_of_resource("audit://row/0")) is False
    assert caller("ann", SCOPES).has_scope(scope_of_resource("audit://row/0"))
