"""What needs `cryptography` on few occasions, done by a child that ends with it: the device key of
the first start, one signature a day. In the supervisor the library would stay for good (10 MiB).

`python -m filterd.evidence.apart DIRECTORY [KIND]`: makes the key in DIRECTORY; with KIND it signs
what stands on its input and prints the envelope. Where no child can be had, it is done here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from filterd.errors import EvidenceError
from filterd.evidence import signing

_SECONDS = 30.0
_log = logging.getLogger("filterd.evidence")


async def ensure_key(directory: Path) -> None:
    """A key is in this directory afterwards, or whoever asks for it makes it."""
    if not (directory / signing.KEY_FILE).exists() and not _here():
        await _child(b"", str(directory))


async def sign(key: signing.DeviceKey, kind: str, body: bytes) -> signing.Signed:
    """`body` signed as `kind`, verified by nobody: as `DeviceKey.sign`."""
    if key.directory is None or _here():
        return key.sign(kind, body)
    made = await _child(body, str(key.directory), kind)
    try:
        signed = signing.decode(made, 2 * len(body) + 4096)
    except EvidenceError:
        return key.sign(kind, body)
    fits = (signed.kind, signed.device, signed.body) == (kind, key.id, body)
    return signed if fits else key.sign(kind, body)


def _here() -> bool:
    """Whether the library is in memory already: a child would save nothing."""
    return "cryptography" in sys.modules


async def _child(given: bytes, *arguments: str) -> bytes:
    pipe = asyncio.subprocess.PIPE
    child = None
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, *arguments, stdin=pipe, stdout=pipe
        )
        async with asyncio.timeout(_SECONDS):
            made, _ = await child.communicate(given)
    except (OSError, TimeoutError) as error:
        _log.warning("no child to sign in, it is done here: %s", error or "it took too long")
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()
        return b""
    return made


def main(directory: str, kind: str = "") -> None:
    """The child."""
    key = signing.device_key(Path(directory))
    if kind:
        sys.stdout.buffer.write(key.sign(kind, sys.stdin.buffer.read()).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
