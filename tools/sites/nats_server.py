"""Says where a NATS server is, and refuses an address over which others could read and answer."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.inventory.target import is_loopback
from triagebook.tools.sites.credentials import NatsKey

PORT = 4222


@dataclass(frozen=True)
class NatsServer:
    """Where the NATS server is, the key it knows us by, and the certificate authority of its TLS (None: the system's)."""

    url: str
    credentials: NatsKey
    authority: Path | None = None

    def check(self) -> None:
        """Raises UsageError: no such URL, or one over which anybody on the way could read and answer."""
        where = urlsplit(self.url)
        if where.scheme not in {"nats", "tls"} or not where.hostname or where.username or where.path.strip("/"):
            raise UsageError(f"{safe_text(self.url, 100)!r}: expected tls://HOST:{PORT}, the address of a NATS server")
        if where.scheme == "nats" and not is_loopback(where.hostname):
            raise UsageError(
                f"{safe_text(self.url, 100)}: without TLS anybody on the way could read and answer; "
                f"write tls://{where.hostname}:{where.port or PORT}"
            )

    def tls(self) -> ssl.SSLContext | None:
        """Return how TLS is spoken; None where the connection stays on this machine."""
        if urlsplit(self.url).scheme == "nats":
            return None
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError as error:
            raise UsageError(f"{self.authority}: not the certificate of an authority ({error.strerror or error})") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
