"""Lists through their whole life, against a real HTTP server that fails in every way there is.

In each failure the index in use is the same file with the same content, and the status says why.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import lzma
import os
import shutil
import signal
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from filterd.errors import ListError
from filterd.lists import compiler, fetch, reader
from filterd.lists.gate import Thresholds
from filterd.lists.index import open_index
from filterd.lists.library import Library, Surroundings
from filterd.lists.refresher import Hooks, Refresher, Times
from filterd.lists.state import KEPT_VERSIONS, SourceState, Version
from filterd.lists.status import status
from filterd.lists.store import KEPT_INDEXES
from filterd.lists.update import Fetching, Result
from filterd.policy.verdict import Question
from filterd.wire.names import Name
from tests.lab.list_server import ListServer, Served, list_server

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
NAMES = "".join(f"bad{i}.example\n" for i in range(400))


class School:
    """A library with a refresher around it, a clock to turn, and what was put in use."""

    def __init__(self, folder: Path, lab: ListServer) -> None:
        self.folder, self.lab = folder, lab
        self.now = START
        self.used: list[Path] = []
        self.against: tuple[str, ...] = ()
        self.sources: list[str] = []
        self.protected = {"google.com", "truong.edu.vn"}
        around = Surroundings(
            folder / "lists", folder / "catalogue.yaml", ("porn", "ads"), lambda: self.protected
        )
        self.library = Library(around)
        self.library.store.prepare()
        limits = fetch.Limits(bytes=8 << 20, idle=0.5, whole=1.5)
        access = fetch.Access(plain_http=True, loopback=True, limits=limits)
        how = Fetching(access, Thresholds(), chance=lambda: 0.0)
        hooks = Hooks(self._use, lambda _path: self.against, lambda: self.now)
        self.refresher = Refresher(self.library, hooks, how, Times(quiet=()))

    async def _use(self, path: Path) -> None:
        self.used.append(path)

    def add(self, list_id: str, url: str, **more: str) -> None:
        extra = "".join(f"\n    {key}: {value}" for key, value in more.items())
        self.sources.append(
            f"  - id: {list_id}\n    title: {{vi: x, en: x}}\n"
            f"    category: porn\n    url: {url}{extra}\n"
        )
        (self.folder / "catalogue.yaml").write_text("sources:\n" + "".join(self.sources))

    def update(self, *ids: str) -> dict[str, tuple[Result, str]]:
        found = asyncio.run(self.refresher.update(ids))
        return {outcome.id: (outcome.outcome, outcome.why) for outcome in found}

    def blocked(self, name: str) -> bool:
        return bool(open_index(self.library.store.index).listings(Question(Name(name), 1)))

    def item(self, list_id: str) -> dict[str, object]:
        items = status(self.library, self.now)["items"]
        return next(item for item in items if item["id"] == list_id)


@pytest.fixture(scope="module")
def server() -> Iterator[ListServer]:
    with list_server() as found:
        yield found


@pytest.fixture(scope="module")
def first(server: ListServer, tmp_path_factory: pytest.TempPathFactory) -> School:
    """A school whose one list was fetched and is in use; copied for each test."""
    found = School(tmp_path_factory.mktemp("first"), server)
    found.add("bad", server.put("/bad.txt", NAMES))
    assert found.update() == {"bad": (Result.CHANGED, "")}
    assert found.blocked("www.bad7.example")
    return found


@pytest.fixture
def lab(server: ListServer) -> ListServer:
    server.paths.clear()
    server.asked.clear()
    return server


@pytest.fixture
def school(lab: ListServer, first: School, tmp_path: Path) -> School:
    folder = tmp_path / "school"
    shutil.copytree(first.folder, folder, symlinks=True)
    lab.put("/bad.txt", NAMES)
    found = School(folder, lab)
    found.sources = list(first.sources)
    return found


def test_an_unchanged_list_is_asked_for_with_its_etag(school: School) -> None:
    before = school.library.store.index.resolve()
    assert school.update() == {"bad": (Result.UNCHANGED, "")}
    assert "If-None-Match" in school.lab.asked[-1][1]
    assert school.library.store.index.resolve() == before
    assert not school.used


def test_a_changed_list_goes_live_and_a_rollback_is_instant(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    school.lab.put("/bad.txt", NAMES + "new.example\n")
    assert school.update()["bad"][0] is Result.CHANGED
    assert school.blocked("new.example") and school.blocked("bad1.example")
    # instant because nothing is compiled: the index of the version before is kept
    monkeypatch.setattr(compiler, "run", lambda *_: pytest.fail("a rollback compiled"))
    asyncio.run(school.refresher.rollback("bad"))
    assert not school.blocked("new.example") and school.blocked("bad1.example")
    assert school.item("bad")["state"] == "fresh"
    # the version left behind is not taken again by itself
    school.lab.paths["/bad.txt"].headers["ETag"] = '"other"'
    assert school.update()["bad"] == (Result.UNCHANGED, "the same version was refused before")
    assert not school.blocked("new.example")


def test_the_last_versions_are_kept_and_each_can_come_back(school: School) -> None:
    for number in range(6):
        school.lab.put("/bad.txt", NAMES + f"v{number}.example\n")
        assert school.update()["bad"][0] is Result.CHANGED
    versions = school.item("bad")["versions"]
    assert isinstance(versions, list) and len(versions) == KEPT_VERSIONS
    bodies = school.folder / "lists" / "sources" / "bad"
    assert {each["version"] for each in versions} == {path.name for path in bodies.iterdir()}
    assert len(list((school.folder / "lists").glob("index-*.fdx"))) == KEPT_INDEXES
    oldest = versions[-1]["version"]
    asyncio.run(school.refresher.rollback("bad", oldest))
    assert school.blocked("v2.example") and not school.blocked("v5.example")
    now = school.item("bad")["versions"]
    assert isinstance(now, list)
    assert [each["version"] for each in now if each["current"]] == [oldest]
    with pytest.raises(ListError, match="no other version"):
        asyncio.run(school.refresher.rollback("bad", "0" * 24))


FAILURES: dict[str, tuple[Served, str]] = {
    "missing": (Served(status=404), "HTTP 404"),
    "broken": (Served(status=500), "HTTP 500"),
    "slow": (Served(NAMES.encode(), "slow"), "not finished|in time"),
    "hanging": (Served(how="hang"), "in time"),
    "cut short": (Served(NAMES.encode(), "cut"), "cut short|IncompleteRead"),
    "endless": (Served(b"a.example\n", "endless"), "more than 8 MiB"),
    "empty": (Served(b""), "not one usable entry"),
    "only comments": (Served(b"# nothing\n" * 50), "not one usable entry"),
    "a login page": (Served(b"<!DOCTYPE html><html><body>Login</body></html>"), "web page"),
    "binary": (Served(bytes(range(256)) * 40), "binary"),
    "truncated gzip": (Served(gzip.compress(NAMES.encode() * 9)[:-60]), "truncated|damaged"),
    "gzip bomb": (Served(gzip.compress(b"x.example\n" * 4_000_000)), "unpacks to more"),
    "too large": (Served(b"a.example\n" * 900_000), "more than 8 MiB"),
    "utf-16": (Served(NAMES.encode("utf-16")), "UTF-16"),
    "redirect to the LAN": (
        Served(status=302, headers={"Location": "http://192.168.1.1/x"}), "no public address"),
    "redirect to the metadata service": (
        Served(status=301, headers={"Location": "http://169.254.169.254/latest"}), "no public"),
    "redirect to a file": (Served(status=302, headers={"Location": "file:///etc/passwd"}), "only"),
    "redirects for ever": (Served(status=302, headers={"Location": "/bad.txt"}), "redirects"),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_after_every_failure_the_running_filter_is_unchanged(school: School, failure: str) -> None:
    served, why = FAILURES[failure]
    index = school.library.store.index.resolve()
    content = index.read_bytes()
    school.lab.paths["/bad.txt"] = served
    outcome, told = school.update()["bad"]
    assert outcome is Result.FAILED
    assert any(part in told for part in why.split("|")), told
    assert school.library.store.index.resolve() == index and index.read_bytes() == content
    assert not school.used
    assert school.item("bad")["error"] == told
    left = [p.name for p in (school.folder / "lists" / "sources" / "bad").iterdir()]
    assert len(left) == 1, f"half-written files stay: {left}"


def test_after_failures_the_next_try_comes_later_each_time(school: School) -> None:
    school.lab.paths["/bad.txt"] = Served(status=500)
    waits = []
    for _ in range(4):
        school.update()
        due = school.library.store.state().of("bad").due
        assert due is not None
        waits.append(datetime.fromisoformat(due) - school.now)
    assert waits[0] == timedelta(minutes=15) and waits == sorted(waits) and waits[3] > waits[0]
    assert school.item("bad")["state"] == "failed"


def test_a_list_that_shrinks_by_nine_tenths_waits_for_a_person(school: School) -> None:
    school.lab.put("/bad.txt", NAMES[: len(NAMES) // 10])
    outcome, why = school.update()["bad"]
    assert outcome is Result.QUARANTINED and "shrinks from 400" in why
    assert school.blocked("bad399.example")
    item = school.item("bad")
    assert item["state"] == "quarantined"
    held = item["quarantine"]
    assert isinstance(held, dict) and held["removed"] > 300 and held["removed_samples"]
    asyncio.run(school.refresher.approve("bad"))
    assert not school.blocked("bad399.example") and school.blocked("bad1.example")
    assert school.item("bad")["state"] == "fresh"


def test_a_refused_version_is_not_offered_again(school: School) -> None:
    url_text = NAMES[:500]
    school.lab.put("/bad.txt", url_text)
    assert school.update()["bad"][0] is Result.QUARANTINED
    asyncio.run(school.refresher.refuse("bad"))
    assert school.item("bad")["state"] == "fresh"
    school.lab.paths["/bad.txt"].headers["ETag"] = '"again"'
    assert school.update()["bad"][0] is Result.UNCHANGED
    assert school.blocked("bad399.example")


@pytest.mark.parametrize("name", ["google.com", "truong.edu.vn", "edu.vn"])
def test_a_list_that_blocks_protected_names_waits_and_never_blocks_them(
    school: School, name: str
) -> None:
    school.lab.put("/bad.txt", NAMES + f"{name}\nfresh.example\n")
    outcome, why = school.update()["bad"]
    assert outcome is Result.QUARANTINED and name in why
    assert not school.blocked("fresh.example")
    asyncio.run(school.refresher.approve("bad"))
    assert school.blocked("fresh.example")
    assert not school.blocked("www.google.com") and not school.blocked("www.truong.edu.vn")
    # a person let it pass once: the next version with the same hit goes live by itself
    school.lab.put("/bad.txt", NAMES + f"{name}\nfresher.example\n")
    assert school.update()["bad"][0] is Result.CHANGED


def test_what_the_policy_expects_stops_an_update(school: School) -> None:
    before = school.library.store.index.resolve()
    school.against = ("primary: vnedu.vn must be allowed, is blocked",)
    school.lab.put("/bad.txt", NAMES + "vnedu.vn\n")
    outcome, why = school.update()["bad"]
    assert outcome is Result.QUARANTINED and "vnedu.vn must be allowed" in why
    assert school.library.store.index.resolve() == before and not school.blocked("vnedu.vn")
    assert school.item("bad")["state"] == "quarantined"


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


def test_two_updates_at_once_exclude_each_other(school: School) -> None:
    school.library.store.patience = 0.2
    school.lab.put("/bad.txt", NAMES + "later.example\n")
    with school.library.store.locked(), pytest.raises(ListError, match="another update"):
        school.update()
    assert school.update()["bad"][0] is Result.CHANGED


def test_a_person_does_not_wait_for_a_slow_server(school: School) -> None:
    """While a list server hangs, the school's own list and a rollback still act."""
    school.lab.paths["/bad.txt"] = Served(how="hang")

    async def both() -> None:
        update = asyncio.create_task(school.refresher.update())
        while not school.lab.asked:
            await asyncio.sleep(0.01)
        await school.refresher.reload()
        assert not update.done() and len(school.used) == 1
        await update

    asyncio.run(both())


