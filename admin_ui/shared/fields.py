"""Reading what a form sent: typed, bounded, without control characters.

Raises `FieldError` with words for the person who filled the form in. Knows no noun.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

from flask import request
from werkzeug.exceptions import BadRequest

from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.i18n import zone


class FieldError(BadRequest):
    """A field that cannot be used; its description is shown beside the form."""


def clean(value: str, lines: bool) -> str:
    """The text in NFC, refused when it holds control or line-separating characters."""
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    allowed = {"\n", "\t"} if lines else set()
    for character in value:
        if character not in allowed and unicodedata.category(character) in {"Cc", "Zl", "Zp"}:
            raise FieldError(_("A field holds a character that cannot be used."))
    return value


def text(key: str, limit: int = 200, *, required: bool = True, lines: bool = False) -> str:
    """A text field; empty is refused when required."""
    value = clean(request.values.get(key, ""), lines)
    if required and not value:
        raise FieldError(_("Please fill in every field that is marked as required."))
    if len(value) > limit:
        raise FieldError(_("A text is longer than %(limit)s characters.", limit=limit))
    return value


def secret(key: str, limit: int = 256) -> str:
    """A password or code, as typed."""
    value = request.form.get(key, "")
    if not value or len(value) > limit:
        raise FieldError(_("Please fill in every field that is marked as required."))
    return value


def integer(key: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number within its bounds; `default` when the field is empty."""
    value = request.values.get(key, "").strip()
    if not value and default is not None:
        return default
    if not value.isascii() or not value.isdigit() or not low <= int(value[:9]) <= high:
        raise FieldError(_("A number must lie between %(low)s and %(high)s.", low=low, high=high))
    return int(value)


def choice(key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    """One of the allowed words."""
    value = request.values.get(key, default or "")
    if value not in allowed:
        raise FieldError(_("This choice does not exist: %(value)s", value=value[:40]))
    return value


def several(key: str, allowed: tuple[str, ...]) -> list[str]:
    """The ticked values of a group, in the order of `allowed`."""
    ticked = set(request.form.getlist(key))
    return [value for value in allowed if value in ticked]


def local_time(key: str) -> datetime:
    """A date and time as the browser's own picker sends it, in the school's zone."""
    try:
        return datetime.fromisoformat(text(key, 25)).replace(tzinfo=zone())
    except ValueError:
        raise FieldError(_("This is not a date and time.")) from None


def words(key: str, limit: int = 20_000) -> list[str]:
    """The entries of a text area, one a line or between commas."""
    value = text(key, limit, required=False, lines=True)
    return [word for line in value.split("\n") for word in line.replace(",", " ").split()]
