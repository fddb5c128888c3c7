"""Runs an HTTP listener in a thread of its own, inside `triagebook serve`."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.server.http_guard import Admission, make_protocol

START_S = 10.0
HANDSHAKE_S = 5.0  # of TLS; until then a connection is none of http_guard's


class TlsLoop(asyncio.SelectorEventLoop):
    """An event loop that closes who does not finish the handshake of TLS. uvicorn leaves asyncio's 60 s."""

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        """Listen, with our deadline."""
        return await super().create_server(*arguments, **options, ssl_handshake_timeout=HANDSHAKE_S)


@contextmanager
def listen(
    address: str, app: Any, option: str, *, tls_certificate: str = "", tls_key: str = "", client_ca: str = "", most: int = 512
) -> Iterator[int]:
    """Serve an ASGI application at `HOST:PORT` for as long as the block lasts and yield its port. Raises UsageError.

    With `client_ca` clients may prove themselves by a certificate of these authorities; one of another authority is refused.
    """
    host, _, port = address.rpartition(":")
    if not host or not is_whole_number(port) or int(port) > 65535:
        raise UsageError(f"--{option} {address[:60]!r}: expected HOST:PORT", reason=option)
    config = uvicorn.Config(
        Admission(app, most),
        http=make_protocol(),
        loop=f"{__name__}:{TlsLoop.__name__}" if tls_certificate else "auto",
        host=host.strip("[]"),
        port=int(port),
        log_config=None,  # else it prints past our handlers, unredacted
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=5,
        ssl_certfile=tls_certificate or None,
        ssl_keyfile=tls_key or None,
        ssl_ca_certs=client_ca or None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if client_ca else ssl.CERT_NONE,
    )
    server = uvicorn.Server(config)
    is_over = threading.Event()

    def serve() -> None:
        try:
            server.run()
        except (Exception, SystemExit):  # noqa: BLE001 - uvicorn ends its process where it cannot listen
            return
        finally:
            is_over.set()

    thread = threading.Thread(target=serve, name=option, daemon=True)
    thread.start()
    waited = 0.0
    while not server.started and not is_over.wait(0.02):
        waited += 0.02
        if waited > START_S:
            break
    if not server.started:
        raise UsageError(f"--{option} {address}: cannot listen on this address", reason=option)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
