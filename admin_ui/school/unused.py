"""Why lines of a list were not used, in the reader's language (`filterd.lists.entry.Why`)."""

from __future__ import annotations

from admin_ui.shared.i18n import gettext as _


def unused_titles() -> dict[str, str]:
    """Reason → its words; a test holds that every reason of filterd is here."""
    return {
        "syntax": _("cannot be understood"),
        "not_a_name": _("not a name"),
        "address": _("an address in a list of names"),
        "local_name": _("a name of this network only"),
        "url": _("one page of a site, not the site"),
        "cosmetic": _("hides parts of pages, nothing for DNS"),
        "unknown_modifier": _("an option that is not known"),
        "bad_modifier": _("an option written wrongly"),
        "too_wide": _("would match far too much"),
        "regex": _("a pattern that cannot be used"),
        "regex_too_many": _("too many patterns"),
        "unsupported": _("rule that DNS cannot follow"),
        "rewrite_refused": _("sends a name elsewhere, which a list may not"),
        "duplicate": _("written twice"),
        "public_suffix": _("a whole public suffix"),
        "private_suffix": _("a whole hosting service"),
        "protected_name": _("protected names"),
        "badfilter": _("taken back by the list itself"),
        "long_line": _("a line that is too long"),
        "floor_exception": _("would open what nobody may open"),
    }


def sample_in_words(sample: str) -> str:
    """A sample as filterd gives it (`reason: line (number)`) with its reason in words."""
    reason, colon, line = sample.partition(": ")
    return f"{unused_titles().get(reason, reason)}{colon}{line}"
