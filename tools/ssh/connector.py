"""The way in: from a host's configuration to a logged-in connection with its first channel open.

Two orders. *One flight*: with one key known to work, everything up to the start of the process is sent without waiting
(3 round trips from SYN to output). *Stock*: each step waits for the one before. A surprise in the first leads to the
second, once, and is remembered.
"""

import time
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
from triagebook.tools.ssh.one_flight import fly
from triagebook.tools.ssh.opening import ChannelStream, Opening, Tunnel, wait_open
from triagebook.tools.ssh.recent_logins import ONE_FLIGHT, STOCK, RecentLogin, RecentLogins
from triagebook.tools.ssh.stream import ByteStream, Dialing
from triagebook.tools.transport.base import Login, LoginFailed

MAX_HOPS = 8
REFUSED_KEPT_S = 600.0


@dataclass
class Beginning:
    """A stream to the host and, with one key known to work, a connection on it whose second flight is on its way."""

    visit: "_Visit"
    stream: ByteStream
    key: SshIdentity | None = None
    connection: Connection | None = None


@dataclass
class Arrival:
    """A logged-in connection, its first channel open and started, and how it was reached."""

    connection: Connection
    channel: Channel
    config: HostConfig
    order: str  # one-flight | stock


class RefusedKeys:
    """Fingerprints by account and host that were refused in this run: they are not offered again.

    A run that does not end (a service) tries again after REFUSED_KEPT_S: keys get authorized.
    """

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], tuple[float, set[str]]] = {}

    def at(self, user: str, name: str) -> set[str]:
        """The set to look in and to add to."""
        now = time.monotonic()
        since, refused = self._refused.get((user, name), (now, set()))
        if now - since > REFUSED_KEPT_S or not refused:
            since, refused = now, set()
        self._refused[user, name] = since, refused
        return refused


