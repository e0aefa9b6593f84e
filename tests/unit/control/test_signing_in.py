"""Signing in as the console does it: one-time password, second factor, delays, ends."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest

from filterd.control.permissions import Permission, Role
from filterd.control.protocol import Refusal

PASSWORD = "mua thu la bay"


async def refused(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await awaitable
    return caught.value


async def start(world: Any, name: str, password: str, address: str = "10.0.0.5") -> Any:
    return await world.call("sessions.start", account=name, password=password, address=address)


async def enrolled(world: Any, name: str, role: str) -> tuple[str, str, list[str]]:
    """A person past the first visit: token, TOTP secret, recovery codes."""
    made = await world.call("people.add", name=name, title=name, role=role)
    first = await start(world, name, made["password"])
    token = (
        await world.call("people.password", first["token"], old=made["password"], new=PASSWORD)
    )["token"]
    begun = await world.call("people.totp_begin", token)
    done = await world.call(
        "people.totp_confirm", token, code=pyotp.TOTP(begun["secret"]).at(world.now)
    )
    return done["token"], begun["secret"], done["recovery_codes"]


async def test_the_first_visit_of_an_administrator_step_by_step(world: Any) -> None:
    made = await world.call("people.add", name="co.lan", title="Cô Lan", role="administrator")
    first = await start(world, "CO.LAN", made["password"])
    assert first["needs"] == "password"
    caller = await world.sign_in.identify(first["token"])
    assert caller.permissions == {Permission.SELF}
    changed = await world.call(
        "people.password", first["token"], old=made["password"], new=PASSWORD
    )
    assert (await refused(world.sign_in.identify(first["token"]))).code == "signed_out"
    assert (await world.call("sessions.whoami", changed["token"]))["needs"] == "enrol"
    begun = await world.call("people.totp_begin", changed["token"])
    assert begun["uri"].startswith("otpauth://totp/filterd:co.lan")
    code = pyotp.TOTP(begun["secret"]).at(world.now)
    done = await world.call("people.totp_confirm", changed["token"], code=code)
    assert len(set(done["recovery_codes"])) == 10
    who = await world.call("sessions.whoami", done["token"])
    assert who["needs"] is None
    assert "edit" in who["permissions"] and "approve" not in who["permissions"]


async def test_later_visits_need_a_fresh_code_once(world: Any) -> None:
    _, secret, recovery = await enrolled(world, "co.lan", "administrator")
    world.later(minutes=2)
    code = pyotp.TOTP(secret).at(world.now)
    first = await start(world, "co.lan", PASSWORD)
    assert first["needs"] == "totp"
    assert (await world.call("sessions.totp", first["token"], code=code))["needs"] is None
    again = await start(world, "co.lan", PASSWORD)
    assert (await refused(world.call("sessions.totp", again["token"], code=code))).code == "denied"
    assert (await world.call("sessions.totp", again["token"], code=recovery[0]))["needs"] is None
    third = await start(world, "co.lan", PASSWORD)
    spent = world.call("sessions.totp", third["token"], code=recovery[0])
    assert (await refused(spent)).code == "denied"


async def test_a_session_with_half_a_sign_in_cannot_replace_the_second_factor(world: Any) -> None:
    await enrolled(world, "co.lan", "administrator")
    world.later(minutes=2)
    half = await start(world, "co.lan", PASSWORD)
    assert (await refused(world.call("people.totp_begin", half["token"]))).code == "denied"


async def test_guessing_is_slowed_down_by_account_and_address(world: Any) -> None:
    made = await world.call("people.add", name="thay.minh", title="Thầy Minh", role="viewer")
    codes = []
    for _ in range(8):
        codes.append((await refused(start(world, "thay.minh", "wrong wrong"))).code)
    assert codes == ["denied"] * 3 + ["too_soon"] * 5
    refusal = await refused(start(world, "thay.minh", made["password"]))
    assert refusal.code == "too_soon" and refusal.more["retry_after"] >= 1
    elsewhere = await start(world, "thay.minh", made["password"], "10.0.0.99")
    assert elsewhere["needs"] == "password"
    world.later(seconds=3)
    assert (await start(world, "thay.minh", made["password"]))["token"]


async def test_guessing_from_many_addresses_is_bounded(world: Any) -> None:
    codes = [(await refused(start(world, f"u{i}", "x", f"10.1.0.{i}"))).code for i in range(25)]
    assert codes == ["denied"] * 20 + ["too_soon"] * 5


async def test_unknown_names_are_refused_like_known_ones(world: Any) -> None:
    assert str(await refused(start(world, "nobody", "x"))) == str(
        await refused(start(world, "nobody2", "x"))
    )


@pytest.mark.parametrize(
    ("step", "alive"),
    [
        ({"minutes": 29}, True),
        ({"minutes": 31}, False),
        ({"hours": 13}, False),
        ({"days": -365}, False),
        ({"minutes": -2}, True),
    ],
)
async def test_sessions_end_when_idle_old_or_the_clock_jumps(
    world: Any, step: dict[str, int], alive: bool
) -> None:
    made = await world.call("people.add", name="xem", title="", role="viewer")
    token = (await start(world, "xem", made["password"]))["token"]
    world.later(**step)
    if alive:
        await world.sign_in.identify(token)
    else:
        assert (await refused(world.sign_in.identify(token))).code == "signed_out"


async def test_use_keeps_a_session_alive_but_not_beyond_twelve_hours(world: Any) -> None:
    made = await world.call("people.add", name="xem", title="", role="viewer")
    token = (await start(world, "xem", made["password"]))["token"]
    for _ in range(28):
        world.later(minutes=25)
        await world.sign_in.identify(token)
    world.later(minutes=25)
    assert (await refused(world.sign_in.identify(token))).code == "signed_out"


async def test_locking_an_account_ends_its_sessions(world: Any) -> None:
    made = await world.call("people.add", name="xem", title="", role="viewer")
    token = (await start(world, "xem", made["password"]))["token"]
    await world.call("people.set", id=made["id"], locked=True)
    assert (await refused(world.sign_in.identify(token))).code == "signed_out"
    assert (await refused(start(world, "xem", made["password"]))).code == "denied"


async def test_an_administrator_cannot_make_himself_the_second_person(world: Any) -> None:
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    hoa = await world.person("thay.hoa", Role.APPROVER)
    add = world.call("people.add", lan, name="ghost", title="", role="approver")
    assert (await refused(add)).code == "denied"
    assert (await refused(world.call("people.reset", lan, id=hoa.account))).code == "denied"
    promote = world.call("people.set", lan, id=lan.account, role="approver")
    assert (await refused(promote)).code == "denied"


async def test_the_last_administrator_stays(world: Any) -> None:
    lan = await world.person("co.lan", Role.ADMINISTRATOR)
    remove = world.call("people.remove", lan, id=lan.account)
    assert (await refused(remove)).code == "conflict"


async def test_api_tokens_have_no_more_rights_than_named(world: Any) -> None:
    token, _, _ = await enrolled(world, "co.lan", "administrator")
    beyond = world.call("tokens.add", token, title="x", scopes=["approve"])
    assert (await refused(beyond)).code == "invalid"
    made = await world.call("tokens.add", token, title="màn hình", scopes=["view"])
    caller = await world.sign_in.identify(made["token"])
    assert caller.permissions == {Permission.VIEW}
    again = world.call("tokens.add", made["token"], title="child", scopes=["view"])
    assert (await refused(again)).code == "denied"
    await world.call("tokens.revoke", token, id=made["id"])
    assert (await refused(world.sign_in.identify(made["token"]))).code == "signed_out"


async def test_no_secret_stands_in_the_database(world: Any) -> None:
    token, secret, recovery = await enrolled(world, "co.lan", "administrator")
    await world.owner.stores.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = world.owner.stores.database.path.read_bytes()
    for text in (token, secret, PASSWORD, recovery[0], recovery[0].replace("-", "")):
        assert text.encode() not in stored
