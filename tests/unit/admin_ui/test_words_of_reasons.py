"""Every reason that filterd can give about lists and expectations is said in Vietnamese.

The sentences are read from filterd's source, so a new one without words fails here.
"""

from __future__ import annotations

import ast
import errno
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from admin_ui.school.held import reason_in_words
from admin_ui.school.unused import sample_in_words, unused_titles
from admin_ui.shared import messages
from admin_ui.shared.reasons import error_in_words
from admin_ui.shared.sentences import SENTENCES
from filterd.lists.entry import Why
from filterd.lists.fdx import RECOMPILE
from filterd.lists.fetch import _reason
from tests.unit.admin_ui.conftest import ORIGIN
from tests.unit.admin_ui.fake_control import FakeControl, Refused

ROOT = Path(__file__).parents[3] / "filterd"
ERRORS = {"ListError", "Busy", "OldFormat"}
ANSWERS = {"_ending", "spoilt", "_reason"}
"""Functions whose results become the text of a ListError."""
NOT_A_SENTENCE = {
    "why", "error", "came.error", "'; '.join(errors)", "str(error)", "type(error).__name__",
    "_ending(code, ''.join(complaints))",
}  # fmt: skip
"""Texts made of sentences that are collected elsewhere, or the system's own words."""


def texts(node: ast.expr) -> Iterator[ast.expr]:
    """The literals that an expression may come to; for others the expression itself."""
    if isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from texts(each)
    elif isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return
    else:
        yield node


def spoken(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression in a module that becomes the text of an error."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[text]) if name in ERRORS:
                yield from texts(text)
            case ast.keyword(arg="error", value=text):
                yield from texts(text)
            case ast.Dict(keys=[ast.Constant(value="error")], values=[text]):
                yield from texts(text)
            case ast.FunctionDef(name=name) if name in ANSWERS:
                for each in ast.walk(node):
                    if isinstance(each, ast.Return) and each.value is not None:
                        yield from texts(each.value)


def example(text: ast.expr) -> tuple[str, list[str]] | None:
    """The sentence with something in each place, and what was put there; None: not a literal."""
    if isinstance(text, ast.Constant):
        return str(text.value), []
    if not isinstance(text, ast.JoinedStr):
        return None
    put: list[str] = []
    numbers = count(7001)
    said = ""
    for part in text.values:
        if isinstance(part, ast.Constant):
            said += str(part.value)
        elif "RECOMPILE" in ast.unparse(part):
            said += RECOMPILE
        else:
            put.append(str(next(numbers)))
            said += put[-1]
    return said, put


def found() -> Iterator[tuple[str, ast.expr]]:
    for path in (*sorted((ROOT / "lists").rglob("*.py")), ROOT / "control" / "lists.py"):
        for text in spoken(ast.parse(path.read_text("utf-8"))):
            yield path.name, text


EXAMPLES = [
    (name, *made)
    for name, text in found()
    if (made := example(text)) is not None and made[0] != "7001: 7002"  # the system's own words
]


@pytest.fixture
def vietnamese(console: Flask) -> Iterator[None]:
    with console.test_request_context():
        yield


def test_all_reasons_of_the_source_are_found() -> None:
    assert len(EXAMPLES) > 45
    assert {"fetch.py", "netguard.py", "reader.py", "compiler.py", "library.py", "store.py"} <= {
        name for name, _said, _put in EXAMPLES
    }
    other = {ast.unparse(text) for _name, text in found() if example(text) is None}
    assert other <= NOT_A_SENTENCE, other - NOT_A_SENTENCE


@pytest.mark.parametrize(("name", "said", "put"), EXAMPLES, ids=[each[1][:60] for each in EXAMPLES])
def test_every_reason_is_said_in_vietnamese(
    vietnamese: None, name: str, said: str, put: list[str]
) -> None:
    words = error_in_words(said)
    assert words != said and RECOMPILE not in words, f"{name}: no words for {said!r}"
    assert all(each in words for each in put), (words, put)


def test_every_sentence_stands_in_the_catalogue() -> None:
    kept = messages.kept()
    for sentence in SENTENCES:
        assert sentence in kept and kept[sentence].string, sentence


def test_a_reason_without_words_would_be_found(vietnamese: None) -> None:
    assert error_in_words("a reason of tomorrow") == "a reason of tomorrow"


def test_english_stays_as_filterd_says_it(console: Flask) -> None:
    with console.test_request_context(headers={"Cookie": "filterd_language=en"}):
        for name, said, _put in EXAMPLES:
            assert error_in_words(said) == said, name


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("https://a.example/l: HTTP 404 Not Found; https://b.example/l: no answer in time",
         "https://a.example/l: máy chủ trả lời HTTP 404 Not Found; "
         "https://b.example/l: không trả lời kịp"),
        ("a.example: cannot be resolved: [Errno -3] Temporary failure in name resolution",
         "a.example: không phân giải được tên: DNS tạm thời không trả lời (mất Internet?)"),
        ("[Errno 28] No space left on device: '/var/lib/filterd/x'",
         "ổ đĩa đã đầy (/var/lib/filterd/x)"),
        ("cannot write /var/lib/filterd/lists/state.json: No space left on device",
         "không ghi được /var/lib/filterd/lists/state.json: ổ đĩa đã đầy"),
        ("https://a.example/l: its certificate is not valid: certificate has expired",
         "https://a.example/l: chứng chỉ không hợp lệ: chứng chỉ đã hết hạn"),
        ("the policy's expectations fail with the new lists: "
         "primary: azota.vn must be allowed, is blocked; staff: x.vn must be blocked, is allowed",
         "với danh sách mới, khẳng định của chính sách không còn đúng: primary: azota.vn phải được "
         "mở, nhưng lại bị chặn; staff: x.vn phải bị chặn, nhưng lại được mở"),
    ],
)  # fmt: skip
def test_a_reason_as_it_comes(vietnamese: None, said: str, wanted: str) -> None:
    assert error_in_words(said) == wanted


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES, errno.ECONNREFUSED,
             errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET, errno.ETIMEDOUT],
)  # fmt: skip
def test_what_the_system_says_has_words(vietnamese: None, code: int) -> None:
    error = OSError(code, os.strerror(code), "/var/x")
    assert os.strerror(code) not in error_in_words(f"https://a.example/: {_reason(error)}")


