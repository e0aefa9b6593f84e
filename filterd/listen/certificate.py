"""The certificate of the encrypted listeners: loaded, watched, replaced without a restart.

A new pair is tried first; one that does not fit leaves the old in use and says why. Names in the
server name indication give device tokens: TOKEN.NAME for a certificate that covers *.NAME.
"""

from __future__ import annotations

import logging
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from filterd.errors import ConfigError, Problem
from filterd.listen import key_pair

_log = logging.getLogger("filterd.listen")
_TOKEN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
Stamp = tuple[int, int, int, int, int, int]


class Certificate:
    """One pair of files and the TLS contexts that use it, one per ALPN list."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ConfigError when the pair cannot be used now."""
        self._certificate, self._key = certificate, key
        self._contexts: list[ssl.SSLContext] = []
        try:
            self._try()
            self._stamp = self._look()
        except (OSError, ValueError) as error:
            problem = Problem("settings", None, "listen.tls", f"{certificate}: {error}")
            raise ConfigError([problem]) from error

    def context(self, *alpn: str) -> ssl.SSLContext:
        """A server's context, TLS ≥ 1.2, that follows the files."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        made.set_alpn_protocols(list(alpn))
        key_pair.load(made, self._certificate, self._key)
        made.sni_callback = _remember_name
        self._contexts.append(made)
        return made

    def refresh(self) -> bool:
        """Load the files anew if they have changed; True if new connections use another pair."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self._try()
            for one in self._contexts:
                key_pair.load(one, self._certificate, self._key)
        except (OSError, ValueError) as error:
            _log.error("the new certificate is not used, the old one stays: %s", error)
            return False
        _log.info("certificate loaded: %s", self._certificate)
        return True

    def covers(self, name: str, at: datetime | None = None) -> bool:
        """Whether the pair in use is valid for `name` at this time (None: now)."""
        moment = at or datetime.now(UTC)
        valid = self._loaded.not_valid_before_utc <= moment <= self._loaded.not_valid_after_utc
        return valid and any(_matches(pattern, name.lower()) for pattern in self.names)

    def device(self, server_name: str | None) -> str | None:
        """The token in a server name, None if there is none."""
        token, _dot, parent = (server_name or "").lower().rstrip(".").partition(".")
        if f"*.{parent}" in self.names and server_name not in self.names:
            return token if _TOKEN.fullmatch(token) else None
        return None

    def _try(self) -> None:
        """Read the files; raises as `key_pair.check` if the pair does not fit."""
        key_pair.check(self._certificate, self._key)
        self._loaded = x509.load_pem_x509_certificates(self._certificate.read_bytes())[0]
        self.names = _names(self._loaded)

    def _look(self) -> Stamp:
        one, two = self._certificate.stat(), self._key.stat()
        return (
            one.st_ino, one.st_mtime_ns, one.st_size, two.st_ino, two.st_mtime_ns, two.st_size,
        )  # fmt: skip


def server_name(session: ssl.SSLObject | None) -> str | None:
    """The name that the client of this session asked for, None if it did not say."""
    name = getattr(session, "asked_name", None)
    return name if isinstance(name, str) else None


def _remember_name(
    session: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
) -> None:
    session.asked_name = name  # type: ignore[union-attr]


def _names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names and addresses of the subject alternative names, in lower case."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    names = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return frozenset([*(name.lower() for name in names), *map(str, addresses)])


def _matches(pattern: str, name: str) -> bool:
    """RFC 9525 §6.3: a wildcard is the whole left-most label."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] and not name.startswith(".")
    return pattern == name
