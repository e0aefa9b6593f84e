"""The settings of the pool as it takes them: texts already split, nothing resolved yet."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Strategy(enum.StrEnum):
    """Who is asked first (contract §2 `upstream_strategy`)."""

    PARALLEL = "parallel"
    FASTEST = "fastest"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """`upstreams` empty: the system's resolvers of `resolv_conf`.

    `own` are the addresses and ports filterd itself listens on, never asked. `conditional` maps
    a zone to the upstreams that alone are asked about it. `ca_file` replaces the system's trust
    store for TLS (a school's own authority, tests).
    """

    upstreams: tuple[str, ...] = ()
    strategy: Strategy = Strategy.FASTEST
    conditional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: frozenset[tuple[str, int]] = frozenset()
    ca_file: Path | None = None
    resolv_conf: Path = Path("/etc/resolv.conf")


def pool_settings(settings: Mapping[str, Any]) -> PoolSettings:
    """The pool's part of a worker's settings."""
    own = frozenset(_endpoint(text) for text in settings.get("listen", {}).get("dns", ()))
    return PoolSettings(
        upstreams=tuple(settings.get("upstreams", ())),
        strategy=Strategy(settings.get("upstream_strategy", "parallel")),
        conditional={z: tuple(u) for z, u in settings.get("conditional", {}).items()},
        own=own,
    )


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