class Connector:
    """Logs in to hosts; shared by many threads."""

    def __init__(self, config_file: Path | None, ways: RecentLogins, *, may_fly: bool) -> None:
        self._config_file = config_file
        self._ways = ways
        self._may_fly = may_fly
        self._refused = RefusedKeys()

    def config(self, target: Destination) -> HostConfig:
        return look_up(target, self._config_file)

    def begin(self, config: HostConfig, attempt: LoginAttempt, dialing: Dialing | None = None, depth: int = 0) -> Beginning:
        """All that can be done before it is known what the connection is for. Raises LoginFailed, UsageError.

        `dialing` is the TCP connection where the caller has begun it.
        """
        if depth > MAX_HOPS:
            raise UsageError(f"{config.alias}: more than {MAX_HOPS} jumps; does a jump host jump over itself?")
        attempt.note(*config.notes)
        dialing = dialing or attempt.dial(config)
        try:
            visit = _Visit(config, attempt, self._refused)
        except BaseException:
            if dialing:
                dialing.close()
            raise
        stream = self._stream(config, attempt, dialing, depth)
        try:
            way = self._ways.get(config.user, visit.name)
            key = visit.sure_key(way) if self._may_fly else None
            if key is None:
                return Beginning(visit, stream)
            connection = Connection(stream, visit.check, eager=(way and way.kex) or CURVE25519)
            with attempt.phase("banner", attempt.deadlines.banner_s, ends=False):
                connection.speak(attempt.until)
            return Beginning(visit, stream, key, connection)
        except BaseException:
            stream.close()
            raise

    def arrive(
        self, config: HostConfig, opening: Opening, attempt: LoginAttempt, begun: Beginning | None = None, depth: int = 0
    ) -> Arrival:
        """Connect, verify the host, log in, open and start. Raises LoginFailed, UsageError."""
        begun = begun or self.begin(config, attempt, None, depth)
        visit, stream = begun.visit, begun.stream
        try:
            can_fly = True
            if begun.key is not None and begun.connection is not None:
                try:
                    return self._fly(visit, begun.connection, opening, begun.key)
                except Surprise as surprise:
                    attempt.note(f"one flight failed, went in stock order: {surprise}")
                    self._ways.forget(config.user, visit.name)
                    can_fly = isinstance(surprise, KeyRefused)
                stream.close()
                stream = self._stream(config, attempt, attempt.dial(config), depth)
            return self._walk(visit, stream, opening, can_fly=can_fly)
        except BaseException:
            stream.close()
            raise

    def _fly(self, visit: "_Visit", connection: Connection, opening: Opening, key: SshIdentity) -> Arrival:
        try:
            channel = fly(connection, visit.config.user, key, opening, visit.attempt, visit.refused)
        except LoginFailed as failed:
            if failed.login.outcome == "refused" and failed.login.phase == "auth" and visit.has_more_keys:
                raise KeyRefused(failed.login.message) from failed
            raise
        self._ways.remember(visit.config.user, visit.name, ONE_FLIGHT, key.fingerprint, connection.handshake.best_kex())
        return Arrival(connection, channel, visit.config, ONE_FLIGHT)

    def _walk(self, visit: "_Visit", stream: ByteStream, opening: Opening, *, can_fly: bool) -> Arrival:
        attempt, limits, user = visit.attempt, visit.attempt.deadlines, visit.config.user
        connection = Connection(stream, visit.check)
        with attempt.phase("banner", limits.banner_s) as phase:
            connection.greet(attempt.until)
            phase.about["server"] = connection.server
        with attempt.phase("kex", limits.kex_s):
            connection.exchange_keys(attempt.until)
        with attempt.phase("auth", limits.auth_s, user=user, keys=len(visit.identities.usable)):
            taken = authenticate(connection, user, visit.identities.usable, visit.refused, attempt.until)
        with attempt.phase("session", limits.exec_s):
            channel = opening.queue(connection, is_ahead=False)
            wait_open(connection, channel, attempt.until)
            opening.start(connection, channel, attempt.until, is_ahead=False)
        kex = connection.handshake.best_kex()
        kind = ONE_FLIGHT if kex and taken and can_fly else STOCK
        self._ways.remember(user, visit.name, kind, taken.fingerprint if taken else "", kex)
        return Arrival(connection, channel, visit.config, STOCK)

    def _stream(self, config: HostConfig, attempt: LoginAttempt, dialing: Dialing | None, depth: int) -> ByteStream:
        """TCP, the proxy command, or a tunnel through the last jump host."""
        if config.proxy_jump:
            return self._tunnel(config, attempt, depth)
        limit_s = attempt.connect_limit(config.connect_timeout_s)
        with attempt.phase("connect", limit_s, starts=dialing is None, address=config.host, port=config.port):
            if dialing is None:
                from triagebook.tools.ssh.proxy_command import ProxyCommandStream  # noqa: PLC0415 - seldom

                return ProxyCommandStream(str(config.proxy_command))
            try:
                return dialing.finish(attempt.until)
            except BaseException:
                dialing.close()
                raise

    def _tunnel(self, config: HostConfig, attempt: LoginAttempt, depth: int) -> ByteStream:
        """`ProxyJump a,b`: to a by its own configuration, from there to b, from there to the host."""
        *before, last = config.proxy_jump
        jump = self.config(last)
        if before:
            jump = jump.over(tuple(before))
        hop = attempt.hop(f"jump host {jump.alias}")
        try:
            arrival = self.arrive(jump, Tunnel(config.host, config.port), hop, depth=depth + 1)
        except LoginFailed as failed:
            raise LoginFailed(_of_the_way(failed.login)) from failed
        finally:
            attempt.add_time("connect", sum(hop.timings_ms.values()))
        attempt.note(f"over jump host {jump.alias} ({arrival.order})")
        return ChannelStream(arrival.connection, arrival.channel)


class _Visit:
    """What one login needs: whom to trust, and with which keys to try. Made while TCP connects."""

    def __init__(self, config: HostConfig, attempt: LoginAttempt, refused: RefusedKeys) -> None:
        """Read known_hosts and gather keys. Raises UsageError."""
        self.config, self.attempt = config, attempt
        host, port = (config.host_key_alias, 22) if config.host_key_alias else (config.host, config.port)
        known = known_hosts.look_up(host, port, config.known_hosts_files)
        self.name = known.name
        self.check = HostKeyCheck(host, config.host, config.port, known)
        self.identities = identities.gather(config, attempt.total_until)
        self.refused = refused.at(config.user, known.name)
        attempt.note(*known.notes, *self.identities.problems)

    def sure_key(self, way: RecentLogin | None) -> SshIdentity | None:
        """The one key that is known to work: remembered from a success, or the only one named with IdentitiesOnly.

        None where the host is remembered as one that wants the stock order.
        """
        usable = [one for one in self.identities.usable if one.fingerprint not in self.refused]
        if way is not None:
            return next((one for one in usable if way.kind == ONE_FLIGHT and one.fingerprint == way.key), None)
        is_sole = self.config.identities_only and not self.config.has_default_identities and len(usable) == 1
        return usable[0] if is_sole else None

    @property
    def has_more_keys(self) -> bool:
        return any(one.fingerprint not in self.refused for one in self.identities.usable)


def _of_the_way(login: Login) -> Login:
    """A jump host's trouble is no evidence about the host behind it: only that the way there is closed."""
    outcome = "refused" if login.outcome in ("no_banner", "no_session") else login.outcome
    return Login("connect", outcome, f"{login.message} [{login.phase}: {login.outcome}]")
