"""Keys and signatures made by a child are those that would have been made here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.evidence import apart, signing

BODY = '{"ngày":"2026-12-02"}'.encode()
PROGRAM = """
import asyncio, json, pathlib, sys
from filterd.evidence import apart, signing
async def school(folder):
    await apart.ensure_key(folder)
    key = signing.device_key(folder)
    signed = await apart.sign(key, signing.SUMMARY, pathlib.Path(sys.argv[2]).read_bytes())
    print(json.dumps([signed.encode().decode(), key.public.hex(), "cryptography" in sys.modules]))
if sys.argv[3]:
    sys.executable = sys.argv[3]
asyncio.run(school(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("python", "stays"),
    [("", False), ("/bin/false", True), ("/missing", True), ("/bin/echo", True)],
)
def test_a_school_signs_with_its_key_and_the_library_stays_away(
    tmp_path: Path, python: str, stays: bool
) -> None:
    """Whatever the child is, or is not: the signature is right."""
    (tmp_path / "body").write_bytes(BODY)
    keys = tmp_path / "keys"
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(keys), str(tmp_path / "body"), python],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    envelope, public, loaded = json.loads(found.stdout)
    signed = signing.decode(envelope.encode())
    assert signing.verify(signed, bytes.fromhex(public), signing.SUMMARY) == BODY
    assert signing.device_key(keys).public.hex() == public
    assert (keys / "device.pem").stat().st_mode & 0o777 == 0o600
    assert loaded == stays


async def test_where_the_library_is_already_there_is_no_child(tmp_path: Path) -> None:
    key = signing.device_key(tmp_path)
    signed = await apart.sign(key, signing.SUMMARY, BODY)
    assert signing.verify(signed, key.public, signing.SUMMARY) == BODY
