"""Records that may be made of anything: what the office, the other box and DHCP servers send, and
archives of lists.

Each function takes octets and may raise nothing; `tests.fuzz.targets` lists them.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from filterd.errors import EvidenceError, ListError
from filterd.evidence import bundle, signing, summary
from filterd.gateway import answered, dhcp_probe, pair, pair_lists
from filterd.lists import reader

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ROOT = bundle.Root(1, NOW, ("00" * 32,) * 3, ("00" * 32,), "")


def envelopes(octets: bytes) -> None:
    """Signed records of devices and of the office, before any signature is looked at."""
    with contextlib.suppress(EvidenceError):
        found = signing.decode(octets)
        signing.verify(found, bytes(32), signing.SUMMARY)
    for read in (bundle.first_root, _chain, _bundle, bundle.held):
        for envelope in (octets, _around(octets, bundle.ROOT), _around(octets, bundle.BUNDLE)):
            with contextlib.suppress(EvidenceError):
                read(envelope)


def _chain(octets: bytes) -> None:
    bundle.follow(ROOT, [octets], NOW)


def _bundle(octets: bytes) -> None:
    bundle.verify(octets, ROOT, 0, NOW)


def _around(octets: bytes, kind: str) -> bytes:
    """The octets as the text of an envelope that nobody signed."""
    text = octets.decode("utf-8", "replace")
    return json.dumps({"format": kind, "body": text, "signatures": {}}).encode()


def bodies(octets: bytes) -> None:
    """What signed records say: a summary, the other box's policy and lists."""
    readers: tuple[tuple[Callable[[bytes], object], type[Exception]], ...] = (
        (summary.decode, EvidenceError),
        (pair.decode, pair.PairError),
        (pair_lists.decode, pair.PairError),
    )
    for read, refusal in readers:
        with contextlib.suppress(refusal):
            read(octets)


def dhcp_offer(octets: bytes) -> None:
    """A DHCP server's datagram, as it is and under the number that was asked with."""
    dhcp_probe.offer(octets, 7)
    asked = dhcp_probe.discover(7, b"\6\1\2\3\4\5")
    dhcp_probe.offer(b"\2" + asked[1:236] + asked[236:240] + octets, 7)


def answered_addresses(octets: bytes) -> None:
    """A worker's datagram to whoever measures paths."""
    for _address, _seconds in answered.unpack(octets):
        pass


def archive(octets: bytes) -> None:
    """A fetched file, as it is and behind the magic of every packing."""
    for magic in (b"", b"\x1f\x8b\x08\0", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"):
        with contextlib.suppress(ListError), _file(magic + octets) as path:
            if reader.is_tar(path):
                for member in reader.members(path):
                    for _ in reader.blocks(member.content):
                        pass
            else:
                with reader.opened(path) as plain:
                    for _ in reader.blocks(plain):
                        pass


@contextlib.contextmanager
def _file(octets: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile() as made:
        made.write(octets)
        made.flush()
        yield Path(made.name)


def broken_archives(seed: int, count: int) -> Iterator[bytes]:
    """Archives of lists with octets of their headers changed, most with the checksum put right, and
    some cut short."""
    chance = random.Random(seed)
    whole = {kind: _archive(kind) for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)}
    for _ in range(count):
        octets = bytearray(whole[chance.choice(list(whole))])
        block = chance.randrange(len(octets) // 512) * 512
        for _ in range(chance.choice((1, 2, 5))):
            field = chance.choice((0, 100, 124, 125, 130, 156, 257, 329, 345, 482, 483))
            octets[block + field] = chance.choice(b"\0 07=\nSxgKL\x80\xff")
        if chance.random() < 0.8:  # POSIX ustar: the sum is taken with its own field as spaces
            octets[block + 148 : block + 156] = b" " * 8
            octets[block + 148 : block + 156] = b"%06o\0 " % sum(octets[block : block + 512])
        yield bytes(octets[: chance.choice((len(octets), chance.randrange(len(octets))))])


def _archive(kind: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as tar:
        for name in ("ads/domains", "x" * 150 + "/domains"):
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = 900, {"comment": "ô" * 40}
            tar.addfile(member, io.BytesIO(b"a.example\n" * 90))
        for number, kind_of in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)):
            odd = tarfile.TarInfo(f"odd{number}")
            odd.type, odd.linkname = kind_of, "ads/domains"
            tar.addfile(odd)
    return made.getvalue()
