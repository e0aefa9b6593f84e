"""The daily summary as bytes: checked against its schema, canonical, the same on every machine.

Knows the shape only. Facts are gathered by `recorder`, signatures made by `signing`.
"""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from filterd.errors import EvidenceError
from filterd.evidence.canonical import canonical, parsed
from filterd.evidence.quick_check import Fits, compiled
from filterd.evidence.records import Summary
from filterd.evidence.validator import validator

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FORMAT = "filterd.summary/1"
FIRST = "0" * 64
"""`previous` of a device's first summary."""
_DAY = re.compile(rb'"(\d{4}-\d{2}-\d{2})"')
MAX_BYTES = 256 * 1024
"""A summary of 20 categories, 6 tiers and 200 lists is about 40 KiB."""


@cache
def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of the format, as shipped to everyone who reads summaries."""
    text = files("filterd.evidence").joinpath("schemas", "summary-1.json").read_text("utf-8")
    return cast("dict[str, object]", json.loads(text))


@cache
def _validator() -> Draft202012Validator:
    return validator(schema())


@cache
def _fits() -> Fits:
    return compiled(schema())


def identifier(text: str) -> str:
    """An id as the schema wants it: what else stands in a school's own id becomes a hyphen."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:64]
    return plain if plain[:1].isalnum() else f"x{plain}"[:64]


def encode(summary: Summary) -> bytes:
    """Canonical bytes of a summary; EvidenceError `schema` when it is not one."""
    _check(summary)
    body = canonical(summary)
    _check_days(body)
    return body


def decode(body: bytes) -> Summary:
    """The summary in these bytes. EvidenceError: `size`, `json`, `schema`, or `canonical` when the
    same summary would be written differently (so one summary has one digest)."""
    if len(body) > MAX_BYTES:
        raise EvidenceError("size", f"summary of {len(body)} bytes, limit {MAX_BYTES}")
    try:
        record = parsed(body)
    except (ValueError, TypeError, RecursionError):
        raise _why_not(body) from None
    _check(record)
    _check_days(body)
    return cast("Summary", record)


def _why_not(body: bytes) -> EvidenceError:
    """What is wrong with bytes that are no canonical record: the shape is told before the form."""
    try:
        record = json.loads(body)
    except (ValueError, RecursionError) as error:
        return EvidenceError("json", f"not JSON: {error}")
    try:
        _check(record)
    except EvidenceError as error:
        return error
    return EvidenceError("canonical", "not in canonical form")


def _check_days(body: bytes) -> None:
    """A pattern cannot say that February has no 31st; who reads a record may rely on its days."""
    for text in set(_DAY.findall(body)):
        try:
            date.fromisoformat(text.decode("ascii"))
        except ValueError:
            raise EvidenceError("schema", f"{text.decode()} is in no calendar") from None


def _check(record: object) -> None:
    if _fits()(record):
        return
    error = next(_validator().iter_errors(record), None)
    if error is not None:
        path = "/".join(str(part) for part in error.absolute_path) or "(root)"
        raise EvidenceError("schema", f"{path}: {error.message[:200]}")
