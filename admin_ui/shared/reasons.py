"""Why filterd could not do something with a list or a policy, in the reader's language.

filterd says it in English, with names and figures in it, for the command line and JSON, and keeps
that text. Each of its sentences stands here once; a test holds that none is without. Knows nothing
of pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.i18n import language
from admin_ui.shared.sentences import CLAUSES, SENTENCES

_PLACE = re.compile(r"%\((\w+)\)s")
_NEXT = re.compile(r"; (?=\S+: |\S+ is at )")
"""Where the next address (mirror) or the next assertion begins."""
_SYSTEM = re.compile(r"\[Errno -?\d+\] (?P<why>.+?)(?:: '(?P<path>[^']+)')?")
_ABOUT = re.compile(r"(?P<what>\S+): (?P<why>.+)", re.DOTALL)


def error_in_words(text: str) -> str:
    """The sentence in the reader's language; as it is when filterd (another version) says one
    that is not known here. Addresses, paths and figures stay."""
    return "; ".join(_one(part) for part in _NEXT.split(text))


def _one(text: str) -> str:
    for form, sentence in _forms():
        if found := form.fullmatch(text):
            return _(sentence, **_inner(found)) if form.groups else _(sentence)
    if found := _SYSTEM.fullmatch(text):
        path = f" ({found['path']})" if found["path"] else ""
        return f"{_one(found['why'])}{path}"
    if found := _ABOUT.fullmatch(text):
        return f"{found['what']}: {_one(found['why'])}"
    return text


def _inner(found: re.Match[str]) -> Mapping[str, str]:
    """What stands in the places; a clause of filterd's own is put in words, too."""
    return {
        key: _one(value) if key in CLAUSES else value for key, value in found.groupdict().items()
    }


@cache
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Each sentence as a pattern; its places take whatever stands there."""
    return tuple((re.compile(_pattern(each), re.DOTALL), each) for each in SENTENCES)


def _pattern(sentence: str) -> str:
    parts = _PLACE.split(sentence)  # text, place, text, place, … text
    return "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )


def problem_in_words(problem: Mapping[str, Any]) -> str:
    """One mistake of a document (`filterd.errors.Problem` as JSON)."""
    vietnamese = str(problem.get("message_vi") or "") if language() == "vi" else ""
    return vietnamese or str(problem.get("message") or "")
