"""A certificate and its key as two files, for the encrypted listeners and before they start."""

from __future__ import annotations

import ssl
from pathlib import Path


def load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have `context` use them; OSError, ssl.SSLError or ValueError when they do not fit."""
    context.load_cert_chain(certificate, key, password=_no_password)


def check(certificate: Path, key: Path) -> None:
    """Load them into a context of no consequence; raises as `load` does."""
    load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)


def _no_password() -> str:
    raise ValueError("the key is encrypted: filterd starts unattended and needs it without")
