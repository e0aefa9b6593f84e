"""Updates that fail, in every way there is, against a real HTTP server.

In each the index in use is the same file with the same content, and the status says why.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import socket
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from filterd.errors import ListError
from filterd.lists import compiler
from filterd.lists.update import Result
from tests.lab.list_school import NAMES, School
from tests.lab.list_server import Served

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


def test_a_list_server_that_is_down(school: School) -> None:
    """Nobody listens where the list was yesterday."""
    index = school.library.store.index.resolve()
    content = index.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    catalogue = school.folder / "catalogue.yaml"
    catalogue.write_text(catalogue.read_text().replace(f":{school.lab.port}/", f":{port}/"))
    outcome, told = school.update()["bad"]
    assert outcome is Result.FAILED and "refused" in told
    assert school.library.store.index.resolve() == index and index.read_bytes() == content
    assert school.blocked("bad7.example") and not school.used
    assert school.item("bad")["error"] == told


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
    assert held["reason"] == why and (held["before"], held["after"]) == (400, 43)
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
    assert not school.blocked("fresh.example") and not school.used
    held = school.item("bad")["quarantine"]
    assert isinstance(held, dict) and held["reason"] == why and name in held["protected"]
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


def test_two_updates_at_once_exclude_each_other(school: School) -> None:
    school.library.store.patience = 0.2
    before = school.library.store.index.resolve()
    school.lab.put("/bad.txt", NAMES + "later.example\n")
    with school.library.store.locked(), pytest.raises(ListError, match="another update"):
        school.update()
    # the list is not to blame: it is due as before, and what is in use stays
    assert school.library.store.index.resolve() == before and not school.used
    assert school.item("bad")["state"] == "fresh" and not school.blocked("later.example")
    assert school.update()["bad"][0] is Result.CHANGED


def test_a_second_update_in_the_same_box_waits_for_the_first(school: School) -> None:
    """The console's button during the nightly run: both end well, one after the other."""
    school.lab.put("/bad.txt", NAMES + "later.example\n")

    async def both() -> list[Result]:
        found = await asyncio.gather(school.refresher.update(), school.refresher.update())
        return [outcome.outcome for outcomes in found for outcome in outcomes]

    assert asyncio.run(both()) == [Result.CHANGED, Result.UNCHANGED]
    assert school.blocked("later.example") and len(school.used) == 1


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
    assert school.item("bad")["error"] == why and school.blocked("bad7.example")
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
    assert school.library.store.index.resolve() == before and not school.used
    assert school.item("bad")["error"] == why
