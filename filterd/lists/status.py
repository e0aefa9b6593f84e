"""What is known about the lists, for the command line, the console and the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from filterd.errors import ListError
from filterd.lists import overlay
from filterd.lists.catalogue import Source
from filterd.lists.library import Library
from filterd.lists.state import SourceState, State, Version
from filterd.lists.texts import sample_texts

NEVER, OFF, FRESH, STALE, FAILED, WAITING = (
    "never", "off", "fresh", "stale", "failed", "quarantined",
)  # fmt: skip
FAILURES_TOLD = 3
"""A list that failed this often is `failed`; before that it is as fresh as its last check."""


def status(library: Library, now: datetime | None = None) -> dict[str, Any]:
    """Every list with its figures (docs/control.md, `lists.status`), and totals by category."""
    at = now or datetime.now(UTC)
    state = library.store.state()
    figures = _figures(state)
    items = [
        _item(source, state, figures.get(source.id, {}), at) for source in library.sources(state)
    ]
    items += [_imported(each, figures.get(each["id"], {})) for each in state.imported]
    categories: Counter[str] = Counter()
    for each in state.figures:
        categories[each["category"]] += each["entries"]
    return {
        "items": items, "own": list(_own(library)), "version": state.digest, "names": state.names,
        "categories": categories,
    }  # fmt: skip


def _own(library: Library) -> Iterator[dict[str, Any]]:
    """The lists that the school and its office wrote; an unreadable one says why."""
    for path in (*library.store.local.glob("*.txt"), *library.store.office.glob("*.txt")):
        about: dict[str, Any] = {"file": f"{path.parent.name}/{path.name}", "category": path.stem}
        try:
            yield {**about, **overlay.figures(path), "error": None}
        except (ListError, OSError) as error:
            yield {**about, "entries": 0, "dropped": {}, "samples": [], "error": str(error)}


def _figures(state: State) -> dict[str, dict[str, Any]]:
    """Figures by source; the members of an archive are put together under its id."""
    found: dict[str, dict[str, Any]] = {}
    for each in state.figures:
        key = str(each["id"]).partition("/")[0]
        found[key] = _sum(found[key], each) if key in found else dict(each)
    return found


def _sum(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    counted = {key: one[key] + two[key] for key in ("entries", "unique", "rules", "addresses")}
    dropped = dict(Counter(one["dropped"]) + Counter(two["dropped"]))
    return {**one, **counted, "dropped": dropped, "samples": {**one["samples"], **two["samples"]}}


def _item(source: Source, state: State, figures: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    known = state.of(source.id)
    return {
        "id": source.id, "title": {"vi": source.title.vi, "en": source.title.en},
        "category": source.category, "url": source.url, "homepage": source.homepage,
        "licence": source.licence, "attribution": source.attribution, "enabled": source.enabled,
        "own": any(each["id"] == source.id for each in state.added),
        "state": condition(source, known, at),
        **_counts(figures),
        "checked": known.checked, "changed": known.changed,
        "max_age_seconds": source.max_age_days * 86400, "error": known.error,
        "versions": [_version(each, known) for each in known.versions],
        "quarantine": _quarantine(known),
    }  # fmt: skip


def _version(version: Version, known: SourceState) -> dict[str, Any]:
    current = version.version == known.current
    at, entries = version.at, version.entries
    return {"version": version.version, "at": at, "entries": entries, "current": current}


def _imported(entry: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    title = str(entry.get("file") or entry["id"])
    return {
        "id": entry["id"], "title": {"vi": title, "en": title}, "category": entry["category"],
        "url": None, "homepage": "", "licence": "", "attribution": "", "enabled": True,
        "own": True, "state": FRESH, **_counts(figures), "checked": None, "changed": None,
        "max_age_seconds": None, "error": None, "versions": [], "quarantine": None,
    }  # fmt: skip


def _counts(figures: Mapping[str, Any]) -> dict[str, Any]:
    entries = figures.get("entries", 0) + figures.get("rules", 0) + figures.get("addresses", 0)
    return {
        "entries": entries, "unique": figures.get("unique", 0),
        "dropped": figures.get("dropped", {}),
        "samples": sample_texts(figures.get("samples", {})),
        "protected_hits": figures.get("protected_hits", []),
    }  # fmt: skip


def condition(source: Source, known: SourceState, at: datetime) -> str:
    """One word for the state of a list."""
    if not source.enabled:
        return OFF
    if known.quarantine is not None:
        return WAITING
    if source.file is not None:
        return FRESH
    if known.current is None:
        return FAILED if known.failures else NEVER
    if known.failures >= FAILURES_TOLD:
        return FAILED
    checked = datetime.fromisoformat(known.checked) if known.checked else None
    limit = timedelta(days=source.max_age_days)
    return FRESH if checked is not None and at - checked <= limit else STALE


def _quarantine(known: SourceState) -> dict[str, Any] | None:
    waits = known.quarantine
    if waits is None:
        return None
    return {
        "at": waits.version.at, "version": waits.version.version, "reasons": list(waits.reasons),
        "reason": "; ".join(waits.reasons), "before": waits.before, "after": waits.after,
        "added": waits.added, "removed": waits.removed,
        "added_samples": list(waits.added_samples), "removed_samples": list(waits.removed_samples),
        "protected": list(waits.protected),
    }  # fmt: skip


def overlap(library: Library) -> dict[str, Any]:
    """How many names of list i list j has too; the diagonal is the list's size."""
    figures = library.store.state().figures
    ids = [each["id"] for each in figures if each["id"] != "canary"]
    by_id = {each["id"]: each for each in figures}
    shared = [
        [by_id[one]["entries"] if one == two else by_id[one]["shared"].get(two, 0) for two in ids]
        for one in ids
    ]
    return {"ids": ids, "shared": shared}
