"""List files as bytes: compression, archives, caps. Everything is streamed in bounded blocks.

Knows no list format; what a block says is for `bulk` and the parsers.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from filterd.errors import ListError

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16
_XZ, _GZIP, _ZSTD = b"\xfd7zXZ\x00", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one list may be; beyond it reading stops with ListError (bombs, endless bodies)."""

    bytes: int = 512 << 20
    ratio: int = 100
    lines: int = 30_000_000
    members: int = 5_000


DEFAULT_CAPS = Caps()
_DAMAGE = (
    OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError, tarfile.TarError,
)  # fmt: skip


class _Capped(io.RawIOBase):
    """Counts what comes out of a decompressor against what went in."""

    def __init__(self, plain: IO[bytes], packed_bytes: int | None, caps: Caps) -> None:
        super().__init__()
        self._plain = plain
        limit = caps.bytes
        if packed_bytes is not None:
            # A floor, because tiny files of one repeated line compress better than any list.
            limit = min(limit, max(packed_bytes * caps.ratio, 4 << 20))
        self._limit = limit
        self._seen = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most one block; ListError when damaged or over the cap."""
        try:
            found = self._plain.read(BLOCK_BYTES if size < 0 else min(size, BLOCK_BYTES))
        except _DAMAGE as error:
            raise ListError(f"damaged or truncated: {error}") from None
        self._seen += len(found)
        if self._seen > self._limit:
            raise ListError(f"unpacks to more than {self._limit >> 20} MiB: refused")
        return found


@contextmanager
def opened(path: Path, caps: Caps = DEFAULT_CAPS) -> Iterator[IO[bytes]]:
    """The plain bytes of a file, whatever it is compressed with; ListError if it cannot be read."""
    try:
        with path.open("rb") as packed:
            magic = packed.read(6)
            packed.seek(0)
            size = path.stat().st_size
            plain = _plain(packed, magic)
            yield cast("IO[bytes]", _Capped(plain, None if plain is packed else size, caps))
    except OSError as error:
        raise ListError(f"{path}: {error.strerror or error}") from None


def _plain(packed: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic.startswith(_XZ):
        return cast("IO[bytes]", lzma.open(packed))
    if magic.startswith(_GZIP):
        return cast("IO[bytes]", gzip.open(packed))
    if magic.startswith(_ZSTD):
        return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(packed))
    return packed


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file inside an archive; `name` is its path there, only ever used as a key."""

    name: str
    content: IO[bytes]


def is_tar(path: Path) -> bool:
    """Whether the (unpacked) file is a tar archive."""
    with opened(path) as plain:
        head = _exactly(plain, 512)
    return len(head) == 512 and head[257:262] == b"ustar"


def members(path: Path, caps: Caps = DEFAULT_CAPS) -> Iterator[Member]:
    """Regular files of a tar archive in its order; links, devices and odd paths are passed over.

    Nothing is extracted to the disk, so no path of the archive can point anywhere.
    """
    with opened(path, caps) as plain:
        try:
            with tarfile.open(fileobj=plain, mode="r|") as archive:
                for count, found in enumerate(archive):
                    if count >= caps.members:
                        raise ListError(f"{path}: more than {caps.members} members: refused")
                    content = archive.extractfile(found) if found.isreg() else None
                    if content is not None:
                        yield Member(found.name, cast("IO[bytes]", _Capped(content, None, caps)))
        except tarfile.TarError as error:
            raise ListError(f"{path}: damaged archive: {error}") from None


def _exactly(plain: IO[bytes], size: int) -> bytes:
    found = b""
    while len(found) < size and (more := plain.read(size - len(found))):
        found += more
    return found


def blocks(plain: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, about BLOCK_BYTES at a time, each block ending in a line feed.

    BOM and carriage returns are gone. A line over MAX_LINE_BYTES comes as b"\\0" alone, so that it
    is counted and never held.
    """
    rest, skipping, first = b"", False, True
    while raw := plain.read(BLOCK_BYTES):
        if first:
            raw, first = raw.removeprefix(b"\xef\xbb\xbf"), False
            _refuse_utf16(raw)
        if skipping:
            cut = raw.find(b"\n")
            if cut < 0:
                continue
            raw, skipping = b"\0" + raw[cut:], False
        block = rest + raw
        cut = block.rfind(b"\n") + 1
        rest = block[cut:]
        if len(rest) > MAX_LINE_BYTES:
            rest, skipping = b"", True
        if cut:
            whole = _bounded(block[:cut])
            yield whole.replace(b"\r", b"") if b"\r" in whole else whole
    if rest or skipping:
        yield (b"\0" if skipping else rest.rstrip(b"\r")) + b"\n"


def _bounded(block: bytes) -> bytes:
    """The block of whole lines, each that is too long as b"\0"."""
    parts: list[bytes] = []
    begin = position = 0
    while position < len(block):
        end = block.rfind(b"\n", position, position + MAX_LINE_BYTES + 1)
        if end < 0:
            end = block.index(b"\n", position)
            parts += block[begin:position], b"\0"
            begin = end
        position = end + 1
    return b"".join((*parts, block[begin:])) if parts else block


def _refuse_utf16(head: bytes) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ListError("the list is UTF-16: save it as UTF-8")
