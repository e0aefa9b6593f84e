"""Plain lists of regular expressions: one a line, as Pi-hole keeps them; `/…/` as in Blocky.

Pi-hole's extras (docs.pi-hole.net/regex/pi-hole): `;querytype=A,AAAA` or `;querytype=!A`,
`;invert`, `;reply=NXDOMAIN|NODATA|REFUSED|IP|none|<address>`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.lists.entry import Dropped, Entry, Item, Only, Rewrite, Rule, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines
from filterd.lists.regex import anchor_of, as_name, usable

_EXTRAS = ("querytype=", "invert", "reply=")


@dataclass(slots=True)
class _Extras:
    types: Only | None = None
    inverted: bool = False
    rewrite: Rewrite | None = None


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """An expression that only spells a name becomes that name (`lists.regex.as_name`)."""
    for number, raw in lines:
        text = raw.strip()
        if text and not text.startswith(("#", "!")):
            yield _item(number, text, options)


def _item(number: int, text: str, options: Options) -> Item:
    words = text.split(";")
    extra = (at for at, word in enumerate(words) if at and word.startswith(_EXTRAS))
    begin = next(extra, len(words))
    pattern, rest = ";".join(words[:begin]), words[begin:]
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        pattern = pattern[1:-1]
    extras = _extras(rest)
    if extras is None:
        return Dropped(number, Why.BAD_MODIFIER, text)
    if not rest and (found := as_name(pattern)):
        return Entry(number, *found)
    if not usable(pattern):
        return Dropped(number, Why.REGEX, text)
    if extras.rewrite is not None and not options.rewrites:
        extras.rewrite = None
    return Rule(
        number, text, 0,
        pattern=pattern, anchor=None if extras.inverted else anchor_of(pattern),
        inverted=extras.inverted, types=extras.types, rewrite=extras.rewrite,
        modifiers=len(rest), key=text,
    )  # fmt: skip


def _extras(words: list[str]) -> _Extras | None:
    found = _Extras()
    for word in words:
        name, _, value = word.strip().partition("=")
        if name == "invert" and not value:
            found.inverted = True
        elif name == "querytype" and value:
            kinds = frozenset(value.lstrip("!").upper().split(","))
            found.types = Only(never=kinds) if value.startswith("!") else Only(of=kinds)
        elif name == "reply" and value:
            found.rewrite = _reply(value)
        else:
            return None
    return found


def _reply(value: str) -> Rewrite | None:
    """What is answered; None where the reply is just a block (Pi-hole's own block modes)."""
    if value.upper() in ("NXDOMAIN", "REFUSED"):
        return Rewrite(rcode=value.upper())
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    return Rewrite(type="A" if address.version == 4 else "AAAA", value=value)
