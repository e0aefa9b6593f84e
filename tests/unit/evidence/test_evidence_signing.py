"""Signatures, canonical bytes and the chain: a forged, edited or replayed summary is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.canonical import canonical, digest
from filterd.evidence.chain import Head, Outcome, judge, late
from filterd.evidence.records import Summary
from filterd.evidence.summary import MAX_BYTES, decode, encode, identifier, schema
from tests.lab.school_month import perfect_day, perfect_month

NOON = datetime(2026, 12, 2, 5, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> signing.DeviceKey:
    return signing.device_key(tmp_path / "keys")


def test_the_key_is_made_once_and_for_the_service_alone(tmp_path: Path) -> None:
    first = signing.device_key(tmp_path / "keys")
    assert signing.device_key(tmp_path / "keys").id == first.id
    assert (tmp_path / "keys" / "device.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    signing.device_key(tmp_path)
    (tmp_path / "device.pem").chmod(0o644)
    with pytest.raises(EvidenceError, match="chmod 600"):
        signing.device_key(tmp_path)


def test_a_start_knows_its_key_without_the_library_that_signs(tmp_path: Path) -> None:
    made = signing.device_key(tmp_path)
    program = (
        "import pathlib, sys\nfrom filterd.evidence.signing import device_key\n"
        f"print(device_key(pathlib.Path({str(tmp_path)!r})).id, 'cryptography' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == [made.id, "False"]
    again = signing.device_key(tmp_path)
    sent = again.sign(signing.SUMMARY, b"{}")
    assert signing.verify(sent, made.public, signing.SUMMARY) == b"{}"


def test_another_key_in_its_place_has_its_own_public_half(tmp_path: Path) -> None:
    first = signing.device_key(tmp_path / "a")
    other = signing.device_key(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "device.pem", tmp_path / "a" / "device.pem")
    assert signing.device_key(tmp_path / "a").id == other.id != first.id


@pytest.mark.parametrize("note", ["", "x y z", "00 11", "{of} 11", "{of} " + "zz" * 32])
def test_a_note_that_cannot_be_is_not_believed(tmp_path: Path, note: str) -> None:
    made = signing.device_key(tmp_path)
    pem = (tmp_path / "device.pem").read_bytes()
    (tmp_path / "device.pub").write_text(note.format(of=hashlib.sha256(pem).hexdigest()))
    assert signing.device_key(tmp_path).public == made.public


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    signing.device_key(tmp_path)
    (tmp_path / "device.pem").write_text("nonsense")
    with pytest.raises(EvidenceError, match=r"device\.pem"):
        signing.device_key(tmp_path)


def test_a_signed_summary_travels_and_is_believed(key: signing.DeviceKey) -> None:
    body = encode(perfect_day())
    arrived = signing.decode(key.sign(signing.SUMMARY, body).encode())
    assert decode(signing.verify(arrived, key.public, signing.SUMMARY)) == perfect_day()


def edited(sent: signing.Signed) -> signing.Signed:
    return replace(sent, body=sent.body.replace(b'"exposed_s":0', b'"exposed_s":1', 1))


def renamed(sent: signing.Signed) -> signing.Signed:
    return replace(sent, device="f" * 32)


def other_kind(sent: signing.Signed) -> signing.Signed:
    return replace(sent, kind=signing.CHALLENGE)


def cut(sent: signing.Signed) -> signing.Signed:
    return replace(sent, signature=sent.signature[:-1])


@pytest.mark.parametrize(
    ("forge", "code"),
    [(edited, "signature"), (renamed, "device"), (other_kind, "kind"), (cut, "signature")],
)
def test_a_forgery_is_refused(
    key: signing.DeviceKey, forge: Callable[[signing.Signed], signing.Signed], code: str
) -> None:
    sent = forge(key.sign(signing.SUMMARY, encode(perfect_day())))
    with pytest.raises(EvidenceError) as refused:
        signing.verify(sent, key.public, signing.SUMMARY)
    assert refused.value.code == code


def test_another_key_is_refused(key: signing.DeviceKey, tmp_path: Path) -> None:
    other = signing.device_key(tmp_path / "other")
    sent = other.sign(signing.SUMMARY, b"{}")
    with pytest.raises(EvidenceError) as refused:
        signing.verify(sent, key.public, signing.SUMMARY)
    assert refused.value.code == "device"


def test_a_signature_for_one_kind_is_none_for_another(key: signing.DeviceKey) -> None:
    challenge = key.sign(signing.CHALLENGE, b"{}")
    with pytest.raises(EvidenceError) as refused:
        signing.verify(replace(challenge, kind=signing.SUMMARY), key.public, signing.SUMMARY)
    assert refused.value.code == "signature"


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(noise: bytes) -> None:
    with pytest.raises(EvidenceError):
        signing.decode(noise)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_any_json_is_a_summary_or_refused(noise: object) -> None:
    with pytest.raises(EvidenceError):
        decode(json.dumps(noise).encode())


def test_one_summary_has_one_spelling() -> None:
    loose = json.dumps(perfect_day()).encode()
    with pytest.raises(EvidenceError) as refused:
        decode(loose)
    assert refused.value.code == "canonical"


def test_no_float_can_be_signed() -> None:
    with pytest.raises(TypeError, match="basis points"):
        canonical({"share": 0.5})


def test_a_field_that_nobody_defined_is_refused() -> None:
    smuggled = dict(perfect_day(), client="10.0.0.7")
    with pytest.raises(EvidenceError, match="client"):
        encode(smuggled)  # type: ignore[arg-type]


@given(st.text(max_size=100))
@settings(max_examples=40, deadline=None)
def test_any_school_id_fits_the_summary(text: str) -> None:
    encode({**perfect_day(), "school": identifier(text)})


def test_an_oversized_summary_is_refused_unread() -> None:
    with pytest.raises(EvidenceError) as refused:
        decode(b"{" + b" " * MAX_BYTES)
    assert refused.value.code == "size"


def test_schema_and_types_name_the_same_fields() -> None:
    assert set(schema()["required"]) == set(Summary.__required_keys__)  # type: ignore[call-overload]


def chain(month: list[Summary]) -> list[Outcome]:
    """What a receiver says to these summaries in this order."""
    head: Head | None = None
    stored: dict[int, str] = {}
    said = []
    for each in month:
        mine = digest(encode(each))
        outcome = judge(head, each, mine, NOON, stored.get(each["counter"]))
        said.append(outcome)
        if not outcome.refused and outcome is not Outcome.KNOWN:
            head = Head(each["counter"], mine, date.fromisoformat(each["day"]))
            stored[each["counter"]] = mine
    return said


def test_an_unbroken_month_is_accepted() -> None:
    assert set(chain(perfect_month())) == {Outcome.ACCEPTED}


def test_sent_twice_is_known_and_harmless() -> None:
    month = perfect_month(days=3)
    assert chain([*month, month[0], month[2]])[3:] == [Outcome.KNOWN, Outcome.KNOWN]


def test_an_old_counter_with_new_content_is_a_replay() -> None:
    month = perfect_month(days=3)
    better = perfect_day(date(2026, 11, 2), 2)
    assert chain([*month, better])[3] is Outcome.REPLAY


def test_a_rewritten_past_is_a_fork() -> None:
    month = perfect_month(days=3)
    month[2]["previous"] = "cd" * 32
    assert chain(month)[2] is Outcome.FORK


def test_a_lost_summary_is_a_gap() -> None:
    month = perfect_month(days=4)
    assert chain([month[0], month[3]]) == [Outcome.ACCEPTED, Outcome.GAP]


def test_tomorrow_is_refused() -> None:
    assert chain([perfect_day(date(2026, 12, 9))]) == [Outcome.FUTURE]


def test_days_run_forward() -> None:
    first = perfect_day(date(2026, 11, 9))
    second = perfect_day(date(2026, 11, 8), 2, digest(encode(first)))
    assert chain([first, second]) == [Outcome.ACCEPTED, Outcome.BACKWARDS]


def test_late_data_is_flagged() -> None:
    assert late(perfect_day(date(2026, 11, 9)), NOON)
    assert not late(perfect_day(date(2026, 12, 1)), NOON)
