"""The index file: magic, a JSON head, sections; written whole, checked whole, mapped.

Knows where things lie in the file, not what they mean.

    8s magic · u32 format version · u32 head length · u32 CRC-32 of all that follows the head
    · u32 CRC-32 of the head · u64 length of the file · head (JSON) · sections, 8-byte aligned
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import struct
import sys
import weakref
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filterd import whole_files
from filterd.errors import ListError

MAGIC = b"FILTERDX"
VERSION = 5
_READ = (4, VERSION)
"""What can be read; 4 has no numbers of one octet."""
_FIXED = struct.Struct("<8sIIIIQ")
_PIECE = 1 << 20
RECOMPILE = "run: filterd lists compile"


class OldFormat(ListError):
    """The file was written by another version of filterd; its lists only need compiling again."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """An index file in memory; `sections` are views into the map and keep it alive, `starts` is
    where they begin in `file`."""

    head: dict[str, Any]
    sections: dict[str, memoryview]
    path: Path
    starts: dict[str, int]
    file: Opened


class Opened:
    """The file of a map, for what is asked seldom and all over it: a page that is read so is not
    mapped by each process, with its fifteen neighbours, from then on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        weakref.finalize(self, os.close, self._descriptor)

    def number(self, at: int) -> int:
        """The four octets there, in the machine's order."""
        return int.from_bytes(os.pread(self._descriptor, 4, at), sys.byteorder)

    def crc(self, at: int) -> int:
        """The CRC-32 of all from there on. Through the map the whole file would be this process's
        memory meanwhile, and a bad block of the disk would end it (SIGBUS); here it is an OSError.
        """
        crc, piece = 0, memoryview(bytearray(_PIECE))
        while size := os.preadv(self._descriptor, [piece], at):
            crc = zlib.crc32(piece[:size], crc)
            at += size
        return crc


def write(path: Path, head: Mapping[str, Any], parts: Mapping[str, Path]) -> str:
    """Write the file whole or not at all; returns the digest of its content."""
    body = path.with_name(f".{path.name}.{os.getpid()}.body")
    try:
        with body.open("wb") as out:
            placed, digest, crc = _copy(parts, out)
        full = {**head, "sections": placed, "digest": digest}
        text = json.dumps(full, separators=(",", ":")).encode()
        text += b" " * (-(_FIXED.size + len(text)) % 8)
        with whole_files.fresh(path) as out, body.open("rb") as content:
            total = _FIXED.size + len(text) + body.stat().st_size
            fixed = (MAGIC, VERSION, len(text), crc, zlib.crc32(text), total)
            out.write(_FIXED.pack(*fixed) + text)
            shutil.copyfileobj(content, out, _PIECE)
    except OSError as error:
        raise ListError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        body.unlink(missing_ok=True)
    return digest


def _copy(parts: Mapping[str, Path], out: IO[bytes]) -> tuple[dict[str, list[int]], str, int]:
    digest, crc, at = hashlib.blake2b(digest_size=16), 0, 0
    placed: dict[str, list[int]] = {}
    for name, part in parts.items():
        size = part.stat().st_size
        placed[name] = [at, size]
        with part.open("rb") as content:
            while piece := content.read(_PIECE):
                crc = _emit(piece, out, digest, crc)
        padding = b"\0" * (-size % 8)
        crc = _emit(padding, out, digest, crc)
        at += size + len(padding)
    return placed, digest.hexdigest(), crc


def _emit(piece: bytes, out: IO[bytes], digest: hashlib.blake2b, crc: int) -> int:
    out.write(piece)
    digest.update(piece)
    return zlib.crc32(piece, crc)


def read(path: Path, verify: bool = True) -> Mapped:
    """Map a file; ListError says what is wrong with it and what to run.

    `verify` reads the file once (about 30 ms for 60 MiB) and is for whoever opens it first;
    without it only head and length are checked.
    """
    try:
        with path.open("rb") as opened:
            whole = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            file = Opened(opened.fileno())
    except FileNotFoundError:
        raise ListError(f"there is no compiled list index at {path}: {RECOMPILE}") from None
    except (OSError, ValueError) as error:
        raise ListError(f"cannot read {path}: {error}: {RECOMPILE}") from None
    view = memoryview(whole)
    head, start = _head(view, path)
    if verify:
        _check(file, start, head.pop("crc"), path)
    sections = {
        name: view[start + at : start + at + size] for name, (at, size) in head["sections"].items()
    }
    starts = {name: start + at for name, (at, _) in head["sections"].items()}
    return Mapped(head, sections, path, starts, file)


def _head(view: memoryview, path: Path) -> tuple[dict[str, Any], int]:
    if len(view) < _FIXED.size:
        raise ListError(f"{path} is cut short: {RECOMPILE}")
    magic, version, length, crc, head_crc, total = _FIXED.unpack_from(view)
    if magic != MAGIC:
        raise ListError(f"{path} is not a list index: {RECOMPILE}")
    if version not in _READ:
        raise OldFormat(
            f"{path} has index format {version}, this filterd reads {VERSION}: {RECOMPILE}"
        )
    if total != len(view):
        raise ListError(f"{path} is cut short ({len(view)} of {total} octets): {RECOMPILE}")
    text = view[_FIXED.size : _FIXED.size + length]
    if zlib.crc32(text) != head_crc:
        raise ListError(f"{path} is damaged (head): {RECOMPILE}")
    head: dict[str, Any] = json.loads(bytes(text))
    head["crc"] = crc
    return head, _FIXED.size + length


def _check(file: Opened, start: int, crc: int, path: Path) -> None:
    try:
        whole = file.crc(start) == crc
    except OSError as error:
        raise ListError(f"cannot read {path}: {error}: {RECOMPILE}") from None
    if not whole:
        raise ListError(f"{path} is damaged (checksum): {RECOMPILE}")
