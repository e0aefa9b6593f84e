"""The control protocol's values (architecture §7): callers, routes, requests, errors.

A noun module declares for each of its methods a frozen request dataclass and a `Route`. Requests
are read strictly: unknown keys, missing keys and wrong types are refused with all problems told.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from filterd.control.permissions import EVERYTHING, Permission, Role
from filterd.errors import ControlError, Problem

MAX_LINE_BYTES = 32 << 20
PORTAL = "@portal"
GUEST = "@guest"


class Refusal(ControlError):
    """A refused request: a code for programs, a text in both languages, what else helps."""

    def __init__(self, code: str, vi: str, en: str, **more: Any) -> None:
        super().__init__(code, en)
        self.vi = vi
        self.more = more

    def body(self) -> dict[str, Any]:
        """The error object of the answer."""
        return {"code": self.code, "message": {"vi": self.vi, "en": str(self)}, **self.more}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `account` None: the machine's own administrator or a page without a user.

    `agreed_by`: the second person who agreed to what is being carried out in this caller's name.
    """

    name: str
    permissions: frozenset[Permission]
    account: str | None = None
    role: Role | None = None
    segments: tuple[str, ...] = ()
    token: str | None = None
    agreed_by: str | None = None

    @property
    def local(self) -> bool:
        """Whether this is the machine's own administrator, who needs no second approver."""
        return self.account is None and self.permissions == EVERYTHING


@dataclass(frozen=True, slots=True)
class Nothing:
    """The request of a method that takes no fields."""


@dataclass(frozen=True, slots=True)
class Route:
    """A method: what it is asked with, what it needs, and what answers it."""

    request: type[Any]
    permission: Permission
    run: Callable[[Caller, Any], Awaitable[Any]]


Routes = Mapping[str, Route]


def invalid(problems: list[Problem]) -> Refusal:
    """The refusal of a request or a document with mistakes."""
    return Refusal(
        "invalid",
        "Yêu cầu có lỗi",
        "The request has mistakes",
        problems=[plain(problem) for problem in problems],
    )


def decode(kind: type[Any], given: object) -> Any:
    """Make the request dataclass from JSON; raises Refusal `invalid` with every mistake."""
    if not isinstance(given, dict):
        raise invalid([Problem("with", None, "", "must be an object")])
    hints = typing.get_type_hints(kind)
    problems = [Problem("with", None, key, "is not a field") for key in given if key not in hints]
    values = {}
    for field in dataclasses.fields(kind):
        if field.name not in given:
            if field.default is dataclasses.MISSING:
                problems.append(Problem("with", None, field.name, "is missing"))
            continue
        try:
            values[field.name] = _value(hints[field.name], given[field.name])
        except (ValueError, TypeError) as error:
            problems.append(Problem("with", None, field.name, str(error)))
    if problems:
        raise invalid(problems)
    return kind(**values)


def _value(hint: Any, given: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if given is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), given)
    if origin is tuple:
        if not isinstance(given, list):
            raise ValueError("must be a list")
        return tuple(_value(arguments[0], item) for item in given)
    if origin in (dict, Mapping):
        if not isinstance(given, dict):
            raise ValueError("must be an object")
        return {str(key): _value(arguments[1], value) for key, value in given.items()}
    return _single(hint, given)


def _single(hint: Any, given: Any) -> Any:
    if hint in (Any, object):
        return given
    if hint is datetime:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise ValueError("needs a time zone, such as 2026-11-21T08:00:00+07:00")
        return moment
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(given)
        except ValueError:
            raise ValueError(f"is none of {', '.join(str(m.value) for m in hint)}") from None
    if hint is float and type(given) is int:
        return float(given)
    if type(given) is not hint:
        raise ValueError(f"must be {hint.__name__}")
    return given


def plain(value: Any) -> Any:
    """A value as JSON can carry it: records as objects, times in ISO 8601, sets sorted."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {str(key): plain(item) for key, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset | set):
        return sorted(plain(item) for item in value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    return str(value) if isinstance(value, PurePath) else value
