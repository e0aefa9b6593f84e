"""The cache against a plain model, a scan of names, and its promise of octets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filterd.resolve.cache import Cache, Cached
from filterd.wire.records import Body


def answer(number: int, now: float = 0.0, lifetime: int = 100, octets: int = 60) -> Cached:
    label = str(number).encode()
    key = bytes([len(label)]) + label + b"\7example\0\0\1\0\1"
    body = Body(1, 0, 0, bytes(octets), (6,), octets)
    return Cached(key, 0, body, body, (), (), now, lifetime)


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 3000), st.integers(0, 50)),
    max_size=80,
)


@given(STEPS)
def test_it_never_holds_more_than_it_may_nor_anything_it_was_not_given(
    steps: list[tuple[bool, int, int, int]],
) -> None:
    cache = Cache(16_000, 10.0)
    model: dict[bytes, Cached] = {}
    now = 0.0
    for put, number, octets, wait in steps:
        now += wait
        made = answer(number, now, 30, octets)
        if put:
            cache.put(made)
            model[made.key] = made
        else:
            held = cache.get(made.key, now)
            assert held is None or held.cached is model[made.key]
            assert held is None or now < held.cached.expires + 10
        assert 0 <= cache.size <= 16_000
        everyone = [*cache._probation.values(), *cache._protected.values()]
        assert cache.size == sum(held.cached.size for held in everyone)
    assert cache.flush() == len(everyone) if steps else True
    assert cache.size == 0


def test_a_scan_of_random_names_does_not_push_out_what_is_used() -> None:
    cache = Cache(200 * answer(0).size, 0.0)
    used = [answer(number) for number in range(100)]
    for each in used:
        cache.put(each)
    for _ in range(3):
        for each in used:
            assert cache.get(each.key, 1.0)
    for number in range(1000, 101_000):
        cache.put(answer(number))
    kept = sum(cache.get(each.key, 2.0) is not None for each in used)
    assert kept >= 95


def test_flush_takes_a_name_and_what_is_below_it_and_nothing_else() -> None:
    cache = Cache(1 << 20, 0.0)
    bodies = Body(0, 0, 0, b"", (), 0)
    names = [b"\1a\7example\0", b"\7example\0", b"\1a\7xxample\0", b"\x09aaexample\0"]
    for name in names:
        cache.put(Cached(name + b"\0\1\0\1", 0, bodies, bodies, (), (), 0.0, 100))
    assert cache.flush(b"\7example\0") == 2
    assert cache.get(names[2] + b"\0\1\0\1", 1.0)
    assert cache.get(names[3] + b"\0\1\0\1", 1.0)


def test_a_failure_lasts_one_second_then_twice_as_long_up_to_thirty() -> None:
    cache = Cache(1 << 20, 0.0)
    failed = answer(1)
    lifetimes = [cache.fail(failed).lifetime for _ in range(8)]
    assert lifetimes == [1, 2, 4, 8, 16, 30, 30, 30]
    cache.put(failed)
    assert cache.failure(failed.key, 0.5) is None
    assert cache.fail(failed).lifetime == 1
