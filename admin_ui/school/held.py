"""Why the gate holds an update back, in the reader's language.

The gate writes English sentences with figures (`filterd.lists.gate`); each form has its words here,
and a test holds that none is without.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.reasons import error_in_words


def _said() -> tuple[tuple[str, Callable[[re.Match[str]], str]], ...]:
    return (
        (r"shrinks from ([\d,]+) to ([\d,]+) entries \((.+)\)",
         lambda m: _("shrinks from %(a)s to %(b)s names (%(p)s)", a=m[1], b=m[2], p=m[3])),
        (r"grows from ([\d,]+) to ([\d,]+) entries \((.+)\)",
         lambda m: _("grows from %(a)s to %(b)s names (%(p)s)", a=m[1], b=m[2], p=m[3])),
        (r"([\d,]+) of ([\d,]+) entries are replaced by others",
         lambda m: _("%(a)s of %(b)s names are replaced by others", a=m[1], b=m[2])),
        (r"([\d,]+) of ([\d,]+) lines make no sense",
         lambda m: _("%(a)s of %(b)s lines make no sense", a=m[1], b=m[2])),
        (r"would block protected names: (.+?)(?: and (\d+) more)?",
         lambda m: _("would block protected names: %(names)s", names=m[1])),
    )  # fmt: skip


def reason_in_words(reason: str) -> str:
    """One reason; the policy's own expectations are among the sentences about lists."""
    for form, words in _said():
        if found := re.fullmatch(form, reason):
            return words(found)
    return error_in_words(reason)
