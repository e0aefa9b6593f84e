"""The policy that one of two boxes hands to the other: order of versions, hostile bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.gateway.pair import Copy, PairError, Version, decode, encode
from filterd.storage.revisions import document_hash

FILES = {"school.yaml": "identity: {}\n", "primary.yaml": "tier: primary\n"}
GOOD = Copy(Version(7, document_hash(FILES)), FILES, "an", "thêm tên miền")


def test_what_is_sent_is_what_arrives() -> None:
    assert decode(encode(GOOD)) == GOOD


@settings(max_examples=30)
@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=80), max_size=4),
    st.integers(0, 1 << 40),
)
def test_any_document_survives(files: dict[str, str], generation: int) -> None:
    copy = Copy(Version(generation, document_hash(files)), files, "a", "b", "c")
    assert decode(encode(copy)) == copy


@pytest.mark.parametrize(
    "changed",
    [
        {"generation": -1}, {"generation": True}, {"generation": 1 << 60}, {"generation": "7"},
        {"hash": "0" * 64}, {"hash": None}, {"files": []}, {"files": {"school.yaml": 1}},
        {"files": {**FILES, "primary.yaml": "tier: staff\n"}}, {"author": None},
        {"format": "filterd.pair/2"}, {"approver": 5},
    ],
)  # fmt: skip
def test_what_was_changed_on_the_way_is_refused(changed: dict[str, object]) -> None:
    body = json.dumps({**json.loads(encode(GOOD)), **changed}).encode()
    with pytest.raises(PairError):
        decode(body)


@given(st.binary(max_size=200))
def test_rubbish_is_refused(body: bytes) -> None:
    with pytest.raises(PairError):
        decode(body)


@given(
    st.tuples(st.integers(0, 5), st.sampled_from("abc")),
    st.tuples(st.integers(0, 5), st.sampled_from("abc")),
)
def test_both_boxes_choose_the_same_version(one: tuple[int, str], two: tuple[int, str]) -> None:
    a, b = Version(*one), Version(*two)
    assert max(a, b) == max(b, a) and (a == b or (a > b) != (b > a))
    assert a.after("d") > a and a.after(a.hash) == a
