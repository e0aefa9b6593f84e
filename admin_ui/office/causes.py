"""Why a summary was refused, and what a release changed, in the reader's language, by their codes.

What an envelope, a check or a chain says of itself stays in the database in English, for the
log; of it a page shows only what needs no language: a number, a place in the record.
"""

from __future__ import annotations

import re

from admin_ui.shared.i18n import gettext as _

_NUMBER = re.compile(r"counter (\d+)|(\d+) bytes")
_PLACE = re.compile(r"^([A-Za-z0-9_/.()-]+): ")
_NAME = re.compile(r"^[+-] (.+)$")


def cause(code: str) -> str:
    """A refusal's code as a sentence; a code that is not known here stays as it is."""
    return {
        "envelope": _("Not a signed record"),
        "signature": _("The signature does not fit: forged or changed on the way"),
        "device": _("Signed in another device’s name"),
        "kind": _("Signed for another purpose"),
        "unknown_device": _("The device is not enrolled"),
        "revoked": _("The device’s key was revoked or replaced"),
        "wrong_school": _("Signed by another school’s device"),
        "schema": _("The record is not of the agreed form"),
        "canonical": _("The record is not written in its one form"),
        "json": _("The record cannot be read"),
        "size": _("The record is too large"),
        "too_old": _("A day long before the device was enrolled"),
        "replay": _("This number came before with other contents"),
        "fork": _("It does not follow from the summary before it"),
        "future": _("A day in the future: the school’s clock is wrong"),
        "backwards": _("A day before one that came already: the school’s clock went back"),
        "released_twice": _("A month’s published cells came again with other numbers"),
    }.get(code, code)


def fact(code: str, detail: str) -> str:
    """What of the detail needs no language: the number, the size, the place in the record."""
    if found := _NUMBER.search(detail):
        return found[1] or found[2]
    place = _PLACE.match(detail) if code == "schema" else None
    return place[1] if place else ""


def change(what: str) -> str:
    """What a release changed."""
    if found := _NAME.match(what):
        added = what.startswith("+")
        return (
            _("%(name)s added", name=found[1]) if added else _("%(name)s taken off", name=found[1])
        )
    if what.startswith("method "):
        return _("method %(version)s", version=what.removeprefix("method "))
    return {
        "floor": _("floor"), "catalogue": _("catalogue of lists"),
        "renewed": _("renewed before it expired"), "new release key": _("new signing key"),
        "": _("published again"),
    }.get(what, what)  # fmt: skip
