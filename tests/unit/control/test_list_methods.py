"""`lists.*` as the console calls them: decisions, own lists, sources by address, search."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from filterd.control.protocol import Refusal
from tests.unit.control.conftest import World
from tests.unit.control.listed import add_lists


@pytest.fixture
async def school(world: World, tmp_path: Path) -> World:
    """A world whose lists are one shipped list, compiled."""
    await add_lists(world, tmp_path, "enabled: false")
    return world


async def test_status_names_every_list(school: World) -> None:
    found = await school.call("lists.status")
    states = {item["id"]: (item["state"], item["entries"]) for item in found["items"]}
    assert states == {"shipped": ("fresh", 1), "far": ("off", 0)}
    assert found["version"] and found["categories"]["porn"] == 2


async def test_search_tells_list_rule_and_line(school: World) -> None:
    found = await school.call("lists.search", name="www.Shipped.example.")
    assert found == {
        "items": [
            {"list": "shipped", "category": "porn", "rule": "shipped.example", "line": 1},
        ]
    }
    with pytest.raises(Refusal):
        await school.call("lists.search", name="not a name")


async def test_the_schools_own_list_acts_without_compiling(school: World) -> None:
    answer = await school.call("lists.local_set", category="porn", text="mine.example\n??\n")
    assert answer == {
        "entries": 1, "dropped": {"not_a_name": 1}, "samples": ["not_a_name: ?? (2)"],
    }  # fmt: skip
    found = await school.call("lists.search", name="a.mine.example")
    assert [item["list"] for item in found["items"]] == ["local_porn"]
    kept = await school.call("lists.local_get")
    assert kept["items"][0]["text"] == "mine.example\n??\n"
    await school.call("lists.local_set", category="porn", text="")
    assert (await school.call("lists.search", name="a.mine.example"))["items"] == []
    with pytest.raises(Refusal):
        await school.call("lists.local_set", category="../../etc", text="x.example")


async def test_a_list_by_address_is_remembered_and_removed(school: World) -> None:
    fields = {"title": "Danh sách của trường", "url": "https://lists.invalid/x", "category": "ads"}
    made = await school.call("lists.add_source", **fields)
    assert made["id"] == "own_danh_sach_cua_truong"
    await asyncio.sleep(0)
    items = {item["id"]: item for item in (await school.call("lists.status"))["items"]}
    assert items[made["id"]]["own"] and items[made["id"]]["state"] in ("never", "failed")
    for _ in range(100):
        try:
            await school.call("lists.remove_source", id=made["id"], reason="thử")
            break
        except Refusal as refusal:  # the first fetch still holds the lock
            assert "another update" in str(refusal)
            await asyncio.sleep(0.1)
    assert made["id"] not in {i["id"] for i in (await school.call("lists.status"))["items"]}


@pytest.mark.parametrize(
    "wrong",
    [{"url": "file:///etc/passwd"}, {"category": "nothing"}, {"format": "exe"}, {"title": " "},
     {"url": "https://user:secret@lists.invalid/"}, {"match": "any"}],
)  # fmt: skip
async def test_a_list_by_address_is_checked(school: World, wrong: dict[str, str]) -> None:
    fields = {"title": "x", "url": "https://lists.invalid/x", "category": "ads"} | wrong
    with pytest.raises(Refusal):
        await school.call("lists.add_source", **fields)


@pytest.mark.parametrize("method", ["lists.approve", "lists.refuse", "lists.rollback"])
async def test_there_is_nothing_to_decide(school: World, method: str) -> None:
    with pytest.raises(Refusal):
        await school.call(method, id="shipped", reason="")


async def test_a_shipped_list_cannot_be_removed_but_switched_off(school: World) -> None:
    with pytest.raises(Refusal):
        await school.call("lists.remove_source", id="shipped")
    await school.call("lists.set_enabled", id="shipped", enabled=False, reason="thử")
    assert (await school.call("lists.search", name="shipped.example"))["items"] == []
    await school.call("lists.set_enabled", id="shipped", enabled=True)
    assert (await school.call("lists.search", name="shipped.example"))["items"]
    with pytest.raises(Refusal):
        await school.call("lists.set_enabled", id="nothing", enabled=True)


async def test_overlap_is_square(school: World) -> None:
    found = await school.call("lists.overlap")
    assert found["ids"] == ["shipped"] and found["shared"] == [[1]]
