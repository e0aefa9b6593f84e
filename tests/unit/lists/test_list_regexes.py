"""Expressions: linear time, no false prefilter, suffix rules where they are really that."""

from __future__ import annotations

import random
import re
import time

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.lists import regex
from filterd.lists.entry import BELOW, EXACT, SUBTREE, Rule
from filterd.lists.expressions import is_plain
from filterd.lists.matching import Rules
from filterd.lists.prefilter import begins, required
from filterd.policy.verdict import Question
from filterd.wire.names import Name

ATOMS = st.sampled_from(
    (
        "ads",
        "a",
        "track",
        r"\.",
        "-",
        "[a-c]",
        "[^x]",
        r"\d",
        ".",
        "x",
        r"\w",
        "[]a]",
        "(?i)",
        "com",
    )
)
QUANTIFIERS = st.sampled_from(
    ("", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}", "+?", "{1,2}?")
)
PIECES = st.builds("{}{}".format, ATOMS, QUANTIFIERS)
GROUPS = st.lists(
    st.lists(PIECES, min_size=1, max_size=3).map("".join), min_size=1, max_size=3
).map(lambda parts: "(" + "|".join(parts) + ")")
GROUPED = st.builds("{}{}".format, GROUPS, QUANTIFIERS)
PATTERNS = st.lists(
    st.one_of(PIECES, PIECES, GROUPED, st.sampled_from("^$|")),
    min_size=1, max_size=6,
).map("".join)  # fmt: skip
NAMES = st.lists(
    st.sampled_from(("ads", "a", "b", "track", ".", "-", "1", "x", "com", "aa")),
    min_size=1,
    max_size=8,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=8), st.lists(NAMES, min_size=1, max_size=8))
def test_finding_by_pieces_is_finding_one_by_one(patterns: list[str], names: list[str]) -> None:
    usable = [pattern for pattern in patterns if regex.usable(pattern)]
    rules = Rules(
        [Rule(i, p, 0, pattern=p, anchor=regex.anchor_of(p)) for i, p in enumerate(usable)]
    )
    for name in names:
        found = {spoken.number for spoken in rules.speaking(Question(Name(name), 1))}
        expected = {
            i for i, p in enumerate(usable) if re2.compile(p, options=regex.options()).search(name)
        }
        assert found == expected, (usable, name)


@settings(max_examples=150, deadline=None)
@given(PATTERNS, NAMES)
def test_what_is_required_is_in_every_match(pattern: str, name: str) -> None:
    if regex.usable(pattern) and re2.compile(pattern, options=regex.options()).search(name):
        assert all(text in name for text in required(pattern))
        assert not required(pattern) or name.startswith(begins(pattern))


@pytest.mark.parametrize(
    ("pattern", "name", "scope"),
    [
        (r"(^|\.)ads\.example\.com$", "ads.example.com", SUBTREE),
        (r"(\.|^)ads\.example\.com$", "ads.example.com", SUBTREE),
        (r"(?:^|\.)example\.com$", "example.com", SUBTREE),
        (r"^(.+\.)?example\.com$", "example.com", SUBTREE),
        (r"^(.*\.)?example\.com$", "example.com", SUBTREE),
        (r"^example\.com$", "example.com", EXACT),
        (r"\.example\.com$", "example.com", BELOW),
        (r"^.+\.example\.com$", "example.com", BELOW),
        (r".*\.Example\.com$", "example.com", BELOW),
    ],
)
def test_expressions_that_are_suffix_rules(pattern: str, name: str, scope: int) -> None:
    assert regex.as_name(pattern) == (name, scope)
    compiled = re.compile(pattern, re.I)
    for asked in (name, f"www.{name}", f"x{name}", f"{name}.net", f"a.b.{name}"):
        fits = (
            bool(scope & EXACT) if asked == name else asked.endswith(f".{name}") and scope & BELOW
        )
        assert bool(compiled.search(asked)) == bool(fits), asked


@pytest.mark.parametrize(
    "pattern",
    [r"example\.com$", r"^example.com$", r"(^|\.)exam.ple\.com$", r"(^|\.)example\.com",
     r"(^|\.)example\.(com|net)$", r"^www[0-9]\.example\.com$", r"(^|-)example\.com$"],
)  # fmt: skip
def test_expressions_that_are_not(pattern: str) -> None:
    assert regex.as_name(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    ["(?!x)a", r"(a)\1", "(?<=a)b", "(a{1000}){1000}", "a" * 1001, "(", "[", "*a", "", "x{5000}"],
)
def test_expressions_that_are_refused(pattern: str) -> None:
    assert not regex.usable(pattern)


