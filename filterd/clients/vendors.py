"""Which maker a hardware address belongs to, from the system's copy of the IEEE registry.

Debian's package `ieee-data` keeps it; where it is not installed no maker is told. Blocking: the
file is read once for prefixes that were not looked up before; only what was found is kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

REGISTRY = Path("/usr/share/ieee-data/oui.csv")
"""IEEE MA-L: Registry, Assignment (6 hexadecimal digits), Organization Name, Address."""
LIMIT = 4096
"""Prefixes that are remembered; a flood of made-up addresses must not fill the memory."""


class Vendors:
    """Looks makers up by the first 24 bits of an address."""

    def __init__(self, registry: Path = REGISTRY) -> None:
        self._registry = registry
        self._known: dict[str, str | None] = {}

    def of(self, keys: Iterable[str]) -> dict[str, str]:
        """Hardware address (`aa:bb:cc:dd:ee:ff`) → maker, for those in the registry."""
        wanted = {key: key.replace(":", "")[:6].upper() for key in keys if len(key) == 17}
        fresh = set(wanted.values()) - self._known.keys()
        if fresh:
            if len(self._known) + len(fresh) > LIMIT:
                self._known.clear()
                fresh = set(wanted.values())
            self._known |= dict.fromkeys(fresh) | self._read(fresh)
        return {key: name for key, prefix in wanted.items() if (name := self._known.get(prefix))}

    def _read(self, prefixes: set[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            with self._registry.open(encoding="utf-8", errors="replace", newline="") as file:
                for row in csv.reader(file):
                    if len(row) > 2 and row[1] in prefixes:
                        found[row[1]] = " ".join(row[2].split())[:60]
        except OSError:
            return {}
        return found
