"""Which tier an address or a device gets: against the plainest possible search as oracle."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from filterd.clients.segments import Segments, packed
from filterd.policy.model import (
    CategoryId,
    Device,
    Identity,
    Policy,
    Segment,
    SegmentId,
    Tier,
    TierId,
    Title,
)

TITLE = Title("", "")


def tier(name: str, blocked: int, allow_only: bool = False) -> Tier:
    categories = frozenset(CategoryId(f"c{number}") for number in range(blocked))
    return Tier(TierId(name), TITLE, True, categories, allow_only=allow_only)


TIERS = (tier("staff", 1), tier("primary", 5), tier("young", 2, allow_only=True))
NETWORKS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
).map(lambda pair: ip_network(pair, strict=False))


def policy(segments: list[Segment], devices: tuple[Device, ...] = ()) -> Policy:
    return Policy(Identity(), "UTC", TIERS, tuple(segments), devices)


@given(st.lists(NETWORKS, max_size=12, unique=True), st.data())
def test_the_longest_prefix_wins_and_nobody_else(
    networks: list[object], data: st.DataObject
) -> None:
    segments = [
        Segment(SegmentId(str(number)), ip_network(str(network)), TierId("staff"))
        for number, network in enumerate(networks)
    ]
    inside = [ip_address(int(s.network.network_address)) for s in segments]
    address = data.draw(st.one_of(st.ip_addresses(), st.sampled_from(inside or [ip_address(1)])))
    holding = [s for s in segments if address in s.network]
    best = max(holding, key=lambda s: s.network.prefixlen, default=None)
    placed = Segments(policy(segments)).place(address.packed)
    assert placed.segment == (best.id if best else None)
    assert placed.known == (best is not None)
    assert placed.tier == ("staff" if best else "young")


def test_a_device_keeps_its_tier_wherever_it_is_and_the_segment_it_asks_from() -> None:
    room = Segment(SegmentId("room"), ip_network("10.0.0.0/24"), TierId("primary"))
    teacher = Device("aa:bb:cc:dd:ee:ff", TierId("staff"))
    token = Device("token-1", TierId("staff"))
    neighbours = {packed("10.0.0.9"): "aa:bb:cc:dd:ee:ff", packed("10.0.0.8"): "00:00:00:00:00:01"}
    places = Segments(policy([room], (teacher, token)), neighbours)
    assert places.place(packed("10.0.0.9")).tier == "staff"
    assert places.place(packed("10.0.0.9")).segment == "room"
    assert places.place(packed("10.0.0.8")).tier == "primary"
    assert places.place(packed("192.0.2.1"), "token-1").tier == "staff"
    assert places.place(packed("10.0.0.7"), "somebody else's token").tier == "primary"


def test_mapped_and_scoped_addresses_are_what_they_stand_for() -> None:
    assert packed("::ffff:192.0.2.1") == packed("192.0.2.1") == bytes([192, 0, 2, 1])
    assert packed("fe80::1%eth0") == ip_address("fe80::1").packed
