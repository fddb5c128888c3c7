"""The default transport: SSH on our own connection, with our own key exchange or paramiko's.

This module is light: TCP is under way before the heavy ones (paramiko, cryptography) are imported.
"""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.config import look_up
from triagebook.tools.ssh.destination import parse_destination
from triagebook.tools.ssh.recent_logins import RecentLogins
from triagebook.tools.transport.base import Timeouts

if TYPE_CHECKING:
    from triagebook.tools.ssh.config import HostConfig
    from triagebook.tools.ssh.connector import Connector, PendingLogin
    from triagebook.tools.ssh.session import SshProcess
    from triagebook.tools.ssh.stream import Dialing


class SshTransport:
    """Reaches hosts as the user's ssh would, by his ssh_config, known_hosts, agent and key files.

    Safe for many threads, one host each. `recent_logins_file` keeps what is known of hosts between runs.
    `allows_one_flight=False` keeps to the stock order: for orders that must not be sent twice.
    """

    def __init__(
        self,
        *,
        config_file: Path | None = None,
        timeouts: Timeouts | None = None,
        recent_logins_file: Path | None = None,
        allows_one_flight: bool = True,
    ) -> None:
        self._config_file = config_file
        self._timeouts = timeouts or Timeouts()
        self._recent_logins_file = recent_logins_file
        self._allows_one_flight = allows_one_flight
        self._connector: Connector | None = None
        self._lock = threading.Lock()
        self._early: dict[str, _EarlyConnection] = {}

    def dial(self, host: str) -> None:
        """Begin the connection to a host that will be launched on soon. A failure is raised by `launch`."""
        with contextlib.suppress(TriagebookError):
            config, attempt, dialing = self._dial(host)
            self._early[host] = _EarlyConnection(self._get_connector(), config, attempt, dialing)

    def _dial(self, host: str) -> "tuple[HostConfig, LoginAttempt, Dialing | None]":
        config = look_up(parse_destination(host), self._config_file)
        attempt = LoginAttempt(config.alias, self._timeouts)
        return config, attempt, attempt.dial(config)

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SshProcess":
        """Connect and start the first process. Raises LoginFailed, UsageError."""
        early = self._early.pop(host) if host in self._early else _EarlyConnection(None, *self._dial(host))
        connector = self._get_connector()
        from triagebook.tools.ssh import session  # noqa: PLC0415 - imports what the connector does

        return session.launch(connector, early.config, early.attempt, early.wait(connector), argv, cap_bytes=cap_bytes)

    def _get_connector(self) -> "Connector":
        from triagebook.tools.ssh.connector import Connector  # noqa: PLC0415 - cryptography, 50 ms: after the SYN

        with self._lock:
            if self._connector is None:
                self._connector = Connector(
                    self._config_file, RecentLogins(self._recent_logins_file), allows_one_flight=self._allows_one_flight
                )
            return self._connector


class _EarlyConnection:
    """Connects in a thread while the caller imports what it needs. Without a connector it connects when asked."""

    def __init__(
        self, connector: "Connector | None", config: "HostConfig", attempt: LoginAttempt, dialing: "Dialing | None"
    ) -> None:
        self.config, self.attempt, self._dialing = config, attempt, dialing
        self._pending: PendingLogin | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        if connector is not None:
            self._thread = threading.Thread(target=self._begin, args=(connector,), daemon=True, name=f"dial {config.alias}")
            self._thread.start()

    def _begin(self, connector: "Connector") -> None:
        try:
            self._pending = connector.start_login(self.config, self.attempt, self._dialing)
        except Exception as error:  # noqa: BLE001 - raised where the answer is asked for
            self._failure = error

    def wait(self, connector: "Connector") -> "PendingLogin":
        """Wait for it. Raises LoginFailed, UsageError."""
        if self._thread is None:
            return connector.start_login(self.config, self.attempt, self._dialing)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self._pending is not None  # noqa: S101 - it failed, or it is there
        return self._pending
