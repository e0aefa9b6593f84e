"""The backup archive: opened by its passphrase only, refused when altered, never a bomb."""

from __future__ import annotations

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.control import archive

CHANCE = bytes(range(28))
PASSPHRASE = "mot cau that dai de nho"
SEALED = archive.seal({"policy": {"school.yaml": "name: x"}}, PASSPHRASE, CHANCE)


def test_content_comes_back_and_is_not_readable_inside() -> None:
    assert archive.unseal(SEALED, PASSPHRASE) == {"policy": {"school.yaml": "name: x"}}
    assert b"school" not in SEALED


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(archive.ArchiveError, match="passphrase"):
        archive.unseal(SEALED, PASSPHRASE + "!")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_altered_octet_is_refused(position: int, flip: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= flip
    with pytest.raises(archive.ArchiveError):
        archive.unseal(bytes(altered), PASSPHRASE)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_any_other_file_is_refused(body: bytes) -> None:
    with pytest.raises(archive.ArchiveError):
        archive.unseal(body, PASSPHRASE)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    packed = zstandard.ZstdCompressor().compress(bytes(archive.MAX_CONTENT_BYTES + 2))
    key = archive._key(PASSPHRASE, CHANCE[:16])
    bomb = archive.MAGIC + CHANCE + AESGCM(key).encrypt(CHANCE[16:], packed, archive.MAGIC)
    with pytest.raises(archive.ArchiveError, match="too large"):
        archive.unseal(bomb, PASSPHRASE)
