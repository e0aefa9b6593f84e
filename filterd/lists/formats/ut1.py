"""UT1 / squidGuard categories: `domains` (a name and everything below it), `urls`, `expressions`.

DNS can honour `domains` only; the lines of the other two are counted as unusable. A directory or a
tar archive is taken apart by `reader`, which gives each member its category.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.lists.entry import SUBTREE, Dropped, Entry, Item, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, address_item, name_of


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """Lines of one `domains` file."""
    scope = options.scope or SUBTREE
    for number, raw in lines:
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        name = name_of(text.removeprefix("."))
        if not isinstance(name, Why):
            yield Entry(number, name, scope)
        elif name is Why.ADDRESS:
            yield address_item(number, text)
        else:
            yield Dropped(number, name, raw)


def parse_unusable(lines: Lines, why: Why) -> Iterator[Item]:
    """Lines of a `urls` or `expressions` file: nothing a DNS filter can do with them."""
    return (Dropped(number, why, raw) for number, raw in lines if raw.strip())
