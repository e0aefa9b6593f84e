"""What is remembered about each list between runs: versions, checks, quarantine, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

KEPT_VERSIONS = 4
"""Bodies of one list that are kept: the one in use and those before it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A body that was fetched and passed (or waits in quarantine); `at` is ISO 8601, UTC."""

    version: str
    at: str
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A new version that waits for a person: why, and how it differs from the one in use."""

    version: Version
    reasons: tuple[str, ...]
    before: int = 0
    after: int = 0
    added: int = 0
    removed: int = 0
    added_samples: tuple[str, ...] = ()
    removed_samples: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceState:
    """One list. `versions` newest first; `current` is the one in use; `approved` are protected
    names that a person let pass (they are still not blocked); times are ISO 8601, UTC."""

    checked: str | None = None
    changed: str | None = None
    etag: str | None = None
    modified: str | None = None
    url: str | None = None
    versions: tuple[Version, ...] = ()
    current: str | None = None
    quarantine: Quarantine | None = None
    refused: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    error: str | None = None
    failures: int = 0
    due: str | None = None

    def with_version(self, version: Version) -> SourceState:
        """This state with a new version in use."""
        others = tuple(kept for kept in self.versions if kept.version != version.version)
        return replace(
            self, versions=(version, *others)[:KEPT_VERSIONS], current=version.version,
            changed=version.at, quarantine=None, error=None, failures=0,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """Everything. `added` are sources of the school's own, as catalogue entries; `switched`
    overrides what the catalogue says about `enabled`; `imported` are files of the last
    `compile --from`; `figures` describe the lists of the running index; `indexes` are the index
    files that are kept, newest first: `made_of`, `digest`, `names`, `figures`."""

    sources: Mapping[str, SourceState] = field(default_factory=dict)
    added: tuple[Mapping[str, Any], ...] = ()
    switched: Mapping[str, bool] = field(default_factory=dict)
    imported: tuple[Mapping[str, Any], ...] = ()
    figures: tuple[Mapping[str, Any], ...] = ()
    digest: str | None = None
    names: int = 0
    indexes: tuple[Mapping[str, Any], ...] = ()

    def of(self, list_id: str) -> SourceState:
        """The state of a list, empty when nothing is known."""
        return self.sources.get(list_id, SourceState())

    def put(self, list_id: str, source: SourceState) -> State:
        """This state with another state of one list."""
        return replace(self, sources={**self.sources, list_id: source})


def dump(state: State) -> dict[str, Any]:
    """As JSON."""
    return asdict(state)


def load(found: Mapping[str, Any]) -> State:
    """What `dump` gave; TypeError or KeyError when it is something else."""
    sources = {key: _source(value) for key, value in found.get("sources", {}).items()}
    return State(
        sources=sources,
        added=tuple(found.get("added", ())),
        switched=dict(found.get("switched", {})),
        imported=tuple(found.get("imported", ())),
        figures=tuple(found.get("figures", ())),
        digest=found.get("digest"),
        names=found.get("names", 0),
        indexes=tuple(found.get("indexes", ())),
    )


def _source(found: Mapping[str, Any]) -> SourceState:
    values = dict(found)
    values["versions"] = tuple(Version(**each) for each in values.get("versions", ()))
    for key in ("refused", "approved"):
        values[key] = tuple(values.get(key, ()))
    if quarantine := values.get("quarantine"):
        kept: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in quarantine.items()
        }
        kept["version"] = Version(**quarantine["version"])
        values["quarantine"] = Quarantine(**kept)
    return SourceState(**values)
