"""One parser per list format: `parse(lines, options) -> Iterator[Item]`; none knows another's
syntax except where a format is documented to contain it (AdGuard lists contain hosts lines)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from filterd.lists.entry import Item
from filterd.lists.lines import Lines

FORMATS = (
    "hosts", "domains", "wildcard", "adblock", "rpz", "dnsmasq", "ut1", "regex", "addresses",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a list: `scope` is what a plain name means (entry.EXACT or SUBTREE; None: as
    the format's authors say); `rewrites` False turns hosts answers into blocks and refuses
    `$dnsrewrite`, which is how subscribed lists are read."""

    scope: int | None = None
    rewrites: bool = False


def parse(format_name: str, lines: Lines, options: Options) -> Iterator[Item]:
    """Items of a list in one of FORMATS; KeyError for another name."""
    if format_name not in FORMATS:
        raise KeyError(format_name)
    module = importlib.import_module(f"filterd.lists.formats.{format_name}")
    return cast("Iterator[Item]", module.parse(lines, options))
