"""Hold-down, patience and suspicion of one upstream, with the time passed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.upstream.health import Health, State
from filterd.upstream.system import resolvers


def test_the_networks_no_is_believed_at_once() -> None:
    health = Health()
    assert health.failed(100.0, certain=True)
    assert (health.state, health.held_until) == (State.HELD, 102.0)


def test_silence_is_believed_the_third_time() -> None:
    health = Health()
    assert [health.failed(1.0, certain=False) for _ in range(3)] == [False, False, True]


def test_a_reply_in_between_starts_the_count_anew() -> None:
    health = Health()
    health.failed(1.0, certain=False)
    health.failed(1.0, certain=False)
    health.replied(0.01)
    assert not health.failed(1.0, certain=False)
    assert health.state is State.UP


def test_the_hold_doubles_to_a_minute_and_one_reply_ends_it() -> None:
    health = Health()
    health.failed(0.0, certain=True)
    holds = []
    for _ in range(7):
        holds.append(health.hold_seconds)
        health.probe_failed(0.0)
    assert holds == [2, 4, 8, 16, 32, 60, 60]
    health.replied(0.01)
    assert health.state is State.UP
    health.failed(0.0, certain=True)
    assert health.hold_seconds == 2


def test_failures_during_a_hold_do_not_prolong_it() -> None:
    health = Health()
    health.failed(0.0, certain=True)
    assert not health.failed(1.0, certain=True)
    assert health.held_until == 2.0


def test_patience_follows_the_replies_within_its_bounds() -> None:
    health = Health()
    assert health.patience(0.05, 0.4) == 0.25
    for _ in range(200):
        health.replied(0.1)
    assert health.patience(0.05, 0.4) == pytest.approx(0.1, abs=0.01)
    for _ in range(200):
        health.replied(0.001)
    assert health.patience(0.05, 0.4) == 0.05
    for _ in range(200):
        health.replied(3.0)
    assert health.patience(0.05, 0.4) == 0.4


def test_a_second_of_silence_while_others_answer_asks_for_a_probe() -> None:
    health = Health()
    assert [health.outrun(at, 0.001) for at in (5.0, 5.5, 5.9, 6.1)] == [False, False, False, True]
    assert not health.outrun(6.2, 0.001), "one probe a second is enough"


def test_clients_that_waited_a_second_in_all_ask_for_a_probe() -> None:
    health = Health()
    assert [health.outrun(1.0, 0.4) for _ in range(3)] == [False, False, True]
    assert health.suspect
    assert health.state is State.UP
    health.replied(0.01)
    assert not health.suspect


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (frozenset(), ("127.0.0.53", "192.0.2.7", "2001:db8::7")),
        (frozenset({("127.0.0.53", 53)}), ("192.0.2.7", "2001:db8::7")),
        (frozenset({("127.0.0.53", 5353)}), ("127.0.0.53", "192.0.2.7", "2001:db8::7")),
        (frozenset({("0.0.0.0", 53)}), ("192.0.2.7", "2001:db8::7")),
    ],
)
def test_resolv_conf_without_ourselves(
    tmp_path: Path, own: frozenset[tuple[str, int]], found: tuple[str, ...]
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# nameserver 10.9.9.9\nsearch school.lan\nnameserver 127.0.0.53\noptions edns0\n"
        "nameserver 192.0.2.7\nnameserver not-an-address\nnameserver 2001:db8::7\n"
        "nameserver 192.0.2.7\nnameserver\n"
    )
    assert resolvers(conf, own) == found
