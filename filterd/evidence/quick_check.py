"""A JSON Schema turned into closures once, so that a good record is accepted fast. Pure.

Knows the keywords that our own schemas use and refuses a schema with any other. It only ever says
"fits": a record that does not is handed to `jsonschema`, which finds the words. A summary costs
about a hundredth of what the general validator takes, and the office reads hundreds a second; a
supervisor whose records all fit never loads jsonschema, which would take 7 MiB of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import cast

Fits = Callable[[object], bool]
Schema = Mapping[str, object]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_STRING = frozenset({"type", "minLength", "maxLength", "pattern"})
_SAYS_NOTHING = frozenset({"$schema", "$id", "title", "description"})
_HERE = "#/$defs/"


def compiled(schema: Schema) -> Fits:
    """Whether a parsed JSON value fits; ValueError for a keyword that is not known here."""
    if schema.keys() <= {"type", "minimum", "maximum"} and schema.get("type") == "integer":
        return _integer(schema)
    if schema.get("type") == "string" and schema.keys() <= _STRING:
        return _string(schema)
    parts: list[Fits] = []
    for keyword, value in schema.items():
        if keyword in _SAYS_NOTHING or keyword in ("properties", "required"):
            continue
        make = _KEYWORDS.get(keyword)
        if make is None:
            raise ValueError(f"schema keyword {keyword!r} is not known")
        parts.append(make(value, schema))
    if "properties" in schema or "required" in schema:
        parts.append(_members(schema))
    return _every(tuple(parts))


def resolved(schema: Schema) -> Schema:
    """The same schema with what its `$ref` to its own `$defs` stand for in their places; ValueError
    for any other reference."""
    defined = cast("Schema", schema.get("$defs", {}))

    def put(node: object) -> object:
        if isinstance(node, list):
            return [put(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            return {key: put(each) for key, each in node.items() if key != "$defs"}
        name = str(node["$ref"])
        if node.keys() != {"$ref"} or not name.startswith(_HERE):
            raise ValueError(f"reference {name!r} is not known")
        return put(defined[name.removeprefix(_HERE)])

    return cast("Schema", put(schema))


def _every(checks: tuple[Fits, ...]) -> Fits:
    if len(checks) == 1:
        return checks[0]

    def every(record: object) -> bool:
        for check in checks:  # noqa: SIM110 - all() with a generator takes twice as long
            if not check(record):
                return False
        return True

    return every


def _integer(schema: Schema) -> Fits:
    """Most leaves are counts: one closure for type and bounds."""
    low = cast("float", schema.get("minimum", float("-inf")))
    high = cast("float", schema.get("maximum", float("inf")))
    return lambda record: type(record) is int and low <= record <= high


def _string(schema: Schema) -> Fits:
    """The other kind of leaf: type, lengths and pattern in one closure."""
    low = cast("int", schema.get("minLength", 0))
    high = cast("float", schema.get("maxLength", float("inf")))
    search = re.compile(str(schema.get("pattern", ""))).search
    return lambda record: (
        type(record) is str and low <= len(record) <= high and search(record) is not None
    )


def _type(value: object, _schema: Schema) -> Fits:
    names = [value] if isinstance(value, str) else cast("list[str]", value)
    kinds = frozenset(kind for name in names for kind in _TYPES[name])

    def is_type(record: object) -> bool:
        return type(record) in kinds

    return is_type


def _members(schema: Schema) -> Fits:
    known = {
        key: compiled(each)
        for key, each in cast("Mapping[str, Schema]", schema.get("properties", {})).items()
    }
    required = frozenset(cast("list[str]", schema.get("required", [])))

    def members(record: object) -> bool:
        if not isinstance(record, dict):
            return True
        if not required <= record.keys():
            return False
        for key, each in record.items():
            check = known.get(key)
            if check is not None and not check(each):
                return False
        return True

    return members


def _additional(value: object, schema: Schema) -> Fits:
    known = frozenset(cast("Mapping[str, Schema]", schema.get("properties", {})))
    rest = None if isinstance(value, bool) else compiled(cast("Schema", value))

    def additional(record: object) -> bool:
        if not isinstance(record, dict) or value is True:
            return True
        if rest is None:
            return record.keys() <= known
        others = [each for key, each in record.items() if key not in known]
        return all(map(rest, others))

    return additional


def _items(value: object, _schema: Schema) -> Fits:
    check = compiled(cast("Schema", value))

    def items(record: object) -> bool:
        if isinstance(record, list):
            for each in record:
                if not check(each):
                    return False
        return True

    return items


def _names(value: object, _schema: Schema) -> Fits:
    each = compiled(cast("Schema", value))
    return lambda record: not isinstance(record, dict) or all(each(key) for key in record)


def _any(value: object, _schema: Schema) -> Fits:
    ways = [compiled(each) for each in cast("list[Schema]", value)]
    return lambda record: any(way(record) for way in ways)


def _pattern(value: object, _schema: Schema) -> Fits:
    search = re.compile(str(value)).search
    return lambda record: not isinstance(record, str) or search(record) is not None


def _format(value: object, _schema: Schema) -> Fits:
    """A day that is in the calendar; as strict as a validator with its format checker."""
    if value != "date":
        raise ValueError(f"schema format {value!r} is not known")

    def day(record: object) -> bool:
        if not isinstance(record, str):
            return True
        try:
            return _DAY.fullmatch(record) is not None and bool(date.fromisoformat(record))
        except ValueError:
            return False

    return day


def _equal(value: object, _schema: Schema) -> Fits:
    return lambda record: type(record) is type(value) and record == value


def _enum(value: object, _schema: Schema) -> Fits:
    allowed = [(type(each), each) for each in cast("list[object]", value)]
    return lambda record: (type(record), record) in allowed


def _bound(low: bool) -> Callable[[object, Schema], Fits]:
    def make(value: object, _schema: Schema) -> Fits:
        limit = cast("int", value)

        def bound(record: object) -> bool:
            if isinstance(record, bool) or not isinstance(record, int | float):
                return True
            return record >= limit if low else record <= limit

        return bound

    return make


def _size(kind: type, low: bool) -> Callable[[object, Schema], Fits]:
    def make(value: object, _schema: Schema) -> Fits:
        limit = cast("int", value)

        def size(record: object) -> bool:
            if not isinstance(record, kind):
                return True
            n = len(cast("str", record))
            return n >= limit if low else n <= limit

        return size

    return make


def _multiple(value: object, _schema: Schema) -> Fits:
    step = cast("int", value)
    return lambda record: (
        isinstance(record, bool) or not isinstance(record, int | float) or record % step == 0
    )


_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_KEYWORDS: Mapping[str, Callable[[object, Schema], Fits]] = {
    "type": _type,
    "additionalProperties": _additional,
    "items": _items,
    "propertyNames": _names,
    "anyOf": _any,
    "pattern": _pattern,
    "format": _format,
    "const": _equal,
    "enum": _enum,
    "minimum": _bound(True),
    "maximum": _bound(False),
    "minLength": _size(str, True),
    "maxLength": _size(str, False),
    "minItems": _size(list, True),
    "maxItems": _size(list, False),
    "minProperties": _size(dict, True),
    "maxProperties": _size(dict, False),
    "multipleOf": _multiple,
}