def test_an_own_list_does_not_wait_for_a_compilation(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling millions of names takes seconds; what the school writes acts meanwhile."""
    school.lab.put("/bad.txt", NAMES + "slow.example\n")
    reached, go_on = threading.Event(), threading.Event()
    real = compiler.run

    def slowly(*given: object) -> object:
        reached.set()
        assert go_on.wait(60)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(compiler, "run", slowly)

    async def both() -> None:
        update = asyncio.create_task(school.refresher.update())
        assert await asyncio.to_thread(reached.wait, 60)
        (school.library.store.local / "ads.txt").write_text("own.example\n")
        await asyncio.wait_for(school.refresher.reload(), 30)
        assert len(school.used) == 1 and not update.done()
        assert school.blocked("own.example") and not school.blocked("slow.example")
        go_on.set()
        await update

    asyncio.run(both())
    assert len(school.used) == 2
    assert school.blocked("own.example") and school.blocked("slow.example")


def test_a_killed_compiler_leaves_the_index(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = school.library.store.index.resolve()
    school.lab.put("/bad.txt", NAMES + "late.example\n")
    real, talk = compiler._talk, []

    def killing(child: object, asked: str, progress: object) -> object:
        if '"out"' in asked:
            os.kill(child.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            talk.append(1)
        return real(child, asked, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(compiler, "_talk", killing)
    outcome, why = school.update()["bad"]
    assert talk and outcome is Result.FAILED
    assert "old index stays" in why or "did not start" in why
    assert school.library.store.index.resolve() == before and not school.blocked("late.example")
    monkeypatch.undo()
    assert school.update()["bad"][0] is Result.CHANGED
    assert school.blocked("late.example")
    assert not list((school.folder / "lists").glob(".compile-*"))


def test_a_compiler_that_needs_too_much_memory_is_told(school: School, tmp_path: Path) -> None:
    job = school.library.job(school.library.store.state(), tmp_path / "x.fdx")
    small = type(job)(job.out, job.lists, job.categories, job.protected, None, 24)
    with pytest.raises(ListError, match=r"memory|old index stays"):
        compiler.run(small)
    assert not (tmp_path / "x.fdx").exists()


def test_a_file_that_does_not_fit_on_the_disk(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        f_bavail, f_frsize = 0, 4096

    before = school.library.store.index.resolve()
    monkeypatch.setattr(os, "statvfs", lambda _path: Full)
    school.lab.put("/bad.txt", NAMES + "more.example\n")
    outcome, why = school.update()["bad"]
    assert outcome is Result.FAILED and "disk is nearly full" in why
    assert school.library.store.index.resolve() == before


def test_what_is_due_and_when(school: School) -> None:
    assert school.refresher.due() == ()
    school.now += timedelta(days=1, minutes=1)
    assert school.refresher.due() == ("bad",)
    school.refresher._times = Times()  # quiet from 6 to 18 in Viet Nam
    school.now = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
    assert school.refresher.due() == ()
    school.add("fresh", school.lab.url("/x"))
    assert school.refresher.due() == ("fresh",)
    school.now = datetime(1970, 1, 1, tzinfo=UTC)
    assert "fresh" in school.refresher.due()


def test_the_schools_own_list_acts_at_once(school: School) -> None:
    own = school.library.store.local / "ads.txt"
    own.write_text("own.example\n@@||free.example^\n||rw.example^$dnsrewrite=10.0.0.1\n")
    index = open_index(school.library.store.index.resolve())
    found = index.listings(Question(Name("www.own.example"), 1))
    assert [(one.list, one.file, one.line) for one in found] == [("local_ads", "local/ads.txt", 1)]
    assert index.listings(Question(Name("free.example"), 1))[0].exception
    assert index.listings(Question(Name("rw.example"), 1))[0].rewrite is not None
    assert "+" in index.version


def test_twenty_unchanged_lists_cost_little(school: School) -> None:
    store = school.library.store
    state = store.state()
    for number in range(20):
        list_id, text = f"l{number}", f"n{number}.example\n"
        url = school.lab.put(f"/{list_id}", text)
        school.add(list_id, url)
        part = store.part(list_id)
        part.write_text(text)
        version, size = store.adopt(list_id, part)
        etag = school.lab.paths[f"/{list_id}"].headers["ETag"]
        kept = SourceState(etag=etag, url=url)
        fetched = Version(version, school.now.isoformat(), 1, size)
        state = state.put(list_id, kept.with_version(fetched))
    store.save(state)
    index = store.index.resolve()
    found = school.update()
    assert {outcome for outcome, _ in found.values()} == {Result.UNCHANGED} and len(found) == 21
    assert store.index.resolve() == index


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
