"""What format a list is in, from what its first lines look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from filterd.lists.lines import network_of

SAMPLE_LINES = 2000
"""Lines looked at; comments do not count."""

_HOSTS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*(?:%\w+)?)\s+\S", re.I)
_ADBLOCK = re.compile(
    r"@@|\|\|?[^|\s]|[^/\s#]+\^|.*\$(?:important|badfilter|client|ctag|dns|denyallow)"
)
_DNSMASQ = re.compile(r"(?:--)?(?:address|server|local|rev-server)\s*=\s*/", re.I)
_RPZ = re.compile(
    r"\S+\s+(?:[0-9]+\s+)?(?:IN\s+)?CNAME\s+\S+|\$(?:TTL|ORIGIN)\s|@\s.*\bSOA\b", re.I
)
_WILDCARD = re.compile(r"\*\.[^*^|$\s]+|=[a-z0-9.-]+|\.[a-z0-9-]+\.[a-z0-9.-]+", re.I)
_DELIMITED = re.compile(r"/.+/(?:\$\S+)?")
_EXPRESSION = re.compile(r"[\^(].*|(?!@@|\||/).*(?:\\\.|;querytype=|;reply=|;invert).*|.*[^^|]\$")
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?(?::[0-9]+)?(?:\s+#.*)?", re.I)

_KINDS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("dnsmasq", _DNSMASQ.match),
    ("hosts", _HOSTS.match),
    ("addresses", lambda line: network_of(line.split()[0])),
    ("rpz", _RPZ.match),
    ("regex", _EXPRESSION.fullmatch),
    ("delimited", _DELIMITED.fullmatch),
    ("adblock", _ADBLOCK.match),
    ("wildcard", _WILDCARD.fullmatch),
    ("domains", _DOMAIN.fullmatch),
    ("glob", lambda line: "*" in line),
)


def detect(lines: Iterable[str]) -> str | None:
    """A name of `formats.FORMATS`, or None when no line looks like any of them."""
    counts: dict[str, int] = {}
    for line in _telling(lines):
        kind = next((name for name, fits in _KINDS if fits(line)), None)
        if kind is not None:
            counts[kind] = counts.get(kind, 0) + 1
    return _chosen(counts) if counts else None


def _telling(lines: Iterable[str]) -> Iterable[str]:
    seen = 0
    for raw in lines:
        line = raw.strip()
        if line and not (line[0] in "!#;" or (line[0] == "[" and line[-1] == "]")):
            yield line
            seen += 1
            if seen >= SAMPLE_LINES:
                return


def _chosen(counts: dict[str, int]) -> str:
    """The format that can hold all kinds of line that were seen.

    AdGuard syntax contains hosts lines, bare domains and `/regex/`; a wildcard list contains
    domains, and a few patterns as in dnscrypt-proxy's lists; a regex list may be written with or
    without the slashes.
    """
    strong = max(("dnsmasq", "rpz"), key=lambda kind: counts.get(kind, 0))
    total = sum(counts.values())
    if counts.get(strong, 0) * 2 > total:
        return strong
    if counts.get("adblock"):
        return "adblock"
    if counts.get("regex") or counts.get("delimited"):
        return "regex" if not counts.get("hosts") and not counts.get("domains") else "adblock"
    if counts.get("glob", 0) > counts.get("wildcard", 0):
        return "adblock"
    if counts.get("wildcard"):
        return "wildcard"
    return max(("hosts", "domains", "addresses"), key=lambda kind: counts.get(kind, 0))
