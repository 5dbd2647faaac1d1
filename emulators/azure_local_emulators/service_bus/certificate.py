"""A self-signed certificate for localhost, made when the first TLS client comes.

Owns the key and its files. With a data folder the certificate stays the same, so that a client may trust it by name.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

_VALID_DAYS = 3650


class Certificate:
    """The certificate at `folder/certificate.pem`, or in a temporary place without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._context: ssl.SSLContext | None = None

    def pem(self) -> bytes:
        """The certificate, for a client to trust."""
        return _certificate_part(self._path_or_made().read_bytes())

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS, with this certificate."""
        if self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(self._path_or_made())
        return self._context

    def _path_or_made(self) -> Path:
        if self._folder is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="service-bus-emulator-")
            self._folder = Path(self._scratch.name)
        path = self._folder / "certificate.pem"
        if not path.exists():
            path.touch(0o600)
            path.write_bytes(_make())
        return path


def _certificate_part(pem: bytes) -> bytes:
    marker = b"-----BEGIN CERTIFICATE-----"
    return marker + pem.partition(marker)[2]


def _make() -> bytes:
    """Private key and certificate for localhost, 127.0.0.1 and ::1, as PEM."""
    # Imported here: it takes 0.1 s and 15 MB, and most runs never see TLS.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
