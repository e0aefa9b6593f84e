"""Secrets at rest: encrypted with a key file that never enters the database (AES-256-GCM)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from filterd.errors import StorageError

_NONCE_BYTES = 12


class Vault:
    """Seals and opens small secrets; `context` ties a secret to its owner."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def at(cls, path: Path) -> Vault:
        """The vault of a key file, made (0600) when there is none."""
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = AESGCM.generate_key(256)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
        if len(key) != 32:
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
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, body, context.encode()).decode()
        except InvalidTag:
            raise StorageError(
                "a stored secret does not open with this key file",
                "bí mật đã lưu không mở được bằng tệp khoá này",
            ) from None
