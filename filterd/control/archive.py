"""The backup archive: one sealed file with a school's settings, opened only by its passphrase.

Form: magic line, 16 octets of salt, 12 of nonce, then AES-256-GCM over zstd-compressed JSON with
the magic as associated data; the key by scrypt (N = 2^15, r = 8, p = 1: 32 MiB, so that guessing
costs). Nothing in an archive is a path: parts have fixed names. Knows no store. What seals and
packs is imported on use: a school makes a backup on few days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAGIC = b"filterd backup 1\n"
MIN_PASSPHRASE = 12
MAX_ARCHIVE_BYTES = 16 << 20
MAX_CONTENT_BYTES = 64 << 20
_SALT, _NONCE = 16, 12


class ArchiveError(ValueError):
    """An archive that cannot be opened or is not one."""


def seal(content: Mapping[str, Any], passphrase: str, chance: bytes) -> bytes:
    """The archive of some content; `chance` is 28 random octets (salt and nonce)."""
    import zstandard
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(chance) != _SALT + _NONCE:
        raise ValueError("needs 28 random octets")
    salt, nonce = chance[:_SALT], chance[_SALT:]
    text = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    packed = zstandard.ZstdCompressor(level=9).compress(text)
    return MAGIC + chance + AESGCM(_key(passphrase, salt)).encrypt(nonce, packed, MAGIC)


def unseal(archive: bytes, passphrase: str) -> dict[str, Any]:
    """The content; ArchiveError when it is no archive, altered, or the passphrase is wrong."""
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = archive[len(MAGIC) :]
    if not archive.startswith(MAGIC) or not _SALT + _NONCE < len(body) <= MAX_ARCHIVE_BYTES:
        raise ArchiveError("not a filterd backup")
    salt, nonce, sealed = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    try:
        packed = AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, MAGIC)
    except InvalidTag:
        raise ArchiveError("the passphrase is wrong or the file was altered") from None
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            text = reader.read(MAX_CONTENT_BYTES + 1)
        if len(text) > MAX_CONTENT_BYTES:
            raise ArchiveError("the archive is too large")
        content = json.loads(text)
    except (zstandard.ZstdError, ValueError) as error:
        raise ArchiveError(f"the archive cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ArchiveError("the archive cannot be read")
    return content


def _key(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(passphrase.encode())
