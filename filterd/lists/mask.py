"""AdGuard masks (`||`, `|`, `^`, `*`, `/regex/`) turned into a name or an RE2 expression.

Source: AdGuard knowledge base, "DNS filtering rules syntax", special characters; matching as the
reference engine does it: a mask that begins with `||` or a scheme is held against
`http://<name>`, any other against the name, without anchors unless it has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.lists.entry import BELOW, EXACT, SUBTREE, Why
from filterd.lists.lines import name_of
from filterd.lists.regex import MAX_LENGTH, anchor_of, as_name, usable
from filterd.wire.names import Name

_MASK = re.compile(r"[a-z0-9._*^|-]+")
_PREFIX = re.compile(r"/[a-z0-9.-]{2,}\.")


@dataclass(frozen=True, slots=True)
class Mask:
    """What a mask matches: `name` with `scope`, or `pattern` (RE2), or everything (neither)."""

    name: Name | None = None
    scope: int = 0
    pattern: str | None = None
    anchor: Name | None = None


EVERYTHING = Mask()


def read(text: str) -> Mask | Why:
    """The meaning of a mask without its modifiers, or why it can never match a host name."""
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        return _regex(text[1:-1])
    mask = text.lower()
    if mask.endswith("/*"):
        mask = mask[:-2] + "^"
    mask = _without_scheme(mask)
    if not mask.strip("*|^"):
        return EVERYTHING
    return _simple(mask) or _general(mask)


def _regex(pattern: str) -> Mask | Why:
    if found := as_name(pattern):
        return Mask(name=found[0], scope=found[1])
    if not usable(pattern):
        return Why.REGEX
    return Mask(pattern=pattern, anchor=anchor_of(pattern))


def _without_scheme(mask: str) -> str:
    """`://x` and `http://x` are held against `http://<name>`: they mean "begins with x"."""
    for scheme in ("http://", "://"):
        if mask.startswith(scheme):
            return "|" + mask.removeprefix(scheme)
    if _PREFIX.fullmatch(mask):
        return "|" + mask[1:]
    return mask


def _simple(mask: str) -> Mask | Why | None:
    """Masks that only spell a name; None for the others."""
    body = mask.removesuffix("*") if mask.endswith("^*") else mask
    body = body.removesuffix("|")
    ended = body.endswith("^") or body != mask.removesuffix("*")
    body = body.removesuffix("^")
    if not ended:
        return None
    scope = 0
    for head, meant in (
        ("||*.", BELOW),
        ("||", SUBTREE),
        ("|", EXACT),
        ("*.", BELOW),
        (".", BELOW),
    ):
        if body.startswith(head):
            body, scope = body.removeprefix(head), meant
            break
    if not scope or not body or set("*^|") & set(body):
        return None
    name = name_of(body) if not body.startswith(".") else Why.SYNTAX
    return name if isinstance(name, Why) else Mask(name=name, scope=scope)


def _general(mask: str) -> Mask | Why:
    if not _MASK.fullmatch(mask):
        return Why.URL if set("/:?=&%") & set(mask) else Why.SYNTAX
    body, head, tail = mask, "", ""
    if body.startswith("||"):
        body, head = body[2:], r"(?:^|\.)"
    elif body.startswith("|"):
        body, head = body[1:], "^"
    body = body.removesuffix("*") if body.endswith("^*") else body
    stripped = body.rstrip("^|")
    if stripped != body:
        body, tail = stripped, "$"
    if "^" in body or "|" in body:
        return Why.URL
    pattern = head + ".*".join(re.escape(part) for part in body.split("*")) + tail
    pattern = pattern.replace(r"\-", "-")
    if len(pattern) > MAX_LENGTH:  # a shorter one of these signs is always usable
        return Why.REGEX
    anchor = anchor_of(pattern) if tail else None
    return Mask(pattern=pattern, anchor=anchor)
