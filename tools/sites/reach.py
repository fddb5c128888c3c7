"""Gives the way to each host of a site, over the one connection that a process has to its sites: made at the first question.

This module is light: what needs NATS is imported where a site is asked.
"""

import atexit
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import SiteSettings
from triagebook.tools.transport.base import Timeouts, Transport

if TYPE_CHECKING:
    from triagebook.tools.sites.client import SiteClient


class Sites:
    """The sites of one process. `state` is the folder in which it is remembered when each was heard last."""

    def __init__(self, settings: SiteSettings | None, state: Path | None) -> None:
        self._settings, self._state = settings, state
        self._guard = threading.Lock()
        self._client: SiteClient | None = None

    def transport(self, target: TargetName, timeouts: Timeouts | None = None) -> Transport:
        """Return the way to read a host, for a watch or not, as `timeouts` have it. Raises UsageError: no NATS server is named."""
        from triagebook.tools.sites.transport import SiteTransport  # noqa: PLC0415 - with NATS

        return SiteTransport(self.client(target.text), target.site, target.text, timeouts)

    def helper(self, target: TargetName) -> Transport:
        """Return the way to the helper of a host. Raises UsageError: no NATS server is named."""
        from triagebook.tools.sites.helper import SiteHelperTransport  # noqa: PLC0415 - with NATS

        return SiteHelperTransport(self.client(target.text), target.site, target.text)

    def client(self, host: str = "") -> "SiteClient":
        """Return the connection. Raises UsageError: no NATS server is named, or the extra is not installed."""
        if self._settings is None:
            whose = f"{host} is reached by a site, and " if host else ""
            raise UsageError(
                f"{whose}config.yaml does not say how: add `sites: {{nats: tls://HOST:4222, credentials: FILE}}`", reason="site"
            )
        with self._guard:
            if self._client is None:
                self._client = _connect(self._settings, self._state)
                atexit.register(self._client.close)  # a worker that is not told would hold the last session for a minute
            return self._client


def _connect(settings: SiteSettings, state: Path | None) -> "SiteClient":
    try:
        from triagebook.tools.sites.client import SiteClient  # noqa: PLC0415 - NATS, 200 ms
        from triagebook.tools.sites.nats_server import NatsServer  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise UsageError(
            f"sites need the extra `sites`, which is not installed here (no module {error.name!r}); `triagebook doctor` shows the "
            "command that installs it"
        ) from None
    from triagebook.tools.sites.credentials import read_credentials  # noqa: PLC0415 - where a site is asked
    from triagebook.tools.sites.last_contact import SeenSites  # noqa: PLC0415 - as above

    server = NatsServer(settings.nats, read_credentials(settings.credentials), settings.authority)
    return SiteClient(server, SeenSites(state / "sites.json" if state else None))
