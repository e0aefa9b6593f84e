"""The secret that signs forms: kept in a file of the service, so that forms outlive a restart and
several processes agree on it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_BYTES = 32
_log = logging.getLogger("filterd.pages")


def form_key(environment: Mapping[str, str]) -> str:
    """`FILTERD_FORM_KEY` itself; or the content of `FILTERD_FORM_KEY_FILE`, or of `form.key` in
    systemd's `STATE_DIRECTORY`, made on the first start (0600); else one for this process alone."""
    if given := environment.get("FILTERD_FORM_KEY"):
        return given
    named = environment.get("FILTERD_FORM_KEY_FILE")
    state = environment.get("STATE_DIRECTORY", "").split(":")[0]
    path = Path(named) if named else Path(state) / "form.key" if state else None
    if path is not None:
        try:
            return _kept(path)
        except OSError as error:
            _log.warning("forms will not outlive a restart: %s", error)
    return secrets.token_hex(_BYTES)


def _kept(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if found := path.read_text("ascii").strip():
            return found
    # Linked into place whole: of two processes that start at once, both read what the first made.
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(_BYTES))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        return path.read_text("ascii").strip()
    finally:
        fresh.unlink()
