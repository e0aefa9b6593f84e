"""What the compiler is asked to do, as the values that cross the process border in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filterd.errors import ListError


@dataclass(frozen=True, slots=True)
class JobList:
    """One list to compile.

    `match`: what a plain name means, `subtree` unless the source says `exact`. `rewrites`: may
    answer (the school's own lists only). `private_suffixes`: may block suffixes of the PSL's
    private section. `trusted`: may block protected names (the canaries' own list). `members`:
    category directory of an archive → category id.
    """

    id: str
    category: str
    path: str
    format: str = "auto"
    match: str = "subtree"
    rewrites: bool = False
    private_suffixes: bool = False
    trusted: bool = False
    members: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A whole compilation; `cache` keeps lists as they were read, by content."""

    out: str
    lists: tuple[JobList, ...]
    categories: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    cache: str | None = None
    memory_mib: int = 1536

    def dump(self) -> str:
        """JSON for the compiler's standard input."""
        return json.dumps(asdict(self))


def load(text: str) -> Job:
    """The job that `dump` wrote; ListError when it is none."""
    try:
        found: dict[str, Any] = json.loads(text)
        lists = tuple(JobList(**each) for each in found.pop("lists"))
        categories, protected = tuple(found.pop("categories")), tuple(found.pop("protected"))
        return Job(lists=lists, categories=categories, protected=protected, **found)
    except (ValueError, TypeError, KeyError) as error:
        raise ListError(f"not a compile job: {error}") from None


def out_path(folder: Path) -> Path:
    """Where a compilation writes before its digest is known."""
    return folder / "index.fdx"
