"""Both languages are whole: every text is translated, none is written past the translations."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

from admin_ui.shared import i18n, messages

ROOT = Path(__file__).parents[3] / "admin_ui"
TEMPLATES = sorted(
    path
    for app in ("school", "portal", "office", "shared")
    for path in (ROOT / app / "templates").rglob("*.html")
    if path.name != "print.html"  # papers with their own style; the annual report is Vietnamese
)
PLACES = re.compile(r"%\((\w+)\)s")
VIETNAMESE = set("ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ")
SAID = {"title", "alt", "placeholder", "aria-label", "label"}
NAMES = {"filterd", "YouTube", "VLAN", "Authorization", "Bearer", "X", "porn.canary.filterd.test"}
"""Names and code that are the same in every language."""


def plain(message: object) -> list[str]:
    return [str(part) for part in (message if isinstance(message, tuple | list) else [message])]


def test_vietnamese_is_complete_and_current() -> None:
    wanted = {tuple(plain(m.id)) for m in messages.found() if m.id}
    kept = {tuple(plain(m.id)): m for m in messages.kept() if m.id}
    assert wanted == set(kept), "run: python -m admin_ui.shared.messages"
    for key, message in kept.items():
        assert all(plain(message.string)), f"not translated: {key}"
        assert not message.fuzzy, key
        for text in plain(message.string):
            assert set(PLACES.findall(text)) == set(PLACES.findall(key[-1])), key


def test_english_holds_no_vietnamese() -> None:
    for message in messages.found():
        for text in plain(message.id):
            assert not set(text.lower()) & VIETNAMESE, text


def test_a_missing_translation_would_be_found() -> None:
    catalogue = messages.kept()
    catalogue["Overview"].string = ""
    assert not all(plain(catalogue["Overview"].string))
    assert i18n.catalogue("vi").ugettext("Overview") == "Tổng quan"


class Texts(HTMLParser):
    """Collects what a template says outside its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.extend(value or "" for name, value in attrs if name in SAID)


def bare(source: str) -> list[str]:
    """Words in the template's own text that no translation goes through."""
    lexed = jinja2.Environment(trim_blocks=True).lex(source)
    text = "".join(value if kind == "data" else "0" for _line, kind, value in lexed
                   if kind in {"data", "variable_begin"})  # fmt: skip
    parser = Texts()
    parser.feed(text)
    found = re.findall(r"[^\W\d_][\w.]*", " ".join(parser.found))
    return [word for word in found if word not in NAMES]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_speaks_past_the_translations(path: Path) -> None:
    assert not bare(path.read_text("utf-8")), path


def test_a_bare_text_would_be_found() -> None:
    assert bare("<p>Hello {{ name }}</p>") == ["Hello"]
    assert bare('<img alt="A cat">') == ["A", "cat"]
    assert not bare("<p>{{ _('Hello') }}</p>")


@pytest.mark.parametrize(
    ("seconds", "vi", "en"), [(45 * 60, "45 phút", "45 minutes"), (86400, "1 ngày", "1 day")]
)
def test_durations_follow_the_language(seconds: int, vi: str, en: str) -> None:
    from flask import Flask

    app = Flask(__name__)
    i18n.install(app)
    for language, wanted in (("vi", vi), ("en", en)):
        headers = {"Cookie": f"{i18n.COOKIE}={language}"}
        with app.test_request_context(headers=headers):
            assert i18n.duration(seconds) == wanted


def test_dates_are_in_the_school_s_zone() -> None:
    from flask import Flask

    app = Flask(__name__)
    i18n.install(app)
    with app.test_request_context():
        assert i18n.date_and_time("2026-11-22T18:30:00+00:00") == "23/11/2026 01:30"
