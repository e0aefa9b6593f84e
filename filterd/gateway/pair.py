"""The policy as one of two boxes hands it to the other: which of two versions is the newer one.

Pure. An edit made on a box has a generation one above the last it knew; the higher generation wins,
and of two edits made at the same time the one with the greater hash, on both boxes alike. The other
stays in its box's history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from filterd.errors import FilterdError
from filterd.storage.revisions import document_hash

FORMAT = "filterd.pair/1"
KIND = "pair"
"""The kind under which it is signed (`evidence.signing`)."""
LIMIT_BYTES = 8 << 20
_HIGHEST = 1 << 53


class PairError(FilterdError):
    """What came is not a policy of the other box."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Of two versions the greater one is the newer one."""

    generation: int
    hash: str

    def after(self, hash: str) -> Version:
        """The version of an edit that left this document with `hash`."""
        return self if hash == self.hash else Version(self.generation + 1, hash)


@dataclass(frozen=True, slots=True)
class Copy:
    """A policy document with its version, and who made the last change and why."""

    version: Version
    files: Mapping[str, str]
    author: str
    reason: str
    approver: str | None = None


def encode(copy: Copy) -> bytes:
    """The bytes to be signed."""
    body = {
        "format": FORMAT,
        "generation": copy.version.generation,
        "hash": copy.version.hash,
        "files": dict(copy.files),
        "author": copy.author,
        "reason": copy.reason,
        "approver": copy.approver,
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8")


def decode(body: bytes) -> Copy:
    """The copy in signed bytes; PairError when it is not one or its hash is another's."""
    try:
        raw = json.loads(body)
        if raw["format"] != FORMAT:
            raise ValueError(f"not a {FORMAT}")
        version = Version(_whole(raw["generation"]), _text(raw["hash"], 64))
        files = {_text(k, 100): _text(v, LIMIT_BYTES) for k, v in raw["files"].items()}
        approver = raw["approver"]
        found = Copy(
            version, files, _text(raw["author"], 200), _text(raw["reason"], 1000),
            None if approver is None else _text(approver, 200),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PairError(f"not a policy of the other box: {error}") from None
    if document_hash(found.files) != version.hash:
        raise PairError("the policy of the other box does not have the hash it says")
    return found


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < _HIGHEST:
        raise ValueError("generation")
    return value


def _text(value: object, limit: int) -> str:
    if type(value) is not str or len(value) > limit:
        raise ValueError("a text is missing or too long")
    return value
