"""The secret that signs forms: kept in a file of the service, so that forms outlive a restart and
several processes agree on it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

from filterd import whole_files

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
            path.parent.stat()  # one that is missing is a mistake to tell of, not a folder to make
            made = whole_files.secret(path, lambda: secrets.token_hex(_BYTES).encode())
            return made.decode("ascii").strip()
        except OSError as error:
            _log.warning("forms will not outlive a restart: %s", error)
    return secrets.token_hex(_BYTES)
