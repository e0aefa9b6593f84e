"""Domains: one name a line, `#` comments; the name alone unless `match` says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.lists.entry import EXACT, Dropped, Entry, Item, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, address_item, name_of, without_comment


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """A leading dot (Google's supported_domains) is taken off."""
    scope = options.scope or EXACT
    for number, raw in lines:
        text = without_comment(raw, "#!;")
        if not text:
            continue
        name = name_of(text.removeprefix("."))
        if not isinstance(name, Why):
            yield Entry(number, name, scope)
        elif name is Why.ADDRESS:
            yield address_item(number, text)
        else:
            yield Dropped(number, name, raw)
