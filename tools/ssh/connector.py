"""Logs in to a host: from its configuration to a connection with its first channel open.

Two orders. *One flight*: with one key known to work, everything up to the start of the process is sent without waiting
(3 round trips from SYN to output). *Stock*: each step waits for the one before. A surprise in the first leads to the
second, once, and is remembered.
"""

import time
from collections.abc import Set
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh import identities, known_hosts
from triagebook.tools.ssh.algorithms import CURVE25519
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.authenticate import authenticate
from triagebook.tools.ssh.channels import Channel
from triagebook.tools.ssh.config import HostConfig, look_up
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.destination import Destination
from triagebook.tools.ssh.failures import KeyRefused, Surprise
from triagebook.tools.ssh.host_keys import HostKeyCheck
from triagebook.tools.ssh.identities import SshIdentity
from triagebook.tools.ssh.one_flight import log_in_one_flight
from triagebook.tools.ssh.opening import ChannelStream, Opening, Tunnel, wait_open
from triagebook.tools.ssh.recent_logins import ONE_FLIGHT, STOCK, RecentLogin, RecentLogins
from triagebook.tools.ssh.stream import ByteStream, Dialing
from triagebook.tools.transport.base import Login, LoginFailed

MAX_HOPS = 8
REFUSED_FOR_S, ALL_REFUSED_FOR_S = 600.0, 30.0


@dataclass
class PendingLogin:
    """A login under way: a stream to the host and, with one key known to work, a connection whose second flight is sent."""

    login: "_LoginContext"
    stream: ByteStream
    key: SshIdentity | None = None
    connection: Connection | None = None


@dataclass
class CompletedLogin:
    """A connection that is logged in, its first channel open and started, and the order that was taken."""

    connection: Connection
    channel: Channel
    config: HostConfig
    order: str  # one-flight | stock


class RefusedKeys:
    """Remembers the keys that a host refused in this run, by account and host: they are not offered again.

    A run that does not end (a service) tries again after REFUSED_FOR_S: keys get authorized. Where each key was refused it does so
    after ALL_REFUSED_FOR_S: a host whose table of open files is full cannot read whose keys it takes, and refuses them all.
    """

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], tuple[float, set[str]]] = {}

    def get(self, user: str, name: str, usable: Set[str]) -> set[str]:
        """The fingerprints that were refused, of `usable` and others; the caller adds to the set."""
        now = time.monotonic()
        since, refused = self._refused.get((user, name), (now, set()))
        kept_s = ALL_REFUSED_FOR_S if usable <= refused else REFUSED_FOR_S
        if now - since > kept_s or not refused:
            since, refused = now, set()
        self._refused[user, name] = since, refused
        return refused


