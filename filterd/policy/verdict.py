"""The verdict: a sum type that says what happens to a question and which rule says so.

Pure values; made by `ruleset`, acted on by `resolve`. Nothing here decides anything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from filterd.policy.model import Action, CategoryId, ListId, Name, SegmentId, TierId


class Step(enum.StrEnum):
    """The steps of the decision in their order; the first that speaks decides."""

    SPECIAL = "special"
    LOCAL = "local"
    FLOOR_EVERYONE = "floor_everyone"
    FLOOR_PUPILS = "floor_pupils"
    OVERRIDE = "override"
    EXCEPTION = "exception"
    SERVICE = "service"
    CATEGORY = "category"
    ALLOW_ONLY = "allow_only"
    SAFE_SEARCH = "safe_search"
    FORWARD = "forward"


class Origin(NamedTuple):
    """Where a verdict comes from: enough to look it up and to change it.

    `rule` is the rule's text or the listed name; `file` and `line` (1-based) are where it is
    written, None where a rule is not written in a file.
    """

    step: Step
    rule: str
    list: ListId | None = None
    category: CategoryId | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Forward the question (or answer from cache); every name on the way is judged too."""

    origin: Origin
    shared: bool = True


class Blocked(NamedTuple):
    """Refuse in the tier's way. `ede` is the RFC 8914 code (15 own lists, 16 an authority)."""

    origin: Origin
    action: Action
    ttl: int
    ede: int = 15
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Alias:
    """Answer with a CNAME to `target`, which is really resolved for A and AAAA; else NODATA.

    `others` are taken in their order where a name before them does not exist.
    """

    target: Name
    others: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Local:
    """Answer from here: an rcode and records in presentation form (name, type, ttl, value)."""

    rcode: int
    records: tuple[tuple[str, str, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Answer something else than the Internet says. `ede` 4 (Forged) where an answer is forged."""

    origin: Origin
    answer: Alias | Local
    ede: int | None = 4
    shared: bool = True


Verdict = Allowed | Blocked | Rewritten
"""`shared` False: the client's identity decided, so no one else may reuse the verdict."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What list rules may look at besides the name (`$client`, `$ctag`); None: not known."""

    address: str | None = None
    name: str | None = None
    tags: frozenset[str] = frozenset()


class Question(NamedTuple):
    """What is asked; `qtype` is the IANA number."""

    name: Name
    qtype: int
    asker: Asker | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a source belongs: its tier, the segment that said so, and whether it was known."""

    tier: TierId
    segment: SegmentId | None = None
    known: bool = True


class Listing(NamedTuple):
    """One rule of one blocklist that speaks about a name.

    `exception` is `@@`; `important` beats an ordinary exception of the same category;
    `rewrite` is the answer of a `$dnsrewrite` rule of the school's own lists.
    `personal`: a `$client`/`$ctag` rule took part, so the outcome holds for this asker alone (also
    when such a rule was for another: then it stands last, as an exception of no category).
    """

    list: ListId
    category: CategoryId
    rule: str
    file: str | None
    line: int | None
    exception: bool = False
    important: bool = False
    rewrite: Alias | Local | None = None
    personal: bool = False


class ListIndex(Protocol):
    """What the ruleset needs of the compiled lists; implemented by `filterd.lists.index`."""

    @property
    def version(self) -> str:
        """Digest of the compiled lists."""

    def listings(self, question: Question) -> tuple[Listing, ...]:
        """Every rule that speaks about the question's name, the winner of each category first.

        Precedence inside a category is already applied: `$badfilter` rules are gone,
        `@@`+important > important > `@@` > block.
        """

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Every rule of address lists that holds this 4- or 16-octet address, the winner of each
        category first."""