@pytest.mark.parametrize(
    ("pattern", "begin", "texts"),
    [
        (r"^ads[0-9]*\.", "ads", ("ads", ".")),
        (r"^ads*\.x", "ad", (".x", "ad")),
        (r"^a\.b+c", "a.", ("a.b", "c")),
        (r"^x?track", "", ("track",)),
        (r"^a{2}b", "", ("a", "b")),
        ("track.*pixel", "", ("pixel", "track")),
        (r"(^|\.)shop[a-z]{2,8}\.com$", "", (".com", "shop")),
        ("^ads|track", "ads", ()),
    ],
)
def test_what_an_expression_requires(pattern: str, begin: str, texts: tuple[str, ...]) -> None:
    assert (begins(pattern), required(pattern)) == (begin, texts)


def test_only_what_can_match_is_compiled() -> None:
    """Compiling is what an uncached name's verdict costs: 60 µs each."""
    patterns = ["^ads[0-9]*x", "track.*pixel", "track.*other", r"ads\d+"]
    rules = Rules([Rule(i, p, 0, pattern=p) for i, p in enumerate(patterns)])
    assert not list(rules.speaking(Question(Name("www.ads.track.example"), 1)))
    assert rules._texts.compiled == {3}
    assert [one.number for one in rules.speaking(Question(Name("ads1x.track-pixel.vn"), 1))]
    assert rules._texts.compiled == {0, 1, 3}


CASED = st.sampled_from(
    (
        "A",
        "b",
        "[B-D]",
        "[^A]",
        "[^a-c]",
        "[!-^]",
        r"\x41",
        r"\101",
        r"\W",
        r"\w",
        "[[:upper:]]",
        "1",
    )
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CASED, min_size=1, max_size=4).map("".join), st.text("abcd1-.", max_size=6))
def test_case_makes_no_difference_where_it_is_said_to(pattern: str, name: str) -> None:
    if is_plain(pattern) and regex.usable(pattern):
        without = re2.search(pattern, name, options=regex.options())
        assert bool(re2.search(pattern, name)) == bool(without)


def test_plain_expressions() -> None:
    assert all(map(is_plain, (r"^ads[0-9]*\.", r"(^|\.)x[a-z]{2,8}\.com$", "[^a-c.-]", r"a\d+")))
    capitals = ("A", "[!-^]", "[+-a]", r"\x41", r"\101", r"\W", "[[:upper:]]", "[^B]", r"[^\x41]")
    assert not any(map(is_plain, capitals))


def test_many_expressions_of_one_name_are_told_apart() -> None:
    """More than one automaton takes, some too heavy for any, and some of them asked again."""
    patterns = [f"shop{at % 7}.*{'x' * at}" for at in range(120)]
    patterns += ["shop[0-9](x{30}){30}", r"shop1\pL", "shop1(x{0,9}){9}$"]
    rules = Rules([Rule(i, p, 0, pattern=p) for i, p in enumerate(patterns)])
    for name in ("shop1.xxxxx.vn", "shop1." + "x" * 60 + ".vn", "shop1x.vn", "shop3shop1x"):
        expected = {
            i for i, p in enumerate(patterns) if re2.search(p, name, options=regex.options())
        }
        for _ in range(2):
            found = {one.number for one in rules.speaking(Question(Name(name), 1))}
            assert found == expected and found


def test_a_bomb_costs_nothing() -> None:
    rules = Rules([Rule(1, "(a+)+$", 0, pattern="(a+)+$"), Rule(2, "x", 0, pattern="(x*)*y")])
    name = Name(("a" * 60 + ".") * 4 + "b")
    began = time.thread_time()
    for _ in range(100):
        list(rules.speaking(Question(name, 1)))
    assert (time.thread_time() - began) / 100 < 0.001


def test_twenty_thousand_expressions_take_less_than_a_millisecond() -> None:
    rng = random.Random(20261121)
    words = [
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(4, 9))) for _ in range(9000)
    ]
    forms = (
        r"^{0}[0-9]*\.",
        r"(^|\.){0}[a-z]{{2,8}}\.com$",
        r"{0}.*{1}",
        r"^(.+[._-])?{0}[._-]",
        r"{0}\d+",
    )
    patterns = [
        rng.choice(forms).format(rng.choice(words), rng.choice(words)) for _ in range(20_000)
    ]
    rules = Rules(
        [Rule(i, p, 0, pattern=p, anchor=regex.anchor_of(p)) for i, p in enumerate(patterns)]
    )
    names = [
        f"{rng.choice(words)}{rng.choice(('', '7', '-x'))}.{rng.choice(words)}.com"
        for _ in range(300)
    ]
    spent = []
    hits = 0
    for name in names:
        began = time.thread_time()
        hits += len(list(rules.speaking(Question(Name(name), 1))))
        spent.append(time.thread_time() - began)
    assert hits > 100
    assert sorted(spent)[len(spent) // 2] < 0.001
