"""An authority of a test, and the certificates that it gives: for servers on loopback and for their clients."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

CURVE = ec.SECP256R1()


@dataclass(frozen=True)
class Authority:
    """Certifies names for a day. Its own certificate is `file`."""

    file: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(CURVE))

    def __post_init__(self) -> None:
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.file.write_bytes(self._sign("test authority", self.key, x509.Extension(constraints.oid, True, constraints)))

    def issue(
        self, folder: Path, name: str, *dns: str, address: str = "", usage: x509.ObjectIdentifier | None = None, days: int = 1
    ) -> tuple[Path, Path]:
        """Write NAME.pem and NAME.key for these DNS names and that address; for that use only, and so many days, if said."""
        key = ec.generate_private_key(CURVE)
        alternatives: list[x509.GeneralName] = [x509.DNSName(text) for text in dns]
        alternatives += [x509.IPAddress(ip_address(address))] if address else []
        extension = x509.SubjectAlternativeName(alternatives)
        certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
        extensions: list[x509.Extension[x509.ExtensionType]] = [x509.Extension(extension.oid, False, extension)]
        if usage is not None:
            extensions.append(x509.Extension(x509.ExtendedKeyUsage.oid, True, x509.ExtendedKeyUsage([usage])))
        certificate.write_bytes(self._sign(name, key, *extensions, days=days))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        private.chmod(0o600)
        return certificate, private

    def _sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, *extensions: "x509.Extension[x509.ExtensionType]", days: int = 1
    ) -> bytes:
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "test authority"))
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        began = now - timedelta(hours=1) if days > 0 else now + timedelta(days=days - 1)
        builder = builder.not_valid_before(began).not_valid_after(now + timedelta(days=days))
        for extension in extensions:
            builder = builder.add_extension(extension.value, critical=extension.critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
