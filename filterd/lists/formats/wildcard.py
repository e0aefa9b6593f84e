"""Wildcard lists: `*.example.com` means the name and everything below it (OISD, HaGeZi, Blocky).

Also the patterns of dnscrypt-proxy (`=exact`, `*word*`, `ads.*`, globs), which publishes lists in
the same form ("Filters", dnscrypt-proxy wiki). A plain name means itself and what is below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.lists.entry import EXACT, SUBTREE, Dropped, Entry, Item, Rule, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, address_item, name_of, without_comment
from filterd.lists.regex import usable

_GLOB = re.compile(r"[a-z0-9._*?\[\]-]+")


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """`match=` changes what a plain name means, never what a wildcard means."""
    for number, raw in lines:
        text = without_comment(raw).lower().split("@")[0].strip()
        if text:
            yield _item(number, text, options.scope or SUBTREE)


def _item(number: int, text: str, scope: int) -> Item:
    word, wanted = text, scope
    if text.startswith("="):
        word, wanted = text[1:], EXACT
    elif text.startswith("*."):
        word, wanted = text[2:], SUBTREE
    elif text.startswith("."):
        word, wanted = text[1:], SUBTREE
    if any(sign in word for sign in "*?["):
        return _glob(number, text)
    name = name_of(word)
    if not isinstance(name, Why):
        return Entry(number, name, wanted)
    if name is Why.ADDRESS:
        return address_item(number, word)
    return Dropped(number, name, text)


def _glob(number: int, text: str) -> Item:
    if not _GLOB.fullmatch(text) or not text.strip("*.?"):
        return Dropped(number, Why.TOO_WIDE if not text.strip("*.?") else Why.SYNTAX, text)
    if text.startswith("*") and text.endswith("*") and not set("*?[") & set(text[1:-1]):
        pattern = re.escape(text[1:-1])
    else:
        signs = (_GLOB_SIGN.get(sign, re.escape(sign)) for sign in text.removeprefix("*."))
        head = r"(?:^|\.)" if text.startswith("*.") else "^"
        pattern = f"{head}{''.join(signs)}$"
    if text.count("[") != text.count("]"):
        return Dropped(number, Why.SYNTAX, text)
    if not usable(pattern):  # `[z-a]`, or too long
        return Dropped(number, Why.REGEX, text)
    return Rule(number, text, 0, pattern=pattern)


_GLOB_SIGN = {"*": ".*", "?": ".", "[": "[", "]": "]", "-": "-"}
