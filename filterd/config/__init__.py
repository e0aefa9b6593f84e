"""Settings (contract §2): read once at start, frozen afterwards.

Owns the shape, the defaults and the places of `filterd.yaml`. Knows nothing of what the settings
are used for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from filterd.config.document import read
from filterd.config.model import (
    Address,
    CacheSettings,
    GatewaySettings,
    Listen,
    PairSettings,
    Settings,
    Tls,
)

__all__ = [
    "Address",
    "CacheSettings",
    "GatewaySettings",
    "Listen",
    "PairSettings",
    "Settings",
    "Tls",
    "find",
    "load",
]

SHARE = (Path(sys.prefix) / "share" / "filterd", Path("/usr/share/filterd"))
SYSTEM_FILE = Path("/etc/filterd/filterd.yaml")


def find(explicit: str | None, system: bool = False) -> Path | None:
    """The settings file to use: the one named, $FILTERD_CONFIG, ./filterd.yaml; None: defaults.

    `system` adds /etc/filterd as the last place: commands look there, `filterd run` does not, so
    that a trial run on a gateway never touches the gateway's own service.
    """
    if named := explicit or os.environ.get("FILTERD_CONFIG"):
        return Path(named)
    places = [Path("filterd.yaml"), SYSTEM_FILE] if system else [Path("filterd.yaml")]
    return next((place for place in places if place.exists()), None)


def load(path: Path | None) -> Settings:
    """Read the settings file (None: all defaults, paths from the current directory).

    Raises ConfigError with every mistake of the file.
    """
    base = Path.cwd() if path is None else path.absolute().parent
    values = {} if path is None else read(path, base)
    values.setdefault("state_dir", base / "var")
    values.setdefault("policies", _shipped(base, "policies"))
    values.setdefault("catalogue", _shipped(base, "blocklists") / "catalogue.yaml")
    values.setdefault("workers", len(os.sched_getaffinity(0)))
    return Settings(**values, source=path)


def _shipped(base: Path, name: str) -> Path:
    """Data beside the settings, else in the checkout, else where the package installed it."""
    checkout = Path(__file__).parents[2]
    places = (base, checkout, *SHARE)
    return next((p / name for p in places if (p / name).is_dir()), base / name)
