"""Every change of the lists that weakens protection waits for a second person; no other does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from filterd.control.permissions import Role
from filterd.control.protocol import Caller, Refusal
from filterd.lists.library import Library
from filterd.lists.state import Quarantine, Version
from tests.unit.control.conftest import World
from tests.unit.control.listed import add_lists

OLD, NOW, HELD = "1" * 16, "2" * 16, "3" * 16
BODIES = {
    OLD: "one.example\n",
    NOW: "one.example\ntwo.example\nthree.example\n",
    HELD: "one.example\n",
}


class School:
    """A box with a shipped list and one of three versions, an administrator and an approver."""

    def __init__(self, world: World, library: Library, lan: Caller, hoa: Caller) -> None:
        self.world, self.library, self.lan, self.hoa = world, library, lan, hoa

    async def blocked(self, name: str) -> bool:
        return bool((await self.world.call("lists.search", name=name))["items"])

    async def waits(self, method: str, **fields: Any) -> str:
        """The administrator asks; nothing happens yet. The id of the wish."""
        with pytest.raises(Refusal) as refused:
            await self.world.call(method, self.lan, **fields)
        assert refused.value.code == "needs_approval", str(refused.value)
        return str(refused.value.more["approval"])

    async def agree(self, wish: str) -> Any:
        return await self.world.call(
            "approvals.decide", self.hoa, id=wish, approve=True, reason="đồng ý"
        )


@pytest.fixture
async def school(world: World, tmp_path: Path) -> School:
    def fetched(library: Library) -> None:
        for version, text in BODIES.items():
            path = library.store.body("far", version)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        state = library.store.state()
        versions = [Version(v, world.now.isoformat(), len(BODIES[v].split()), 9) for v in BODIES]
        held = Quarantine(versions[2], ("shrank",), 3, 1, 0, 2, (), ("two.example",))
        far = state.of("far").with_version(versions[0]).with_version(versions[1])
        library.store.save(state.put("far", replace(far, quarantine=held)))

    library = await add_lists(world, tmp_path, "format: domains", fetched)
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    return School(world, library, lan, await world.person("thay.hoa", Role.APPROVER))


WEAKENING = [
    ("lists.set_enabled", {"id": "far", "enabled": False, "reason": "chặn nhầm"}, "two.example"),
    ("lists.set_enabled", {"id": "shipped", "enabled": False, "reason": "thử"}, "shipped.example"),
    ("lists.rollback", {"id": "far", "reason": "bản mới sai"}, "two.example"),
    ("lists.rollback", {"id": "far", "version": OLD, "reason": "bản cũ"}, "two.example"),
    ("lists.approve", {"id": "far", "reason": "nguồn nói vậy"}, "two.example"),
]


@pytest.mark.parametrize(("method", "fields", "name"), WEAKENING)
async def test_a_weaker_list_waits_and_is_carried_out_once(
    school: School, method: str, fields: dict[str, Any], name: str
) -> None:
    wish = await school.waits(method, **fields)
    assert await school.blocked(name)
    [waiting] = (await school.world.call("approvals.list", school.hoa, state="open"))["items"]
    assert waiting["method"] == method and waiting["changes"][0]["weakens"]
    assert "xa" in waiting["summary"]["vi"] or "kèm theo" in waiting["summary"]["vi"]
    await school.agree(wish)
    assert not await school.blocked(name)
    acts = [act["action"] for act in (await school.world.call("audit.list"))["items"]]
    assert "approvals.approved" in acts and "approvals.ask" in acts
    again = school.world.call("approvals.decide", school.hoa, id=wish, approve=True, reason="nữa")
    with pytest.raises(Refusal, match="closed already"):
        await again


async def test_a_refused_wish_changes_nothing(school: School) -> None:
    wish = await school.waits("lists.set_enabled", id="far", enabled=False, reason="chặn nhầm")
    await school.world.call("approvals.decide", school.hoa, id=wish, approve=False, reason="không")
    assert await school.blocked("two.example")


async def test_approval_is_for_the_version_that_was_shown(school: School) -> None:
    wish = await school.waits("lists.approve", id="far", reason="nguồn nói vậy")
    with school.library.store.locked():
        state = school.library.store.state()
        other = Quarantine(Version("4" * 16, school.world.now.isoformat(), 0, 0), ("shrank",), 3, 0)
        school.library.store.save(state.put("far", replace(state.of("far"), quarantine=other)))
    with pytest.raises(Refusal, match="Another version"):
        await school.agree(wish)
    assert await school.blocked("two.example")
    [still] = (await school.world.call("approvals.list", school.hoa, state="open"))["items"]
    assert still["id"] == wish, "what could not be done waits on"


async def test_an_update_that_only_adds_needs_one_person(school: School) -> None:
    with school.library.store.locked():
        state = school.library.store.state()
        path = school.library.store.body("far", "5" * 16)
        path.write_text(BODIES[NOW] + "four.example\n")
        grown = Version("5" * 16, school.world.now.isoformat(), 4, 9)
        held = Quarantine(grown, ("grew",), 3, 4, 1, 0, ("four.example",))
        school.library.store.save(state.put("far", replace(state.of("far"), quarantine=held)))
    await school.world.call("lists.approve", school.lan, id="far", reason="bản lớn hơn")
    assert await school.blocked("four.example")


async def test_own_names_may_be_added_by_one_and_taken_away_by_two(school: School) -> None:
    async def put(text: str, **more: Any) -> Any:
        fields = {"category": "ads", "text": text, "reason": "trường quyết", **more}
        return await school.world.call("lists.local_set", school.lan, **fields)

    await put("a.example\nb.example\n")
    await put("# ghi chú\na.example\nb.example\n0.0.0.0 c.example\n||d.example^\n")
    assert await school.blocked("d.example")
    for shorter in ("a.example\n", "", "a.example\nb.example\nc.example\n||d.example^\n@@||x.y^\n"):
        wish = await school.waits("lists.local_set", category="ads", text=shorter, reason="bớt đi")
        assert await school.blocked("b.example")
    await school.world.call("approvals.decide", school.hoa, id=wish, approve=False, reason="không")
    wish = await school.waits("lists.local_set", category="ads", text="a.example", reason="bớt đi")
    await school.agree(wish)
    assert await school.blocked("a.example") and not await school.blocked("b.example")


async def test_a_wish_about_a_text_that_changed_meanwhile_is_a_conflict(school: School) -> None:
    fields = {"category": "ads", "reason": "trường quyết"}
    await school.world.call("lists.local_set", school.lan, text="a.example\nb.example\n", **fields)
    wish = await school.waits("lists.local_set", text="a.example\n", **fields)
    more = "a.example\nb.example\nc.example\n"
    await school.world.call("lists.local_set", school.lan, text=more, **fields)
    with pytest.raises(Refusal, match="changed meanwhile"):
        await school.agree(wish)
    assert await school.blocked("c.example")


@pytest.mark.parametrize(("form", "free"), [("hosts", True), ("domains", True), ("auto", False),
                                            ("adblock", False), ("rpz", False)])  # fmt: skip
async def test_a_list_by_address_that_may_hold_exceptions_waits(
    school: School, form: str, free: bool
) -> None:
    fields = {"title": "x", "url": "https://lists.invalid/x", "category": "ads", "format": form}
    if free:
        await school.world.call("lists.add_source", school.lan, **fields)
        return
    wish = await school.waits("lists.add_source", **fields)
    added = await school.agree(wish)
    assert added["result"]["id"] == "own_x"


async def test_the_first_approver_is_made_by_an_administrator_and_no_other(world: World) -> None:
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    made = await world.call("people.add", lan, name="hieu.truong", title="x", role="approver")
    for method, fields in (
        ("people.add", {"name": "lan.2", "title": "x", "role": "approver"}),
        ("people.reset", {"id": made["id"]}),
        ("people.remove", {"id": made["id"]}),
        ("people.set", {"id": lan.account, "role": "approver"}),
    ):
        with pytest.raises(Refusal, match="Only an approver"):
            await world.call(method, lan, **fields)
