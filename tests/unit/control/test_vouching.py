"""Nobody makes his own second person: accounts that decide are made, raised and reset by two."""

from __future__ import annotations

from typing import Any

import pytest

from filterd.control.permissions import Role
from filterd.control.protocol import Caller, Refusal
from tests.unit.control.conftest import World


async def waits(world: World, caller: Caller, method: str, **fields: Any) -> str:
    with pytest.raises(Refusal) as refused:
        await world.call(method, caller, **fields)
    assert refused.value.code == "needs_approval", str(refused.value)
    return str(refused.value.more["approval"])


async def agree(world: World, who: Caller, wish: str) -> Any:
    return await world.call("approvals.decide", who, id=wish, approve=True, reason="đồng ý")


async def roles(world: World) -> dict[str, str]:
    return {a["name"]: a["role"] for a in (await world.call("people.list"))["items"]}


@pytest.fixture
async def staff(world: World) -> dict[str, Caller]:
    made = {
        "lan": await world.person("lan", Role.ADMINISTRATOR),
        "hoa": await world.person("hoa", Role.APPROVER),
        "minh": await world.person("minh", Role.APPROVER),
        "tu": await world.person("tu", Role.TEACHER),
        "an": await world.person("an", Role.ADMINISTRATOR),
    }
    world.later(hours=48)
    return made


@pytest.mark.parametrize(
    ("who", "method", "about", "fields"),
    [
        ("hoa", "people.add", None, {"name": "moi", "title": "Mới", "role": "approver"}),
        ("hoa", "people.add", None, {"name": "moi", "title": "Mới", "role": "administrator"}),
        ("lan", "people.add", None, {"name": "moi", "title": "Mới", "role": "administrator"}),
        ("hoa", "people.set", "tu", {"role": "approver"}),
        ("lan", "people.set", "tu", {"role": "administrator"}),
        ("lan", "people.reset", "an", {}),
    ],
)
async def test_the_power_to_decide_is_given_by_two(
    world: World, staff: dict[str, Caller], who: str, method: str, about: str | None, fields: Any
) -> None:
    before = await roles(world)
    if about:
        fields = {**fields, "id": staff[about].account}
    wish = await waits(world, staff[who], method, **fields)
    assert await roles(world) == before
    with pytest.raises((Refusal, AssertionError), match="may not appro"):
        await agree(world, staff[who], wish)
    done = await agree(world, staff["minh"], wish)
    if method != "people.set":
        assert len(done["result"]["password"]) > 20, "the second person hands the password over"
    entry = (await world.call("audit.list", action=method))["items"][0]
    assert (entry["actor"], entry["approver"]) == (who, "minh")
    if method != "people.reset":
        after = await roles(world)
        assert after[fields.get("name", "tu")] == fields["role"]


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("people.add", {"name": "moi", "title": "x", "role": "teacher"}),
        ("people.set", {"title": "Cô Tú"}),
        ("people.set", {"role": "viewer"}),
        ("people.set", {"locked": True}),
        ("people.reset", {}),
        ("people.remove", {}),
    ],
)
async def test_accounts_that_decide_nothing_need_one_person(
    world: World, staff: dict[str, Caller], method: str, fields: Any
) -> None:
    about = {} if method == "people.add" else {"id": staff["tu"].account}
    await world.call(method, staff["lan"], **fields, **about)


async def test_an_approver_is_locked_removed_or_opened_again_by_two(
    world: World, staff: dict[str, Caller]
) -> None:
    third = await world.person("ba", Role.APPROVER)
    world.later(hours=48)
    hoa, minh = staff["hoa"], staff["minh"]
    await waits(world, hoa, "people.remove", id=minh.account)
    await waits(world, hoa, "people.set", id=minh.account, role="teacher")
    await agree(world, third, await waits(world, hoa, "people.set", id=minh.account, locked=True))
    await agree(world, third, await waits(world, hoa, "people.set", id=minh.account, locked=False))
    with pytest.raises(Refusal, match="Only an approver"):
        await world.call("people.set", staff["lan"], id=minh.account, locked=True)


