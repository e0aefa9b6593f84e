"""What the portal says about a category, in words for the age. Knows no policy and no request."""

from __future__ import annotations

from admin_ui.shared.i18n import gettext as _

YOUNG = frozenset({"preschool", "primary"})
"""Tiers that get pictures and the simple words."""


def category(key: str | None) -> str:
    """The category in a few words."""
    return {
        "csam": _("abuse of children"),
        "authority": _("blocked by order of an authority"),
        "extremism": _("violent extremism"),
        "malware": _("harmful software"),
        "phishing": _("fraud and fake pages"),
        "bypass": _("ways around the filter"),
        "porn": _("sexual content"),
        "gambling": _("gambling"),
        "self_harm": _("self-harm"),
        "violence": _("violence"),
        "drugs": _("drugs, tobacco and alcohol"),
        "hate": _("hate"),
        "dating": _("meeting strangers"),
        "piracy": _("stolen films and games"),
        "games": _("games"),
        "social": _("social networks"),
        "video": _("videos and music"),
        "chat": _("chat"),
        "genai": _("AI assistants"),
        "shopping": _("shopping"),
        "ads": _("advertising and trackers"),
    }.get(key or "", _("a rule of the school"))


def reason(key: str | None, young: bool) -> str:
    """Why the school keeps it closed, for small children in one simple sentence."""
    if key == "self_harm":
        return _("Some pages make hard feelings worse. You are not alone: people want to help you.")
    if key in {"malware", "phishing"}:
        return _("This page can harm the computer or steal what you type.")
    if young:
        return _("This page is not made for children. You did nothing wrong.")
    if key in {"games", "social", "video", "chat", "shopping", "genai"}:
        return _("The school keeps this closed now so that lessons come first.")
    if key in {"csam", "extremism", "authority"}:
        return _("The law forbids this content. It is closed for everyone at the school.")
    return _("The school keeps this closed for your age.")
