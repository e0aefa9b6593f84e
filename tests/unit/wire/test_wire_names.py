"""Names keep their meaning through every form, whatever octets they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.wire import names

LABELS = st.lists(st.binary(min_size=1, max_size=20), max_size=9)


@given(LABELS)
def test_wire_to_text_and_back_only_lowers_the_case(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    text = names.from_wire(wire)
    assert names.to_wire(text) == wire.lower()
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.\\")


@given(LABELS)
def test_text_form_is_read_back_as_itself(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    text = names.from_wire(wire)
    assert names.from_text(text or ".") == text


@given(st.binary(max_size=300))
def test_any_octets_are_a_name_or_a_value_error(octets: bytes) -> None:
    try:
        text = names.from_wire(octets)
    except ValueError:
        return
    assert names.to_wire(text) == octets.lower()


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = names.from_text(text)
    except ValueError:
        return
    assert names.from_wire(names.to_wire(name)) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("WWW.Example.COM.", "www.example.com"),
        (" example.com ", "example.com"),
        ("Trườnghọc.vn", "xn--trnghc-4zb1470d9da.vn"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        (r"a\.b.example", r"a\046b.example"),
        (r"a\032b.example", r"a\032b.example"),
        (r"\065b.example", "ab.example"),
        (".", ""),
    ],
)
def test_names_as_people_write_them(written: str, name: str) -> None:
    assert names.from_text(written) == name


@pytest.mark.parametrize(
    "written",
    ["", "..", "a..b", ".a", "a b.com", "http://a.com", "a" * 64 + ".com", "a." * 128, r"\256.com",
     "a\\", "xn--\u00e9.com", "user@example.com", r"\12.com"],
)  # fmt: skip
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        names.from_text(written)


def test_ancestors_and_index_key() -> None:
    name = names.from_text("a.b.example.com")
    assert names.ancestors(name) == ("a.b.example.com", "b.example.com", "example.com", "com")
    assert names.reversed_key(name) == "com.example.b.a."
    assert names.ancestors(names.ROOT) == ()
    assert names.reversed_key(names.ROOT) == ""