async def test_where_nobody_else_could_agree_one_person_does_it_and_is_named(world: World) -> None:
    hoa = await world.person("hoa", Role.APPROVER)
    assert (await world.call("people.list", hoa))["approvers"] == 0
    await world.call("people.add", hoa, name="minh", title="Minh", role="approver")
    assert (await world.call("people.list", hoa))["approvers"] == 1
    entry = (await world.call("audit.list", action="people.add"))["items"][0]
    assert (entry["actor"], entry["target"], entry["approver"]) == ("hoa", "minh", "")


@pytest.mark.parametrize("how", ["made", "raised", "reset", "agreed to"])
async def test_a_fresh_account_does_not_agree_to_what_its_maker_wants(
    world: World, how: str
) -> None:
    """Whoever has just read its one-time password could be sitting behind it."""
    hoa = await world.person("hoa", Role.APPROVER)
    old = await world.person("minh", Role.TEACHER if how == "raised" else Role.APPROVER)
    third = await world.person("ba", Role.APPROVER) if how == "agreed to" else None
    world.later(hours=48)
    if how in {"raised", "reset"}:
        method, fields = ("people.set", {"role": "approver"}) if how == "raised" else (
            "people.reset", {})  # fmt: skip
        await world.call(method, hoa, id=old.account, **fields)
        puppet = old
    elif how == "made":
        fields = {"name": "bu.nhin", "title": "x", "role": "approver"}
        await agree(world, old, await waits(world, hoa, "people.add", **fields))
        puppet = Caller("bu.nhin", hoa.permissions, "id", Role.APPROVER)
    else:
        assert third
        fields = {"name": "bu.nhin", "title": "x", "role": "approver"}
        await agree(world, hoa, await waits(world, third, "people.add", **fields))
        puppet = Caller("bu.nhin", hoa.permissions, "id", Role.APPROVER)
    lan = await world.call("people.add", name="la", title="x", role="teacher")
    with pytest.raises(Refusal) as asked:
        await world.call("people.set", hoa, id=lan["id"], role="approver")
    wish = asked.value.more["approval"]
    puppet = Caller(puppet.name, hoa.permissions, puppet.account, Role.APPROVER)
    shown = {i["id"]: i for i in (await world.call("approvals.list", puppet))["items"]}
    assert shown[wish]["rests"] is True
    with pytest.raises(Refusal, match="Within the last 24 hours"):
        await agree(world, puppet, wish)
    refused = {"id": wish, "approve": False, "reason": "không"}
    world.later(hours=25)
    shown = {i["id"]: i for i in (await world.call("approvals.list", puppet))["items"]}
    assert shown[wish]["rests"] is False
    await world.call("approvals.decide", puppet, **refused)


async def test_nobody_agrees_to_the_wishes_of_an_account_that_he_made(world: World) -> None:
    """Nor does one puppet agree to another's."""
    hoa = await world.person("hoa", Role.APPROVER)
    world.later(hours=48)
    rights = {role: (await world.person(f"mau.{role}", role)).permissions for role in Role}
    made = [("bu.nhin", Role.APPROVER), ("bu.nhin.2", Role.ADMINISTRATOR)]
    minh = await world.person("minh", Role.APPROVER)
    world.later(hours=48)
    for name, role in made:
        await agree(world, minh, await waits(world, hoa, "people.add", name=name, title="x",
                                             role=role.value))  # fmt: skip
    puppet, second = (Caller(name, rights[role], name, role) for name, role in made)
    tu = await world.call("people.add", name="tu", title="x", role="teacher")
    wish = await waits(world, second, "people.set", id=tu["id"], role="administrator")
    for who in (puppet, hoa, minh):
        with pytest.raises(Refusal, match="Within the last 24 hours"):
            await agree(world, who, wish)
    await agree(world, Caller("mau.approver", rights[Role.APPROVER], "m", Role.APPROVER), wish)


async def test_on_the_first_day_of_a_box_its_people_may_begin(world: World) -> None:
    lan = await world.person("lan", Role.ADMINISTRATOR)
    made = await world.call("people.add", lan, name="hoa", title="Hiệu trưởng", role="approver")
    hoa = Caller("hoa", (await world.person("xx", Role.APPROVER)).permissions, made["id"],
                 Role.APPROVER)  # fmt: skip
    tu = await world.call("people.add", lan, name="tu", title="x", role="teacher")
    await agree(world, hoa, await waits(world, lan, "people.set", id=tu["id"],
                                        role="administrator"))  # fmt: skip
