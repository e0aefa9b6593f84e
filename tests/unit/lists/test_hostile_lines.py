"""What one line of a fetched list may cost: time in proportion to its length, never a worker."""

from __future__ import annotations

import io
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.lists import reader
from filterd.lists.entry import Dropped, Rule, Why
from filterd.lists.expressions import Expressions
from filterd.lists.formats import FORMATS, Options, parse
from filterd.lists.loading import load_stream
from filterd.lists.regex import MAX_LENGTH, anchor_of, usable
from filterd.wire.names import Name

SMALL, LARGE = 2 << 10, 32 << 10
UNITS = (
    *(sign for sign in string.punctuation + "a1 ٠é"),
    "||", "a.", "a^", "^|", "a,", "$a,", "a|", "~a,", "a*", "1/", "1.", "::1 ", "a;", "xn--a.",
    "\\.", "a ", "0 ", "IN ", "(a", "[a",
)  # fmt: skip
ENDS = (("", ""), ("||", "^"), ("", "^"), ("/", "/"), ("local=/", "/"), ("a ", " CNAME ."),
        ("||a^$", ""), ("0.0.0.0 ", ""), ("", "$"))  # fmt: skip


def cost(form: str, line: bytes) -> float:
    """Processor seconds for a list of that line."""
    began = time.thread_time()
    load_stream(io.BytesIO(line + b"\n"), form, Options(), reader.DEFAULT_CAPS)
    return time.thread_time() - began


@pytest.mark.parametrize("form", ["auto", *FORMATS])
def test_a_line_costs_in_proportion_to_its_length(form: str) -> None:
    """Sixteen times as long: sixteen times the time if linear, 256 times if quadratic."""
    for unit in UNITS:
        for head, tail in ENDS if unit in ("a.", "1.", ";", "a*", "-") else ENDS[:2]:

            def line(length: int, made: tuple[str, str, str] = (head, unit, tail)) -> bytes:
                times = length // len(made[1].encode())
                return (made[0] + made[1] * times + made[2]).encode()

            large = cost(form, line(LARGE))
            if large < 0.05:
                continue
            small = max(min(cost(form, line(SMALL)) for _ in range(3)), 0.0005)
            if large >= 80 * small:  # or somebody else had the processor's caches
                large = min(cost(form, line(LARGE)) for _ in range(3))
            assert large < 80 * small, (form, unit, head, tail, small, large)


ANCHOR = re.compile(r"\\\.((?:[a-z0-9_-]+\\\.)+[a-z0-9_-]+)\$\Z")


@given(st.lists(st.sampled_from(["a", "B", "1", "-", "\\.", ".", "\\", "$", "^", "*", "|", "("])))
def test_the_end_that_every_match_has(parts: list[str]) -> None:
    pattern = "".join(parts)
    match = ANCHOR.search(pattern.lower()) if "|" not in pattern else None
    assert anchor_of(pattern) == (match[1].replace("\\.", ".") if match else None)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 9, 10, 11, 25, 64]), st.booleans())))
def test_a_line_over_the_limit_is_one_that_says_nothing(lines: list[tuple[int, bool]]) -> None:
    """Wherever it stands, also where its end came with the same block."""
    content = b"".join(b"x" * n + (b"\r\n" if cr else b"\n") for n, cr in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "MAX_LINE_BYTES", 10)
        patch.setattr(reader, "BLOCK_BYTES", 16)
        found = b"".join(reader.blocks(io.BytesIO(content))).split(b"\n")[:-1]
    assert len(found) == len(lines)
    for (length, cr), one in zip(lines, found, strict=True):
        if length <= 9:
            assert one == b"x" * length
        elif length > 10 or not cr:
            assert one == (b"\0" if length > 10 else b"x" * length)


GLOBS = st.text(alphabet="abz.*?[]-^|$", min_size=1, max_size=12)


@given(st.sampled_from(["wildcard", "adblock", "regex"]), GLOBS, st.sampled_from([1, 1, 1, 900]))
def test_no_line_becomes_a_rule_that_fails_when_a_name_needs_it(
    form: str, text: str, times: int
) -> None:
    for item in parse(form, [(1, text * times)], Options()):
        if isinstance(item, Rule) and (pattern := item.pattern) is not None:
            assert len(pattern) <= MAX_LENGTH
            Expressions(lambda _, pattern=pattern: pattern).found([0], Name("www.example.com"))


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("wildcard", "*[z-a]*.example"), ("wildcard", "ads[]b*"), ("wildcard", "a]b[*"),
        ("wildcard", "a?" * 20_000), ("adblock", "||" + "a*" * 20_000 + "b^"),
        ("adblock", "-".join(["ad"] * 400) + "|"),
    ],
)  # fmt: skip
def test_what_no_automaton_takes_is_dropped_with_a_reason(form: str, line: str) -> None:
    (item,) = parse(form, [(1, line)], Options())
    assert isinstance(item, Dropped) and item.why is Why.REGEX


def test_the_longest_mask_that_is_taken_compiles() -> None:
    mask = f"||{'a*' * 320}b^"
    (item,) = parse("adblock", [(1, mask)], Options())
    assert isinstance(item, Rule) and item.pattern is not None
    assert usable(item.pattern) and len(item.pattern) > MAX_LENGTH - 50
    (item,) = parse("adblock", [(1, f"{mask[:-1]}{'a*' * 20}^")], Options())
    assert isinstance(item, Dropped) and item.why is Why.REGEX
