"""Languages of the web apps: Vietnamese first, English second, chosen by cookie or account.

Owns the catalogues (read from `translations/*.po` at start, so that no compiled copy can drift)
and how dates, numbers and durations are written. Message ids are the English texts.
"""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, current_app, g, has_request_context, request

LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}
DEFAULT = "vi"
COOKIE = "filterd_language"
CATALOGUES = Path(__file__).with_name("translations")


@cache
def catalogue(language: str) -> Translations:
    """The texts of one language; English is the message ids themselves."""
    source = CATALOGUES / f"{language}.po"
    if not source.exists():
        return Translations()
    with source.open("rb") as file:
        compiled = io.BytesIO()
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def language() -> str:
    """The language of this request: cookie, then the account's, then Vietnamese."""
    if not has_request_context():
        return DEFAULT
    if "language" in g:
        return str(g.language)
    account = g.get("account") or {}
    wishes = (request.cookies.get(COOKIE), account.get("language"))
    found = next((str(wish) for wish in wishes if wish in LANGUAGES), DEFAULT)
    if account:  # a page asks a thousand times; before the account is known the answer may change
        g.language = found
    return found


def gettext(text: str, **values: Any) -> str:
    """The text in this request's language, with named values put in."""
    found = str(catalogue(language()).ugettext(text))
    return found % values if values else found


def ngettext(one: str, many: str, count: int, **values: Any) -> str:
    """The same for a text that depends on a count, given to it as `num`."""
    values.setdefault("num", count)
    return str(catalogue(language()).ungettext(one, many, count)) % values


def either(text: Any) -> str:
    """The current language's side of a {"vi": …, "en": …} value; other values as text."""
    if isinstance(text, dict):
        return str(text.get(language()) or text.get(DEFAULT) or text.get("en") or "")
    if hasattr(text, "vi") and hasattr(text, "en"):
        return str(getattr(text, language()))
    return "" if text is None else str(text)


def locale() -> Locale:
    """Babel's locale of this request."""
    return Locale.parse(language())


def zone() -> ZoneInfo:
    """The school's time zone."""
    return ZoneInfo(current_app.config["TIME_ZONE"])


def moment(value: Any) -> datetime | None:
    """An ISO 8601 text or a datetime as an aware datetime; anything else is None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def date_and_time(value: Any) -> str:
    """A moment in the school's zone, day and minute; a dash when there is none."""
    at = moment(value)
    if at is None:
        return "–"
    return str(dates.format_datetime(at.astimezone(zone()), "dd/MM/yyyy HH:mm", locale=locale()))


def day(value: Any) -> str:
    """A day (a date, or its ISO 8601 text) as people write it here; empty when there is none."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            return str(value)
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else ""


def clock(value: Any) -> str:
    """Only the hour and minute of a moment in the school's zone."""
    at = moment(value)
    return at.astimezone(zone()).strftime("%H:%M") if at else "–"


def ago(value: Any) -> str:
    """How long ago, or in how long, in words."""
    at = moment(value)
    if at is None:
        return "–"
    return str(dates.format_timedelta(at - datetime.now(UTC), add_direction=True, locale=locale()))


def duration(seconds: Any) -> str:
    """A length of time in words, its largest unit only."""
    if not isinstance(seconds, int | float):
        return "–"
    return str(dates.format_timedelta(int(seconds), locale=locale()))


def number(value: Any) -> str:
    """A number grouped as the language does it; a dash when there is none."""
    if not isinstance(value, int | float):
        return "–"
    return str(numbers.format_decimal(value, locale=locale()))


def install(app: Flask) -> None:
    """Give templates the translations and the filters."""
    app.config.setdefault("TIME_ZONE", "Asia/Ho_Chi_Minh")
    app.jinja_env.add_extension("jinja2.ext.i18n")
    extension: Any = app.jinja_env
    extension.install_gettext_callables(
        lambda text: catalogue(language()).ugettext(text),
        lambda one, many, count: catalogue(language()).ungettext(one, many, count),
        newstyle=True,
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters.update(
        either=either, at=date_and_time, day=day, clock=clock, ago=ago, duration=duration,
        number=number,
    )  # fmt: skip