class Connector:
    """Logs in to hosts; shared by many threads."""

    def __init__(self, config_file: Path | None, recent_logins: RecentLogins, *, allows_one_flight: bool) -> None:
        self._config_file = config_file
        self._recent_logins = recent_logins
        self._allows_one_flight = allows_one_flight
        self._refused = RefusedKeys()

    def config(self, target: Destination) -> HostConfig:
        return look_up(target, self._config_file)

    def start_login(
        self, config: HostConfig, attempt: LoginAttempt, dialing: Dialing | None = None, depth: int = 0
    ) -> PendingLogin:
        """Do all that can be done before it is known what the connection is for. Raises LoginFailed, UsageError.

        `dialing` is the TCP connection where the caller has pending it.
        """
        if depth > MAX_HOPS:
            raise UsageError(f"{config.alias}: more than {MAX_HOPS} jumps; does a jump host jump over itself?")
        attempt.note(*config.notes)
        dialing = dialing or attempt.dial(config)
        try:
            login = _LoginContext(config, attempt, self._refused)
        except BaseException:
            if dialing:
                dialing.close()
            raise
        stream = self._open_stream(config, attempt, dialing, depth)
        try:
            recent = self._recent_logins.get(config.user, login.name)
            key = login.known_key(recent) if self._allows_one_flight else None
            if key is None:
                return PendingLogin(login, stream)
            connection = Connection(stream, login.check, eager=(recent and recent.kex) or CURVE25519)
            with attempt.phase("banner", attempt.timeouts.banner_s, ends=False):
                connection.send_identification(attempt.until)
            return PendingLogin(login, stream, key, connection)
        except BaseException:
            stream.close()
            raise

    def complete_login(
        self, config: HostConfig, opening: Opening, attempt: LoginAttempt, pending: PendingLogin | None = None, depth: int = 0
    ) -> CompletedLogin:
        """Connect, verify the host, log in, open and start. Raises LoginFailed, UsageError."""
        pending = pending or self.start_login(config, attempt, None, depth)
        login, stream = pending.login, pending.stream
        try:
            is_one_flight_possible = True
            if pending.key is not None and pending.connection is not None:
                try:
                    return self._use_one_flight(login, pending.connection, opening, pending.key)
                except Surprise as surprise:
                    attempt.note(f"one flight failed, went in stock order: {surprise}")
                    self._recent_logins.forget(config.user, login.name)
                    is_one_flight_possible = isinstance(surprise, KeyRefused)
                stream.close()
                stream = self._open_stream(config, attempt, attempt.dial(config), depth)
            return self._use_stock_order(login, stream, opening, is_one_flight_possible=is_one_flight_possible)
        except BaseException:
            stream.close()
            raise

    def _use_one_flight(self, login: "_LoginContext", connection: Connection, opening: Opening, key: SshIdentity) -> CompletedLogin:
        try:
            channel = log_in_one_flight(connection, login.config.user, key, opening, login.attempt, login.refused)
        except LoginFailed as failed:
            if failed.login.outcome == "refused" and failed.login.phase == "auth" and login.has_more_keys:
                raise KeyRefused(failed.login.message) from failed
            raise
        self._recent_logins.remember(login.config.user, login.name, ONE_FLIGHT, key.fingerprint, connection.handshake.best_kex())
        return CompletedLogin(connection, channel, login.config, ONE_FLIGHT)

    def _use_stock_order(
        self, login: "_LoginContext", stream: ByteStream, opening: Opening, *, is_one_flight_possible: bool
    ) -> CompletedLogin:
        attempt, limits, user = login.attempt, login.attempt.timeouts, login.config.user
        connection = Connection(stream, login.check)
        with attempt.phase("banner", limits.banner_s) as phase:
            connection.exchange_identifications(attempt.until)
            phase.about["server"] = connection.server
        with attempt.phase("kex", limits.kex_s):
            connection.exchange_keys(attempt.until)
        with attempt.phase("auth", limits.auth_s, user=user, keys=len(login.identities.usable)):
            taken = authenticate(connection, user, login.identities.usable, login.refused, attempt.until)
        with attempt.phase("session", limits.exec_s):
            channel = opening.queue(connection, is_ahead=False)
            wait_open(connection, channel, attempt.until)
            opening.start(connection, channel, attempt.until, is_ahead=False)
        kex = connection.handshake.best_kex()
        kind = ONE_FLIGHT if kex and taken and is_one_flight_possible else STOCK
        self._recent_logins.remember(user, login.name, kind, taken.fingerprint if taken else "", kex)
        return CompletedLogin(connection, channel, login.config, STOCK)

    def _open_stream(self, config: HostConfig, attempt: LoginAttempt, dialing: Dialing | None, depth: int) -> ByteStream:
        """Connect by TCP, the proxy command, or a tunnel through the last jump host."""
        if config.proxy_jump:
            return self._open_tunnel(config, attempt, depth)
        limit_s = attempt.connect_limit(config.connect_timeout_s)
        with attempt.phase("connect", limit_s, starts=dialing is None, address=config.host, port=config.port):
            if dialing is None:
                from triagebook.tools.ssh.proxy_command import ProxyCommandStream  # noqa: PLC0415 - subprocess and tempfile, 10 ms: for a ProxyCommand

                return ProxyCommandStream(str(config.proxy_command))
            try:
                return dialing.finish(attempt.until)
            except BaseException:
                dialing.close()
                raise

    def _open_tunnel(self, config: HostConfig, attempt: LoginAttempt, depth: int) -> ByteStream:
        """Log in to the jump hosts: of `ProxyJump a,b` to a by its own configuration, from there to b, from there to the host."""
        *before, last = config.proxy_jump
        jump = self.config(last)
        if before:
            jump = jump.via(tuple(before))
        hop = attempt.hop(f"jump host {jump.alias}")
        try:
            jump_login = self.complete_login(jump, Tunnel(config.host, config.port), hop, depth=depth + 1)
        except LoginFailed as failed:
            raise LoginFailed(_as_jump_failure(failed.login)) from failed
        finally:
            attempt.add_time("connect", sum(hop.timings_ms.values()))
        attempt.note(f"over jump host {jump.alias} ({jump_login.order})")
        return ChannelStream(jump_login.connection, jump_login.channel)


class _LoginContext:
    """Holds what one login needs: which host keys to trust, and which keys to try. Made while TCP connects."""

    def __init__(self, config: HostConfig, attempt: LoginAttempt, refused: RefusedKeys) -> None:
        """Read known_hosts and gather keys. Raises UsageError."""
        self.config, self.attempt = config, attempt
        host, port = (config.host_key_alias, 22) if config.host_key_alias else (config.host, config.port)
        known = known_hosts.look_up(host, port, config.known_hosts_files)
        self.name = known.name
        self.check = HostKeyCheck(host, config.host, config.port, known)
        self.identities = identities.gather(config, attempt.total_until)
        self.refused = refused.get(config.user, known.name, {one.fingerprint for one in self.identities.usable})
        attempt.note(*known.notes, *self.identities.problems)

    def known_key(self, recent: RecentLogin | None) -> SshIdentity | None:
        """The one key that should work: remembered from the last login, or the only one named with IdentitiesOnly.

        None where the host is remembered as one that wants the stock order.
        """
        usable = [one for one in self.identities.usable if one.fingerprint not in self.refused]
        if recent is not None:
            return next((one for one in usable if recent.kind == ONE_FLIGHT and one.fingerprint == recent.key), None)
        is_sole = self.config.identities_only and not self.config.has_default_identities and len(usable) == 1
        return usable[0] if is_sole else None

    @property
    def has_more_keys(self) -> bool:
        return any(one.fingerprint not in self.refused for one in self.identities.usable)


def _as_jump_failure(login: Login) -> Login:
    """Say that the host cannot be reached: a jump host's failure is no evidence about the host behind it."""
    outcome = "refused" if login.outcome in ("no_banner", "no_session") else login.outcome
    return Login("connect", outcome, f"{login.message} [{login.phase}: {login.outcome}]")
