"""Says which names a client proved by its certificate (mutual TLS). TLS has verified it before; here it is read only."""

import asyncio

CLIENT_NAMES = "client_names"  # in the state of an ASGI scope


def client_names(transport: asyncio.BaseTransport) -> frozenset[str]:
    """Return the DNS names of the certificate that the client of this connection proved; none without TLS or certificate.

    Only subjectAltName counts: a common name is free text (RFC 9525, 2).
    """
    found = transport.get_extra_info("ssl_object")
    certificate = found.getpeercert() if found is not None else None
    names = (certificate or {}).get("subjectAltName", ())
    return frozenset(value.lower() for kind, value in names if kind == "DNS")
