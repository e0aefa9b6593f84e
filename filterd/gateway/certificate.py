"""A certificate of the box's own making, for schools without a name of their own in public DNS.

Devices must be told to trust it; its fingerprint is shown so that it can be compared on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 397
"""As long as clients accept (Apple and CA/Browser Forum: 398 days)."""


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate and its key in PEM, and the SHA-256 fingerprint to compare."""

    certificate: str
    key: str
    fingerprint: str


def make(names: Sequence[str], at: datetime) -> Made:
    """A self-signed certificate for the names, valid from a day before `at` (clocks differ)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    digest = built.fingerprint(hashes.SHA256()).hex(":").upper()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    return Made(pem.decode("ascii"), private.decode("ascii"), digest)


def names_of(pem: bytes) -> tuple[str, ...]:
    """The DNS names that a certificate stands for."""
    found = x509.load_pem_x509_certificate(pem)
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def expires(pem: bytes) -> datetime:
    """When it ends."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc
