"""Ed25519 signatures with the device's own key, and the envelope that carries them.

Knows no meaning of what is signed except its kind: the kind is part of the signed bytes, so a
challenge answer can never pass as a summary. Keys lie in `state_dir/keys`, readable by the
service alone; the public half lies beside, so that `cryptography` (10 MiB) comes with the first
signature and not with the start.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filterd import whole_files
from filterd.errors import EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "filterd.signed/1"
SUMMARY, CHALLENGE, REPORT, HANDOFF = "summary", "challenge", "report", "handoff"
KEY_FILE = "device.pem"
_PUBLIC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed body: `device` is the fingerprint of the key, `body` the exact signed text."""

    kind: str
    device: str
    body: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The envelope as one JSON object; `body` stays readable text inside."""
        fields = {
            "format": FORMAT,
            "kind": self.kind,
            "device": self.device,
            "body": self.body.decode("utf-8"),
            "signature": base64.b64encode(self.signature).decode("ascii"),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode(envelope: bytes, max_bytes: int = 1024 * 1024) -> Signed:
    """The envelope in these bytes, nothing verified; EvidenceError `envelope`."""
    if len(envelope) > max_bytes:
        raise EvidenceError("envelope", f"{len(envelope)} bytes, limit {max_bytes}")
    try:
        raw = json.loads(envelope)
        if set(raw) != {"format", "kind", "device", "body", "signature"} or raw["format"] != FORMAT:
            raise ValueError("not a " + FORMAT)
        return Signed(
            kind=str(raw["kind"]),
            device=str(raw["device"]),
            body=raw["body"].encode("utf-8"),
            signature=base64.b64decode(raw["signature"], validate=True),
        )
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise EvidenceError("envelope", f"not a signed record: {error}") from None


def fingerprint(public: bytes) -> str:
    """The device id: first 128 bits of SHA-256 over the raw 32-octet public key, in hexadecimal."""
    return hashlib.sha256(public).hexdigest()[:32]


def verify(signed: Signed, public: bytes, kind: str) -> bytes:
    """The body when `public` (raw, 32 octets) signed it as `kind`; EvidenceError otherwise.

    Codes: `kind` (signed for another purpose), `device` (another key's name), `signature`.
    """
    if signed.kind != kind:
        raise EvidenceError("kind", f"signed as {signed.kind!r}, expected {kind!r}")
    if signed.device != fingerprint(public):
        raise EvidenceError("device", "the envelope names another device's key")
    if not fits(public, signed.signature, _message(kind, signed.body)):
        raise EvidenceError("signature", "the signature does not fit the record")
    return signed.body


def fits(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key (raw, 32 octets) signed the message (Ed25519, RFC 8032)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class DeviceKey:
    """The key of one box; `public` is what the office pins, `private` is read when it signs,
    `directory` is where it lies, if anywhere."""

    def __init__(
        self,
        public: bytes,
        read: Callable[[], Ed25519PrivateKey],
        directory: Path | None = None,
    ) -> None:
        self.public = public
        self.directory = directory
        self._read = read

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return self._read()

    @property
    def id(self) -> str:
        return fingerprint(self.public)

    def sign(self, kind: str, body: bytes) -> Signed:
        return Signed(kind, self.id, body, self.private.sign(_message(kind, body)))


def device_key(directory: Path) -> DeviceKey:
    """The key in this directory, made on first use (0600, in a 0700 directory).

    EvidenceError `key` when the file is not an Ed25519 key or others may read it.
    """
    path = directory / KEY_FILE
    if not path.exists():
        whole_files.secret(path, _made)
    if path.stat().st_mode & 0o077:
        raise EvidenceError("key", f"{path} may be read by others: chmod 600")
    pem = path.read_bytes()
    public = _noted(path, pem)
    if public is None:
        public = _public(_private(path, pem))
        _note(path, pem, public)
    return DeviceKey(public, lambda: _private(path, pem), directory)


def from_private(private: Ed25519PrivateKey) -> DeviceKey:
    return DeviceKey(_public(private), lambda: private)


def _private(path: Path, pem: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise EvidenceError("key", f"{path}: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise EvidenceError("key", f"{path} holds no Ed25519 key")
    return private


def _public(private: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _noted(path: Path, pem: bytes) -> bytes | None:
    """The public half as it was noted; None unless it was noted for exactly this key file."""
    try:
        of, public = path.with_suffix(".pub").read_text("ascii").split()
        if of == hashlib.sha256(pem).hexdigest() and len(public) == 2 * _PUBLIC_BYTES:
            return bytes.fromhex(public)
    except (OSError, ValueError):
        pass
    return None


def _note(path: Path, pem: bytes, public: bytes) -> None:
    """Write the public half down; where that cannot be, it is worked out at every start."""
    with contextlib.suppress(OSError):
        note = f"{hashlib.sha256(pem).hexdigest()} {public.hex()}\n"
        whole_files.replace(path.with_suffix(".pub"), note.encode(), mode=0o600)


def _made() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _message(kind: str, body: bytes) -> bytes:
    return f"{FORMAT}\n{kind}\n".encode("ascii") + body
