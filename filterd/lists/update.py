"""One list brought up to date: `download`, then `settle`. The index is compiled by the caller.

Blocking. Every end is an `Outcome`; nothing is raised, because one list's trouble is never
another's.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import compiler, fetch, gate
from filterd.lists.catalogue import Source
from filterd.lists.library import Library, job_list
from filterd.lists.state import Quarantine, SourceState, State, Version

RETRY_FIRST, RETRY_LONGEST = timedelta(minutes=15), timedelta(hours=12)
EXAMINE_MIB = 1536
JITTER = 0.1
"""A share of the interval: schools must not all fetch in the same second."""


class Result(enum.StrEnum):
    """How an update of one list ended."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    QUARANTINED = "quarantined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one list; `why` is for people, empty when all is well."""

    id: str
    outcome: Result
    why: str = ""


@dataclass(frozen=True, slots=True)
class Fetching:
    """How to fetch: what is allowed, how much, and how often to look again in spite of errors."""

    access: fetch.Access = field(default_factory=fetch.Access)
    thresholds: gate.Thresholds = gate.DEFAULT
    chance: Callable[[], float] = random.random
    progress: Callable[[str, int, int | None], None] | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """What came of asking a source: a body in `part`, nothing new (both None), or an error."""

    part: Path
    got: fetch.Fetched | None = None
    error: str | None = None


def download(library: Library, source: Source, known: SourceState, how: Fetching) -> Download:
    """Ask the source; touches nothing that is in use, so no lock is needed."""
    part = library.store.part(source.id)
    try:
        return Download(part, _first_that_answers(source, known, part, how))
    except ListError as error:
        part.unlink(missing_ok=True)
        return Download(part, error=str(error))


def settle(
    library: Library, state: State, fetched: tuple[Source, Download], at: datetime, how: Fetching
) -> tuple[State, Outcome]:
    """Examine what came and keep it live, in quarantine or not at all. Call it under the lock;
    the new state is the caller's to save."""
    source, came = fetched
    known = state.of(source.id)
    checked = _checked(known, source, at, how)
    try:
        if came.error is not None:
            raise ListError(came.error)
        if came.got is None:
            checked, outcome = _unchanged(source, checked)
        else:
            checked, outcome = _take(library, source, checked, (came.part, came.got, how), at)
    except (ListError, OSError) as error:
        came.part.unlink(missing_ok=True)
        checked = _failed(known, at, str(error))
        outcome = Outcome(source.id, Result.FAILED, str(error))
    return state.put(source.id, checked), outcome


def _unchanged(source: Source, known: SourceState) -> tuple[SourceState, Outcome]:
    """Nothing new; what waited before still waits."""
    checked = replace(known, error=None, failures=0)
    if checked.quarantine is None:
        return checked, Outcome(source.id, Result.UNCHANGED)
    why = "; ".join(checked.quarantine.reasons)
    return checked, Outcome(source.id, Result.QUARANTINED, why)


def _first_that_answers(
    source: Source, known: SourceState, part: Path, how: Fetching
) -> fetch.Fetched | None:
    """From the address itself, else from the first mirror that works; ListError from the last."""
    access = replace(how.access, plain_http=how.access.plain_http or source.plain_http)
    errors: list[str] = []
    for url in (source.url, *source.mirrors):
        assert url is not None
        same = url == known.url and known.current is not None
        last = fetch.Known(known.etag, known.modified) if same else fetch.Known()
        try:
            got = fetch.fetch(url, part, last, access, _told(source, how))
            # Validators belong to the address that was asked, not to where it led.
            return replace(got, url=url) if got is not None else None
        except ListError as error:
            errors.append(str(error))
    raise ListError("; ".join(errors))


def _told(source: Source, how: Fetching) -> fetch.Progress | None:
    tell = how.progress
    return None if tell is None else lambda size, whole: tell(source.id, size, whole)


def _checked(known: SourceState, source: Source, at: datetime, how: Fetching) -> SourceState:
    due = at + timedelta(seconds=source.every * (1 + JITTER * how.chance()))
    return replace(known, checked=_iso(at), due=_iso(due))


def _failed(known: SourceState, at: datetime, why: str) -> SourceState:
    """The last good version stays; the next try comes later each time."""
    wait = min(RETRY_FIRST * 2 ** min(known.failures, 8), RETRY_LONGEST)
    return replace(known, error=why, failures=known.failures + 1, due=_iso(at + wait))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _take(
    library: Library,
    source: Source,
    known: SourceState,
    got: tuple[Path, fetch.Fetched, Fetching],
    at: datetime,
) -> tuple[SourceState, Outcome]:
    """Examine a body that came, and keep it live, in quarantine, or not at all."""
    part, fetched, how = got
    known = replace(known, etag=fetched.etag, modified=fetched.modified, url=fetched.url)
    figures = examine(library, source, known, part)
    if not figures["entries"]:
        raise ListError(f"{fetched.url}: there is not one usable entry in it")
    version, size = library.store.adopt(source.id, part)
    fresh = Version(version, _iso(at), figures["entries"], size)
    if version == known.current:
        return replace(known, error=None, failures=0), Outcome(source.id, Result.UNCHANGED)
    if version in known.refused:
        outcome = Outcome(source.id, Result.UNCHANGED, "the same version was refused before")
        return replace(known, error=None, failures=0), outcome
    if reasons := gate.reasons(figures, known.approved, how.thresholds):
        waits = Quarantine(
            fresh, reasons, figures["before"], figures["entries"],
            figures["added"], figures["removed"],
            tuple(figures["added_samples"]), tuple(figures["removed_samples"]),
            tuple(figures["protected"]),
        )  # fmt: skip
        known = replace(known, quarantine=waits, error=None, failures=0)
        return known, Outcome(source.id, Result.QUARANTINED, "; ".join(reasons))
    return known.with_version(fresh), Outcome(source.id, Result.CHANGED)


def examine(library: Library, source: Source, known: SourceState, body: Path) -> dict[str, Any]:
    """Figures of a body, compared with the version in use."""
    old = library.store.body(source.id, known.current) if known.current else None
    asked = {
        "list": asdict(job_list(source, body)),
        "old": asdict(job_list(source, old)) if old is not None and old.exists() else None,
        "cache": str(library.store.cache),
        "protected": sorted(library.around.protected()),
        "memory_mib": EXAMINE_MIB,
    }
    return compiler.examine(asked)
