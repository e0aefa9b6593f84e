"""Secrets at rest: encrypted with a key file that never enters the database (AES-256-GCM).

`cryptography` comes with the first secret: it is 10 MiB, and many schools store none.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filterd import whole_files
from filterd.errors import StorageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES, _NONCE_BYTES = 32, 12


class Vault:
    """Seals and opens small secrets; `context` ties a secret to its owner."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key)

    @classmethod
    def at(cls, path: Path) -> Vault:
        """The vault of a key file, made (0600) when there is none."""
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = whole_files.secret(path, lambda: secrets.token_bytes(_KEY_BYTES))
        if len(key) != _KEY_BYTES:
            raise StorageError(
                f"{path} is not a key of 32 octets", f"{path} không phải khoá 32 byte"
            )
        return cls(key)

    def seal(self, secret: str, context: str) -> bytes:
        """Encrypt a secret."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt a secret; raises StorageError when the key or the context is another."""
        from cryptography.exceptions import InvalidTag

        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, body, context.encode()).decode()
        except InvalidTag:
            raise StorageError(
                "a stored secret does not open with this key file",
                "bí mật đã lưu không mở được bằng tệp khoá này",
            ) from None
