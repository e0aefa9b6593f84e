"""AdGuard/ABP rules for DNS (KB "DNS filtering rules syntax"), with hosts and domain lines.

Order of reading as in the reference: comment, cosmetic, hosts or bare domain, network rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.lists import mask as masks
from filterd.lists import modifiers as modifier
from filterd.lists.entry import (
    EXACT,
    EXCEPTION,
    IMPORTANT,
    NETWORK,
    Dropped,
    Entry,
    Item,
    Rule,
    Why,
)
from filterd.lists.formats import Options
from filterd.lists.formats.hosts import parse_line as parse_hosts_line
from filterd.lists.lines import Lines, address_item, name_of
from filterd.lists.mask import Mask
from filterd.lists.modifiers import Modifiers

_COSMETIC = re.compile(r"#@?(?:[$%?]|@?\$\?)?#|\$\$|\$@\$")
_HEADER = re.compile(r"\[.*\]")
_BARE = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?", re.I)
_HOSTS = re.compile(r"(?:[0-9.]+|[0-9a-f]*:[0-9a-f:.]*(?:%\S+)?)\s+\S", re.I)


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """Rules of one list; `options.scope` is what a bare domain or a hosts line means."""
    for number, raw in lines:
        text = raw.strip()
        if not text or text.startswith("!") or _HEADER.fullmatch(text):
            continue
        if cosmetic := _COSMETIC.search(text):
            if not text.startswith("@@") and "/" not in text[: cosmetic.start()]:
                yield Dropped(number, Why.COSMETIC, text)
                continue
        elif text.startswith("#"):
            continue
        yield from _line(number, text, options)


def _line(number: int, text: str, options: Options) -> Iterator[Item]:
    bare = text.partition(" #")[0].rstrip()
    if _BARE.fullmatch(bare):
        name = name_of(bare)
        if not isinstance(name, Why):
            yield Entry(number, name, options.scope or EXACT)
        elif name is Why.ADDRESS:
            yield address_item(number, bare)
        else:
            yield Dropped(number, name, text)
    elif _HOSTS.match(bare):
        yield from parse_hosts_line(number, bare.partition("#")[0].strip(), options)
    else:
        yield network_rule(number, text, options)


def network_rule(number: int, text: str, options: Options) -> Item:
    """One `[@@] mask [$modifiers]` rule."""
    body = text.removeprefix("@@")
    flags = NETWORK | (EXCEPTION if body != text else 0)
    pattern, wanted = _split(body)
    found = modifier.read(wanted) if wanted is not None else Modifiers()
    if isinstance(found, Why):
        return Dropped(number, found, text)
    if found.important:
        flags |= IMPORTANT
    if (pattern in ("||", "|", "*", "") or len(pattern) < 3) and not found.narrowing:
        return Dropped(number, Why.TOO_WIDE, text)
    mask = masks.read(pattern)
    if mask is Why.ADDRESS and found.plain and not found.badfilter:
        return address_item(number, pattern.strip("|^"), exception=bool(flags & EXCEPTION))
    if isinstance(mask, Why):
        return Dropped(number, mask, text)
    if found.rewrite is not None and not options.rewrites and not found.badfilter:
        return Dropped(number, Why.REWRITE_REFUSED, text)
    if found.rewrite is not None and found.rewrite.empty and not flags & EXCEPTION:
        return Dropped(number, Why.BAD_MODIFIER, text)
    return _item(number, text, (pattern, mask, flags), found)


def _split(body: str) -> tuple[str, str | None]:
    """Mask and modifiers: the last `$` that is not escaped and not inside a regular expression."""
    if len(body) > 1 and body.startswith("/") and body.endswith("/"):
        return body, None
    position = len(body) - 1
    while (position := body.rfind("$", 0, position)) >= 0:
        if position == 0 or body[position - 1] != "\\":
            return body[:position], body[position + 1 :].replace("\\$", "$")
    return body, None


def _item(number: int, text: str, rule: tuple[str, Mask, int], found: Modifiers) -> Item:
    pattern, mask, flags = rule
    if mask.name is not None and found.plain:
        flags |= mask.scope
        if found.badfilter:
            return Rule(number, text, flags, name=mask.name, badfilter=True)
        return Entry(number, mask.name, flags)
    return Rule(
        number, text, flags | mask.scope,
        name=mask.name, pattern=mask.pattern, anchor=mask.anchor,
        clients=found.clients, tags=found.tags, types=found.types,
        denyallow=found.denyallow, rewrite=found.rewrite, badfilter=found.badfilter,
        modifiers=len(found.words), key=_key(pattern, flags, found),
    )  # fmt: skip


def _key(pattern: str, flags: int, found: Modifiers) -> str:
    """What `$badfilter` compares: the rule's text with its modifiers in one order."""
    values = sorted("|".join(sorted(word.split("|"))) for word in found.words)
    return f"{'@@' if flags & EXCEPTION else ''}{pattern}${','.join(values)}"
