"""Address lists: one IPv4/IPv6 address or CIDR network a line, `#` or `;` comments."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.lists.entry import Dropped, Item, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, address_item, without_comment

SHORTEST = {4: 8, 6: 16}
"""A network wider than this is a mistake: no list means a sixteenth of the Internet."""


def parse(lines: Lines, _options: Options) -> Iterator[Item]:
    """Networks wider than SHORTEST are dropped as too wide."""
    for number, raw in lines:
        text = without_comment(raw, "#;!")
        if not text:
            continue
        item = address_item(number, text.split()[0])
        if (
            not isinstance(item, Dropped)
            and item.network.prefixlen < SHORTEST[item.network.version]
        ):
            item = Dropped(number, Why.TOO_WIDE, raw)
        yield item