def test_what_an_update_expects_in_vain_has_words(vietnamese: None) -> None:
    said = reason_in_words("primary: azota.vn must be allowed, is blocked")
    assert said == "primary: azota.vn phải được mở, nhưng lại bị chặn"


def test_every_reason_for_an_unused_line_has_words(vietnamese: None) -> None:
    assert set(Why) == unused_titles().keys()
    assert sample_in_words("syntax: ||x (3)") == "không hiểu được: ||x (3)"


def test_a_refused_change_says_why_in_vietnamese(
    control: FakeControl, administrator: FlaskClient
) -> None:
    problem = {"message": "x.vn must be blocked, would be allowed", "message_vi": "x.vn phải"}
    reason = "there is no other version of 'games' to go back to"
    for more, said in (({"problems": [problem]}, "x.vn phải"), ({"reason": reason}, "quay lại")):
        control.answers["lists.rollback"] = Refused("invalid", **more)
        form = {"reason": "thử", "version": ""}
        page = administrator.post("/lists/games/rollback", data=form, headers=ORIGIN).text
        assert said in page
        assert "must be" not in page and "there is no" not in page


def test_the_page_of_a_list_says_why_in_vietnamese(
    control: FakeControl, administrator: FlaskClient
) -> None:
    item = control.answers["lists.status"]["items"][0]
    item["error"] = "cannot write /x: No space left on device"
    page = administrator.get("/lists/games").text
    assert "không ghi được /x: ổ đĩa đã đầy" in page
    assert "No space" not in page
