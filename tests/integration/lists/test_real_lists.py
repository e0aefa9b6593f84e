"""Real lists in every format: taken in runs or line by line, what was read is the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filterd.lists import bulk, reader
from filterd.lists.entry import SUBTREE
from filterd.lists.formats import Options
from filterd.lists.loading import load, load_ut1
from filterd.lists.parsed import Parsed

SHARED = Path(os.environ.get("FILTERD_SHARED", Path(__file__).parents[4] / "shared")) / "data"
LISTS = sorted(
    path
    for folder in ("adguard", "doh-vpn", "hagezi", "ut1", "vietnam")
    for path in (SHARED / folder).glob("*.xz")
    if ".json" not in path.name
)
pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(not LISTS, reason=f"no shared data at {SHARED}"),
]


def read(path: Path) -> object:
    options = Options(SUBTREE)
    found = load_ut1(path, options) if reader.is_tar(path) else dict([load(path, "auto", options)])
    return {name: content(parsed) for name, parsed in found.items()}


def content(parsed: Parsed) -> object:
    groups = {place: (g.joined(), g.lines.tolist()) for place, g in sorted(parsed.groups.items())}
    kept = (parsed.rules, parsed.addresses, parsed.dropped, parsed.samples, parsed.lines)
    return groups, kept


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_what_is_read_in_runs_is_what_is_read_line_by_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_runs = read(path)
    monkeypatch.setattr(bulk, "shapes", lambda *_: ())
    assert read(path) == in_runs
