"""Tickets keep no one's identity and have a clock; weakening waits for a second person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from filterd.control.approvals import Wish, second_person
from filterd.control.permissions import Role
from filterd.control.protocol import Refusal
from filterd.control.tickets import due

WISH = Wish("policy.apply", {"base": 1}, "Mở trò chơi", "Open games", "giờ ra chơi")


async def refused(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await awaitable
    return caught.value


async def submit(world: Any, **fields: Any) -> Any:
    asked = {"type": "unblock", "name": "Khan Academy.org".replace(" ", ""), "note": "em cần học",
             "address": "10.11.0.7", **fields}  # fmt: skip
    return await world.call("tickets.submit", **asked)


async def test_from_the_portal_to_the_decision(world: Any) -> None:
    number = (await submit(world, note="em cần\x07 học\u202e bài"))["number"]
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    listed = await world.call("tickets.list", lan, state="open")
    assert listed["counts"] == {"open": 1}
    shown = await world.call("tickets.get", lan, id=number)
    assert (shown["name"], shown["tier"]) == ("khanacademy.org", "primary")
    assert shown["note"] == "em cần học bài"
    await world.call("tickets.decide", lan, id=number, decision="accepted", reason="trang học tập")
    closed = await world.call("tickets.get", lan, id=number)
    assert closed["note"] is None and closed["decision"] == "accepted"
    assert closed["history"][0]["author"] == "co.lan"
    again = world.call("tickets.decide", lan, id=number, decision="refused", reason="không")
    assert (await refused(again)).code == "conflict"


async def test_the_address_of_the_sender_is_nowhere(world: Any) -> None:
    await submit(world, address="10.99.88.77")
    await world.owner.stores.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"10.99.88.77" not in world.owner.stores.database.path.read_bytes()


async def test_one_address_cannot_flood_the_inbox(world: Any) -> None:
    for _ in range(5):
        await submit(world)
    assert (await refused(submit(world))).code == "too_soon"
    await submit(world, address="10.11.0.8")
    world.later(hours=1, seconds=1)
    await submit(world)


@pytest.mark.parametrize("name", ["", "a b", "x" * 300, "http://", "a..b"])
async def test_what_is_no_name_is_refused(world: Any, name: str) -> None:
    assert (await refused(submit(world, name=name))).code == "invalid"


@pytest.mark.parametrize(
    ("type", "opened", "until"),
    [
        ("harmful", datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("harmful", datetime(2026, 11, 27, 9, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)),
        ("unblock", datetime(2026, 11, 26, 9, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)),
    ],
)
def test_target_times_count_working_days(type: str, opened: datetime, until: datetime) -> None:
    assert due(type, opened) == until


async def test_a_ticket_that_waited_too_long_is_late(world: Any) -> None:
    await submit(world, type="harmful")
    world.later(days=2)
    assert (await world.call("tickets.list"))["items"][0]["late"] is True


async def test_weakening_waits_for_a_second_person_who_applies_it(world: Any) -> None:
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    hoa = await world.person("thay.hoa", Role.APPROVER)
    refusal = await refused(second_person(world.owner, lan, WISH))
    assert refusal.code == "needs_approval"
    [waiting] = (await world.call("approvals.list", lan, state="open"))["items"]
    assert waiting["id"] == refusal.more["approval"] and waiting["mine"]
    decided = await world.call(
        "approvals.decide", hoa, id=waiting["id"], approve=True, reason="đồng ý"
    )
    assert decided["result"] == {"revision": 7}
    assert world.applied == [({"base": 1}, "co.lan", "thay.hoa")]
    again = world.call("approvals.decide", hoa, id=waiting["id"], approve=True, reason="lần nữa")
    assert (await refused(again)).code == "conflict"
    assert len(world.applied) == 1


async def test_nobody_approves_his_own_wish(world: Any) -> None:
    hoa = await world.person("thay.hoa", Role.APPROVER)
    refusal = await refused(second_person(world.owner, hoa, WISH))
    own = world.call("approvals.decide", hoa, id=refusal.more["approval"], approve=True,
                     reason="của tôi")  # fmt: skip
    assert (await refused(own)).code == "denied"
    assert world.applied == []


async def test_an_old_wish_expires(world: Any) -> None:
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    hoa = await world.person("thay.hoa", Role.APPROVER)
    refusal = await refused(second_person(world.owner, lan, WISH))
    world.later(days=8)
    late = world.call("approvals.decide", hoa, id=refusal.more["approval"], approve=True,
                      reason="muộn")  # fmt: skip
    assert (await refused(late)).code == "conflict"
    assert (await world.call("approvals.list"))["items"][0]["state"] == "expired"


async def test_the_audit_chain_shows_a_changed_row(world: Any) -> None:
    for i in range(5):
        await world.person(f"u{i}", Role.VIEWER)
    assert (await world.call("audit.verify")) == {"ok": True, "checked": 5, "first_bad": None}
    database = world.owner.stores.database
    async with database.write() as transaction:
        await transaction.run("DROP TRIGGER audit_stays")
        await transaction.run("UPDATE audit SET actor = 'someone else' WHERE id = 3")
    assert (await world.call("audit.verify"))["first_bad"] == 3
    assert [e["id"] for e in (await world.call("audit.list", limit=2))["items"]] == [5, 4]


async def test_the_audit_log_refuses_change_and_deletion(world: Any) -> None:
    from filterd.errors import StorageError

    await world.person("xem", Role.VIEWER)
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(StorageError, match="never"):
            async with world.owner.stores.database.write() as transaction:
                await transaction.run(statement)


async def test_contacts_are_checked_and_shown_to_the_portal(world: Any) -> None:
    assert (await world.call("contacts.get"))["items"][0]["value"] == "111"
    bad = {"title": {"vi": "x"}, "value": "javascript:alert(1)", "kind": "link"}
    assert (await refused(world.call("contacts.set", items=[bad]))).code == "invalid"
    good = {"title": {"vi": "Cô Lan", "en": "Ms Lan"}, "value": "028 3823 4567", "kind": "phone"}
    await world.call("contacts.set", items=[good])
    assert (await world.call("contacts.get"))["items"][0]["title"]["vi"] == "Cô Lan"


async def test_drafts_belong_to_their_author(world: Any) -> None:
    lan, minh = [await world.person(n, Role.ADMINISTRATOR) for n in ("lan", "minh")]
    await world.call("drafts.set", lan, files={"school.yaml": "a"}, base=3)
    assert (await world.call("drafts.get", lan))["base"] == 3
    assert (await world.call("drafts.get", minh))["files"] is None
    await world.call("drafts.drop", lan)
    assert (await world.call("drafts.get", lan))["files"] is None
