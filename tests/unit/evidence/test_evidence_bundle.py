"""The office's bundle: only what is signed, newer and alive; keys rotate two of three."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence import bundle, signing
from filterd.evidence.signing import DeviceKey

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def key() -> DeviceKey:
    return signing.from_private(Ed25519PrivateKey.generate())


ROOTS = [key(), key(), key()]
RELEASE = key()
FIRST = bundle.sign(
    bundle.ROOT, bundle.root_body(1, NOW + timedelta(days=700), ROOTS, [RELEASE]), ROOTS
)


def body(version: int = 3, expires: datetime = NOW + timedelta(days=30)) -> dict[str, object]:
    return {
        "version": version, "made": NOW.isoformat(), "expires": expires.isoformat(),
        "method": "v0", "floor": {"everyone": ["csam"], "pupils": ["porn"]},
        "authority": [
            {"name": "xau.example", "document": "12/CV", "issuer": "PA05",
             "issued": "2026-11-01", "expires": "2026-12-01"},
        ],
        "canaries": {"porn": ["porn.canary.so.example"]}, "catalogue": None,
    }  # fmt: skip


def refused(envelope: bytes, held: int = 0, at: datetime = NOW) -> str:
    with pytest.raises(EvidenceError) as caught:
        bundle.verify(envelope, bundle.first_root(FIRST), held, at)
    return caught.value.code


def test_a_signed_bundle_says_what_the_office_wrote() -> None:
    found = bundle.verify(
        bundle.sign(bundle.BUNDLE, body(), [RELEASE]), bundle.first_root(FIRST), 3, NOW
    )
    assert found.version == 3
    assert [entry.name for entry in found.in_force("2026-12-01")] == ["xau.example"]
    assert found.in_force("2026-12-02") == ()


def test_what_is_not_believed() -> None:
    good = bundle.sign(bundle.BUNDLE, body(), [RELEASE])
    assert refused(bundle.sign(bundle.BUNDLE, body(), [key()])) == "signature"
    assert refused(good.replace(b"xau.example", b"tot.example")) == "signature"
    assert refused(good, held=4) == "rollback"
    assert refused(good, at=NOW + timedelta(days=31)) == "expired"
    assert refused(bundle.sign(bundle.ROOT, body(), [RELEASE])) == "format"
    assert refused(b"x" * (bundle.MAX_BYTES + 1)) == "format"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 5000), st.integers(1, 60))
def test_any_damage_is_refused_and_never_crashes(noise: bytes, at: int, cut: int) -> None:
    good = bundle.sign(bundle.BUNDLE, body(), [RELEASE])
    at %= len(good)
    for envelope in (noise, good[:at], good[:at] + noise + good[at + cut :]):
        if envelope != good:
            try:
                found = bundle.verify(envelope, bundle.first_root(FIRST), 0, NOW)
            except EvidenceError:
                continue
            # Damage outside the signed text (spaces, another signature) leaves the same words.
            assert found.version == 3
            assert found.authority[0].name == "xau.example"


def follow(*chain: bytes) -> bundle.Root:
    return bundle.follow(bundle.first_root(FIRST), chain, NOW)


def next_root(signers: list[DeviceKey], version: int = 2, roots: list[DeviceKey] = ROOTS) -> bytes:
    expires = NOW + timedelta(days=700)
    return bundle.sign(bundle.ROOT, bundle.root_body(version, expires, roots, [key()]), signers)


def test_two_of_three_root_keys_replace_a_stolen_release_key() -> None:
    root = follow(FIRST, next_root(ROOTS[1:]))
    assert root.version == 2
    with pytest.raises(EvidenceError, match="signatures"):
        bundle.verify(bundle.sign(bundle.BUNDLE, body(), [RELEASE]), root, 0, NOW)


def test_one_root_key_is_not_enough_and_no_version_is_skipped() -> None:
    with pytest.raises(EvidenceError, match="1 of 2"):
        follow(next_root(ROOTS[:1]))
    with pytest.raises(EvidenceError, match="1 of 2"):
        follow(next_root([ROOTS[0], ROOTS[0]]))
    with pytest.raises(EvidenceError, match="root 3 after root 1"):
        follow(next_root(ROOTS, version=3))


def test_a_stranger_with_two_keys_of_the_new_root_still_needs_the_old_ones() -> None:
    fresh = [key(), key(), key()]
    with pytest.raises(EvidenceError, match="0 of 2"):
        follow(next_root(fresh, roots=fresh))
    assert follow(next_root([*ROOTS[:2], *fresh[:2]], roots=fresh)).version == 2


def test_an_expired_root_is_not_trusted() -> None:
    with pytest.raises(EvidenceError, match="expired"):
        bundle.follow(bundle.first_root(FIRST), [], NOW + timedelta(days=701))
