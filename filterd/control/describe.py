"""`describe`: every method with its fields as JSON Schema, read from the request dataclasses.

What the HTTP API and its OpenAPI description are made of, so that they cannot say anything else
than what the socket accepts. Knows no noun.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route, Routes

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
}


def routes(others: Routes) -> dict[str, Route]:
    """The method itself, over all the others; who may do nothing may not read it either."""

    async def describe(caller: Caller, request: Nothing) -> dict[str, Any]:
        return {"methods": {name: method(route) for name, route in sorted(others.items())}}

    return {"describe": Route(Nothing, Permission.VIEW, describe)}


def method(route: Route) -> dict[str, Any]:
    """What one method needs: permission, fields, which of them must be there."""
    hints = typing.get_type_hints(route.request)
    fields = dataclasses.fields(route.request)
    return {
        "permission": route.permission.value,
        "text": (route.request.__doc__ or "").strip(),
        "fields": {field.name: schema(hints[field.name]) for field in fields},
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
    }


def schema(hint: Any) -> dict[str, Any]:
    """A type hint of a request as JSON Schema."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = schema(next(each for each in arguments if each is not type(None)))
        return {"anyOf": [inner, {"type": "null"}]} if type(None) in arguments else inner
    if origin is tuple:
        return {"type": "array", "items": schema(arguments[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    return dict(_SCALARS.get(hint, {}))
