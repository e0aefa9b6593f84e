"""Modifiers of AdGuard rules: the part behind `$` (KB "DNS filtering rules syntax").

A modifier that is not listed there makes the whole rule void, so that lists for browsers can be
loaded without false blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from filterd.lists.entry import Clients, Network, Only, Rewrite, Why
from filterd.lists.lines import name_of, network_of
from filterd.lists.rewrites import read as read_rewrite
from filterd.lists.types import TYPES
from filterd.wire.names import Name

_TAG = re.compile(r"[a-z0-9_]+")


@dataclass(slots=True)
class Modifiers:
    """What stood behind the `$`; `words` are the modifiers as written, without badfilter."""

    important: bool = False
    badfilter: bool = False
    clients: Clients | None = None
    tags: Only | None = None
    types: Only | None = None
    denyallow: tuple[Name, ...] = ()
    rewrite: Rewrite | None = None
    words: list[str] = field(default_factory=list)

    @property
    def narrowing(self) -> bool:
        """Whether they allow a mask that by itself matches too much."""
        return bool(self.clients or self.tags or self.types or self.denyallow)

    @property
    def plain(self) -> bool:
        """Whether nothing but `important` stands there."""
        return not self.narrowing and self.rewrite is None


def split(text: str, separator: str) -> list[str]:
    """Parts of `text`; a backslash takes the separator's meaning and is dropped then."""
    parts = re.split(rf"(?<!\\){re.escape(separator)}", text)
    return [part.replace("\\" + separator, separator) for part in parts]


def read(text: str) -> Modifiers | Why:
    """All modifiers of a rule, or why the rule is void."""
    found = Modifiers()
    for word in split(text, ","):
        name, _, value = word.partition("=")
        reader = _READERS.get(name)
        if reader is None:
            return Why.UNKNOWN_MODIFIER
        if not reader(found, value):
            return Why.BAD_MODIFIER
        if name != "badfilter":
            found.words.append(word)
    return found


def _important(found: Modifiers, value: str) -> bool:
    found.important = True
    return not value


def _badfilter(found: Modifiers, value: str) -> bool:
    found.badfilter = True
    return not value


def _client(found: Modifiers, value: str) -> bool:
    names: dict[bool, set[str]] = {True: set(), False: set()}
    networks: dict[bool, list[Network]] = {True: [], False: []}
    for word in split(value, "|"):
        wanted = not word.startswith("~")
        client = _unquoted(word.removeprefix("~"))
        if not client:
            return False
        network = network_of(client)
        if network is not None:
            networks[wanted].append(network)
        else:
            names[wanted].add(client)
    found.clients = Clients(
        frozenset(names[True]), tuple(networks[True]),
        frozenset(names[False]), tuple(networks[False]),
    )  # fmt: skip
    return True


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] in "'\"" and text[0] == text[-1]:
        return text[1:-1].replace("\\" + text[0], text[0])
    return text


def _sided(value: str, valid: frozenset[str] | None) -> Only | None:
    wanted: set[str] = set()
    never: set[str] = set()
    for word in value.split("|"):
        bare = word.removeprefix("~")
        if (bare not in valid) if valid is not None else not _TAG.fullmatch(bare):
            return None
        (never if word.startswith("~") else wanted).add(bare)
    return Only(frozenset(wanted), frozenset(never))


def _ctag(found: Modifiers, value: str) -> bool:
    found.tags = _sided(value, None)
    return found.tags is not None


def _dnstype(found: Modifiers, value: str) -> bool:
    found.types = _sided(value.upper(), frozenset(TYPES))
    return found.types is not None


def _denyallow(found: Modifiers, value: str) -> bool:
    names = [name_of(word) for word in value.split("|")]
    kept = tuple(name for name in names if not isinstance(name, Why))
    found.denyallow = kept
    return bool(kept) and len(kept) == len(names)


def _dnsrewrite(found: Modifiers, value: str) -> bool:
    found.rewrite = read_rewrite(value)
    return found.rewrite is not None


_READERS = {
    "important": _important,
    "badfilter": _badfilter,
    "client": _client,
    "ctag": _ctag,
    "dnstype": _dnstype,
    "denyallow": _denyallow,
    "dnsrewrite": _dnsrewrite,
}
