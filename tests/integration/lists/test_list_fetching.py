"""What is fetched, in which packing, from where; and from where never."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import threading
from pathlib import Path

import pytest
import zstandard

from filterd.errors import ListError
from filterd.lists import fetch, reader
from filterd.lists.update import Result
from tests.lab.list_school import School
from tests.lab.list_server import ListServer, Served


def test_a_mirror_is_asked_when_the_first_address_fails(school: School) -> None:
    url = school.lab.put("/mirror.txt", "mirrored.example\n")
    school.add("second", school.lab.url("/gone.txt"), mirrors=f"[{url}]")
    assert school.update("second")["second"][0] is Result.CHANGED
    assert school.blocked("mirrored.example")


@pytest.mark.parametrize("packed", ["gzip", "xz", "zstd", "http-gzip"])
def test_compressed_lists(school: School, packed: str) -> None:
    text = b"packed.example\n" * 3
    pack = {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstandard.compress}
    served = Served(text, "gzip") if packed == "http-gzip" else Served(pack[packed](text))
    school.lab.paths["/packed"] = served
    school.add("packed", school.lab.url("/packed"))
    assert school.update("packed")["packed"][0] is Result.CHANGED
    assert school.blocked("www.packed.example")


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            found = tarfile.TarInfo(name)
            found.size = len(content)
            tar.addfile(found, io.BytesIO(content))
        for name, kind in (
            ("../../escape/domains", tarfile.SYMTYPE),
            ("dev/domains", tarfile.CHRTYPE),
        ):
            odd = tarfile.TarInfo(name)
            odd.type, odd.linkname = kind, "/etc/passwd"
            tar.addfile(odd)
    return out.getvalue()


def test_an_archive_with_a_directory_for_each_category(school: School) -> None:
    school.lab.paths["/ut1"] = Served(
        archive({
            "blacklists/adult/domains": b"adult.example\n192.0.2.3\n",
            "blacklists/adult/urls": b"site.example/page\n",
            "blacklists/publicite/domains": b"banner.example\n",
            "blacklists/cooking/domains": b"cake.example\n",
            "../../../tmp/evil/domains": b"evil.example\n",
        })
    )  # fmt: skip
    school.add("ut1", school.lab.url("/ut1"), format="ut1", members="{adult: porn, publicite: ads}")
    assert school.update("ut1")["ut1"][0] is Result.CHANGED
    assert school.blocked("www.adult.example") and school.blocked("banner.example")
    assert not school.blocked("cake.example") and not school.blocked("evil.example")
    dropped = school.item("ut1")["dropped"]
    assert isinstance(dropped, dict) and dropped["url"] == 1
    assert not Path("/tmp/evil").exists()


def test_a_long_line_and_many_lines_are_bounded() -> None:
    long = b"a" * (3 << 20) + b"\nok.example\n"
    blocks = list(reader.blocks(io.BytesIO(long)))
    assert max(len(block) for block in blocks) <= (2 << 20)
    assert b"".join(blocks) == b"\0\nok.example\n"


def test_addresses_that_are_not_public() -> None:
    from filterd.lists.netguard import is_public, places

    for text in (
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1",
        "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "255.255.255.255",
    ):  # fmt: skip
        assert not is_public(text), text
    assert is_public("9.9.9.9") and is_public("2620:fe::fe")
    for host in ("0x7f.1", "2130706433", "127.1", "localhost", "[::1]".strip("[]")):
        with pytest.raises(ListError, match=r"no public|cannot be resolved"):
            places(host, 80)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://x/",
        "ftp://x/y",
        "http://x/",
        "https://u:p@x/",
        "https:///x",
        "//x",
    ],
)
def test_addresses_that_are_never_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(ListError):
        fetch.fetch(url, tmp_path / "x", fetch.Known(), fetch.Access())


def test_a_name_that_changes_its_address_gains_nothing(
    lab: ListServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look-up says a public address, every later one the machine itself."""
    import socket

    asked = threading.Event()
    real = socket.getaddrinfo

    def flipping(host: str, *rest: object, **more: object) -> object:
        if host == "flip.example":
            first, port = not asked.is_set(), rest[0]
            asked.set()
            text = "203.0.113.9" if first else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))]
        return real(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", flipping)
    monkeypatch.setattr(
        "filterd.lists.netguard.is_public", lambda text, _=False: text != "127.0.0.1"
    )
    lab.put("/x", "a.example")
    with pytest.raises(ListError):
        fetch.fetch(
            f"http://flip.example:{lab.port}/x", tmp_path / "x", fetch.Known(),
            fetch.Access(plain_http=True, limits=fetch.Limits(idle=0.5, whole=1)),
        )  # fmt: skip
    assert not lab.asked
