"""Regular expressions of lists: linear time (RE2), limited in size, suffix rules where they are.

Knows the expressions only; which list they come from and how many there may be is the builder's.
"""

from __future__ import annotations

import re

import re2

from filterd.lists.entry import BELOW, EXACT, SUBTREE
from filterd.wire.names import Name

MAX_LENGTH = 1000
"""Octets of one expression; longer ones are machine-made alternations that belong in a list."""
MAX_RULES = 20_000
"""Expressions of all lists together; beyond it they are dropped and counted."""
MAX_PROGRAM_BYTES = 1 << 20
"""Memory RE2 may use for one expression: `(x{1000}){1000}` is refused, not compiled."""

_LITERAL = r"((?:[a-z0-9_-]+\\\.)+[a-z0-9_-]+)"
_SUBTREE = re.compile(
    r"(?:\((?:\?:)?(?:\^\|\\\.|\\\.\|\^)\)|\^\((?:\?:)?(?:\.\+|\.\*)\\\.\)\?)" + _LITERAL + r"\$"
)
_EXACT = re.compile(r"\^" + _LITERAL + r"\$")
_BELOW = re.compile(r"(?:\^?\.[*+])?\\\." + _LITERAL + r"\$")
_LABEL = re.compile(r"[a-z0-9_-]+")
_FORMS = ((_SUBTREE, SUBTREE), (_EXACT, EXACT), (_BELOW, BELOW))


def as_name(pattern: str) -> tuple[Name, int] | None:
    """The name and scope that `pattern` amounts to, or None: `(^|\\.)ads\\.example\\.com$` is
    `ads.example.com` and everything below it (`.+\\.` in front of a name is below only)."""
    lowered = pattern.lower()
    for form, scope in _FORMS:
        if match := form.fullmatch(lowered):
            return Name(match[1].replace("\\.", ".")), scope
    return None


def anchor_of(pattern: str) -> Name | None:
    """A name of two labels or more that every match ends with, or None when that is not sure."""
    if "|" in pattern or not pattern.endswith("$"):
        return None
    # From the end: a search for labels tries anew at every one of them.
    _, *labels = pattern[:-1].lower().split("\\.")
    others = (at for at in range(len(labels), 0, -1) if not _LABEL.fullmatch(labels[at - 1]))
    labels = labels[next(others, 0) :]
    return Name(".".join(labels)) if len(labels) > 1 else None


def options() -> re2.Options:
    """How every expression here is compiled: octets, any case, no message on standard error."""
    chosen = re2.Options()
    chosen.case_sensitive = False
    chosen.log_errors = False
    chosen.never_capture = True
    chosen.max_mem = MAX_PROGRAM_BYTES
    return chosen


def usable(pattern: str) -> bool:
    """Whether RE2 takes it within the limits (no look-around, no back-reference)."""
    if not pattern or len(pattern) > MAX_LENGTH:
        return False
    try:
        re2.compile(pattern, options=options())
    except re2.error:
        return False
    return True
