"""Lists through their life: what changes goes live, what was can come back, nobody waits."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from filterd.errors import ListError
from filterd.lists import compiler
from filterd.lists.index import open_index
from filterd.lists.refresher import Times
from filterd.lists.state import KEPT_VERSIONS, SourceState, Version
from filterd.lists.store import KEPT_INDEXES
from filterd.lists.update import Result
from filterd.policy.verdict import Question
from filterd.wire.names import Name
from tests.lab.list_school import NAMES, School
from tests.lab.list_server import Served


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
