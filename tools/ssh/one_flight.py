"""Logs in in one flight: everything is sent before the host has answered, and the host's key is verified in between.

    flight 1   TCP SYN
    flight 2   identification, KEXINIT, and the first message of the one key exchange that is offered
               (so the outcome cannot differ; no guess flag of RFC 4253, 7 is needed)
    --         the host's answer: its key is judged and its signature verified here; on a refusal nothing more leaves
    flight 3   NEWKEYS, service request, signed authentication, channel open, exec: one send

The order is safe because a server reads in order: the channel is opened after the authentication was checked. It is
for reading only. Orders that change a host are never sent so, for a repetition must be harmless: after a surprise
the connector starts again in the stock order.
"""

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.agent import AgentError
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.authenticate import queue_request, queue_service_request, why_refused
from triagebook.tools.ssh.channels import Channel
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.failures import AuthRefused, Cut, NotAgreed, Surprise, TimedOut
from triagebook.tools.ssh.identities import SshIdentity
from triagebook.tools.ssh.opening import Opening, wait_open
from triagebook.tools.ssh.wire import USERAUTH_SUCCESS
from triagebook.tools.transport.base import LoginFailed


def log_in_one_flight(
    connection: Connection, user: str, key: SshIdentity, opening: Opening, attempt: LoginAttempt, refused: set[str]
) -> Channel:
    """Log in with `key` and start what `opening` says; returns its channel once the host has confirmed it.

    Raises:
        Surprise: go in stock order.
        LoginFailed: the host's answer would be the same in any order (no banner, host key, no session).
    """
    limits = attempt.timeouts
    with attempt.phase("banner", limits.banner_s, starts=False) as phase:
        connection.exchange_identifications(attempt.until)
        phase.about["server"] = connection.server
    try:
        with attempt.phase("kex", limits.kex_s):
            connection.exchange_keys_and_hold(attempt.until)
            _queue_login(connection, user, key, attempt)
            channel = opening.queue(connection, is_ahead=True)
            connection.release(attempt.until)
    except LoginFailed as failed:
        if isinstance(failed.__cause__, NotAgreed | Cut | TimedOut):
            raise Surprise(failed.login.message) from failed
        raise
    try:
        _wait_for_login(connection, user, key, attempt, refused)
        with attempt.phase("session", limits.exec_s):
            wait_open(connection, channel, attempt.until)
            opening.start(connection, channel, attempt.until, is_ahead=True)
    except LoginFailed as failed:
        if isinstance(failed.__cause__, NotAgreed | Cut):
            raise Surprise(failed.login.message) from failed
        raise
    return channel


def _queue_login(connection: Connection, user: str, key: SshIdentity, attempt: LoginAttempt) -> None:
    queue_service_request(connection)
    try:
        queue_request(connection, user, key, is_signed=True, until=attempt.total_until)
    except (AgentError, UsageError, OSError) as error:
        raise Surprise(f"{key.origin} cannot sign: {error}") from error
    connection.expect_login()


def _wait_for_login(connection: Connection, user: str, key: SshIdentity, attempt: LoginAttempt, refused: set[str]) -> None:
    with attempt.phase("auth", attempt.timeouts.auth_s, user=user, key=f"{key.origin} {key.fingerprint}"):
        connection.wait(lambda: connection.auth_reply is not None, attempt.until)
        kind, reader = connection.auth_reply or (0, None)
        if kind != USERAUTH_SUCCESS:
            refused.add(key.fingerprint)
            methods = reader.names() if reader else []
            tried = [f"{key.origin} ({key.fingerprint})"]
            raise AuthRefused(why_refused(connection, user, tried, methods, 0))
