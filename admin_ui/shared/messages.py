"""The texts of the web apps, read from their source: `python -m admin_ui.shared.messages` brings
the Vietnamese catalogue up to date (new texts come in empty, unused ones go).

English texts are the message ids. Knows no request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

SINCE = datetime(2026, 11, 21, tzinfo=UTC)
ROOT = Path(__file__).parents[1]
CATALOGUE = Path(__file__).with_name("translations") / "vi.po"
METHODS = [("**/tests/**", "ignore"), ("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "of_filterd": None}


def found() -> Catalog:
    """Every text of the source, as an empty catalogue."""
    catalogue = Catalog(project="filterd", charset="utf-8", header_comment="# filterd")
    rows = extract_from_dir(
        str(ROOT),
        method_map=METHODS,
        options_map={"**/templates/**.html": {"trimmed": "true", "silent": "false"}},
        keywords=KEYWORDS,
    )
    for _file, _line, message, _comments, _context in rows:
        catalogue.add(message)
    return catalogue


def kept() -> Catalog:
    """The Vietnamese catalogue as it is on disk."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="vi")


def update() -> None:
    """Write the catalogue anew: texts of the source, translations of the old catalogue."""
    old = kept() if CATALOGUE.exists() else Catalog(locale="vi")
    new = Catalog(
        locale="vi",
        project="filterd",
        charset="utf-8",
        fuzzy=False,
        header_comment="# The web apps in Vietnamese; the message ids are the English texts.",
        msgid_bugs_address="-",
        last_translator="filterd",
        language_team="filterd",
        creation_date=SINCE,  # a date of now would be a conflict in every merge
    )
    for message in found():
        if message.id:
            before = old.get(message.id)
            new.add(message.id, before.string if before else None)
    with CATALOGUE.open("wb") as file:
        write_po(file, new, sort_output=True, omit_header=False, width=0)


if __name__ == "__main__":
    update()
