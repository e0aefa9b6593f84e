"""What a network may get over UDP, and how a client proves with a cookie that it is itself."""

from __future__ import annotations

import dns.edns
import dns.message
import dns.rcode
import pytest

from filterd.resolve.cookies import Cookies
from filterd.resolve.source import Limits
from filterd.wire import constants as c
from tests.lab.school import MAPPED, Bench, block, pupils_without

CLIENT = b"\x24\x64\xc4\xab\xcf\x10\xc9\x57"
NOON = 1_790_000_000
LAPTOP = MAPPED + bytes([10, 0, 11, 1])
SMALL = Limits(rate=0.001, burst=3)


def bench(limits: Limits = SMALL) -> Bench:
    made = Bench(pupils_without({"game.example": block()}), {}, limits)
    made.handler.placements._allowed = lambda address: True
    made.handler.cookies.seconds = NOON
    return made


def query(cookie: bytes | None = None) -> bytes:
    options = [] if cookie is None else [dns.edns.GenericOption(c.OPTION_COOKIE, cookie)]
    asked = dns.message.make_query("game.example", "A", use_edns=0, options=options)
    return asked.to_wire()


def answer(made: Bench, source: bytes, cookie: bytes | None = None) -> dns.message.Message | None:
    found = made.handler.try_answer(query(cookie), source, made.now(), made.via())
    return None if found is None else dns.message.from_wire(found)


def cookie_of(response: dns.message.Message | None) -> bytes:
    assert response is not None
    (found,) = [o.to_wire() for o in response.options if o.otype == c.OPTION_COOKIE]
    assert found is not None
    return found


def laptop(number: int) -> bytes:
    return LAPTOP[:15] + bytes([number])


def use_up(made: Bench) -> int:
    """Others of the /24 take what is left of its share; how many answers they got."""
    heard = [answer(made, laptop(number)) for number in range(101, 107) for _ in range(3)]
    return sum(each is not None and each.rcode() == c.NXDOMAIN for each in heard)


async def test_a_network_gets_what_four_of_its_addresses_may() -> None:
    made = bench()
    assert use_up(made) == 4 * 3
    heard = [answer(made, laptop(5)) for _ in range(2)]
    assert [each is None for each in heard].count(True) == 1
    assert all(each.flags & dns.flags.TC for each in heard if each is not None)
    next_door = answer(made, LAPTOP[:14] + b"\x0c\x01")
    assert next_door is not None and next_door.rcode() == c.NXDOMAIN
    over_tcp = made.handler.try_answer(query(), laptop(6), made.now(), made.via(transport=1))
    assert over_tcp is not None and over_tcp[3] & 15 == c.NXDOMAIN


async def test_an_ipv6_network_is_a_slash_56() -> None:
    made = bench()
    inside, outside = (bytes.fromhex(each) for each in ("fd00000000000100", "fd00000000000200"))
    for number in range(4):
        for _ in range(3):
            assert answer(made, inside[:7] + bytes([number]) + bytes(8)) is not None
    refused = [answer(made, inside[:7] + b"\xff" + bytes(8)) for _ in range(2)]
    assert refused.count(None) == 1
    assert not any(each.flags & ~0x8500 == 0 for each in refused if each is not None)
    given = answer(made, outside + bytes(8))
    assert given is not None and not given.flags & dns.flags.TC


async def test_who_has_proven_the_address_is_served_when_the_network_has_used_up_its_share() -> (
    None
):
    made = bench()
    proof = cookie_of(answer(made, laptop(7), CLIENT))
    use_up(made)
    for _ in range(2):
        given = answer(made, laptop(7), proof)
        assert given is not None and given.rcode() == c.NXDOMAIN
        assert cookie_of(given) == proof
    # its own share bounds it all the same
    heard = [answer(made, laptop(7), proof) for _ in range(2)]
    assert heard.count(None) == 1
    assert all(each.flags & dns.flags.TC for each in heard if each is not None)


async def test_beyond_the_share_a_cookie_is_asked_for_and_then_believed() -> None:
    made = bench()
    use_up(made)
    asked = [answer(made, laptop(8), CLIENT + b"\1" * 16) for _ in range(2)]
    assert asked.count(None) == 1
    (told,) = [each for each in asked if each is not None]
    assert told.rcode() == dns.rcode.BADCOOKIE
    given = answer(made, laptop(8), cookie_of(told))
    assert given is not None and given.rcode() == c.NXDOMAIN


async def test_a_wrong_cookie_gets_its_answer_and_a_right_cookie() -> None:
    made = bench(Limits())
    for wrong in (CLIENT, CLIENT + bytes(16), CLIENT + bytes(8), CLIENT + b"\1" * 32):
        given = answer(made, LAPTOP, wrong)
        assert given is not None and given.rcode() == c.NXDOMAIN
        right = cookie_of(given)
        assert right[:8] == CLIENT and right[8] == 1 and len(right) == 24
        assert cookie_of(answer(made, LAPTOP, right)) == right


@pytest.mark.parametrize(
    ("age", "believed", "kept"),
    [(0, True, True), (1799, True, True), (1801, True, False), (3601, False, False),
     (-299, True, False), (-301, False, False)],
)  # fmt: skip
async def test_a_cookie_is_believed_for_an_hour_and_renewed_after_half(
    age: int, believed: bool, kept: bool
) -> None:
    """RFC 9018 §4.3; one from the future is believed for five minutes and made anew."""
    made = bench()
    proof = cookie_of(answer(made, laptop(9), CLIENT))
    made.handler.cookies.seconds = NOON + age
    made.handler.placements._forget()
    use_up(made)
    given = answer(made, laptop(9), proof) or answer(made, laptop(9), proof)
    assert (given is not None and given.rcode() == c.NXDOMAIN) is believed
    assert (cookie_of(given) == proof) is kept


async def test_a_cookie_is_of_one_address_one_client_and_one_secret() -> None:
    made = bench(Limits())
    answer(made, LAPTOP)
    proof = cookie_of(answer(made, LAPTOP, CLIENT))
    source = made.handler.placements.find(LAPTOP, None, made.now())
    other = made.handler.placements.find(laptop(77), None, made.now())
    assert source is not None and other is not None
    assert made.handler.cookies.proven(source, proof)
    assert not made.handler.cookies.proven(other, proof)
    assert not made.handler.cookies.proven(source, b"x" + proof[1:])
    foreign = Cookies(b"another secret!!")
    foreign.seconds = NOON
    source.cookie = (0, b"")
    assert not foreign.proven(source, proof)
