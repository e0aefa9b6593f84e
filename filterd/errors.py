"""Every exception filterd raises on purpose, drawn once.

    FilterdError
    ├── ConfigError      start-up: fatal, exit 78; names the file, the line and the key
    ├── PolicyError      an edit: reported whole, the running policy stays
    ├── ListError        a list: status and metric, the last good list stays
    ├── WireError        a message that cannot be read: answered with its rcode
    ├── UpstreamError    no usable reply: stale answer, or SERVFAIL with EDE
    ├── StorageError     the database refused: the operation failed, the process lives
    ├── EvidenceError    a signed record that cannot be believed: refused with a stable code
    └── ControlError     a control request failed: code + text for people

Raised low, caught at four edges: drain loop, resolve, control request, refresher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FilterdError(Exception):
    """Base of everything filterd raises on purpose; its text is fit to show to a person."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document: where it is, what is wrong, what to write instead.

    `message_vi` is the same in Vietnamese for the console; empty where only English exists.
    """

    file: str
    line: int | None
    key: str
    message: str
    suggestion: str | None = None
    message_vi: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else self.file
        hint = f" — {self.suggestion}" if self.suggestion else ""
        return f"{where}: {self.key}: {self.message}{hint}"


class DocumentError(FilterdError):
    """A document with mistakes; carries all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ConfigError(DocumentError):
    """Settings that cannot be used: fatal at start-up, exit code 78."""


class PolicyError(DocumentError):
    """A policy that may not go live; the running one stays."""


class ListError(FilterdError):
    """A blocklist that could not be fetched, read, accepted or compiled."""


class WireError(FilterdError):
    """A DNS message that cannot be read; `rcode` is what its sender is told, None: drop it."""

    def __init__(self, rcode: int | None, reason: str) -> None:
        super().__init__(reason)
        self.rcode = rcode


class UpstreamError(FilterdError):
    """No upstream gave a usable reply; `ede` is the RFC 8914 code that says why."""

    def __init__(self, reason: str, ede: int = 22) -> None:
        super().__init__(reason)
        self.ede = ede


class StorageError(FilterdError):
    """The database refused or is damaged; nothing was half written. `vi`: in Vietnamese."""

    def __init__(self, reason: str, vi: str = "") -> None:
        super().__init__(reason)
        self.vi = vi


class EvidenceError(FilterdError):
    """A record of evidence that is refused; `code` is stable for scripts and for the office."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlError(FilterdError):
    """A control request failed; `code` is stable for scripts, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
