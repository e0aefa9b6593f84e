"""The self-test against filters that are right, leak, are deaf, offline or blind to the tier."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from dnslib import DNSRecord

from filterd.evidence.selftest import checks, client, paths
from filterd.evidence.selftest.checks import Check, Kind, Want
from filterd.evidence.selftest.run import Result, Retry, run
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy
from tests.lab import tiny_filter
from tests.lab.evidence_school import METHOD, honest, shipped
from tests.lab.evidence_school import words as taxonomy_of_the_product
from tests.lab.tiny_filter import Answer, address, blocked, failed, plain

TRANSPORTS = {"udp": client.udp, "tcp": client.tcp}
ONCE = Retry(attempts=1)


@pytest.fixture(scope="module")
def words() -> Taxonomy:
    return taxonomy_of_the_product()


@pytest.fixture(scope="module")
def policy(words: Taxonomy) -> Policy:
    return shipped(words)


async def results(
    policy: Policy, words: Taxonomy, answer: Answer, only: Kind | None = None
) -> list[Result]:
    plan = [c for c in checks.plan(policy, words, METHOD, 0) if only in (None, c.kind)]
    async with tiny_filter.serve(answer) as server:
        lanes = paths.choose(policy, [server], [])
        return await run(plan, lanes, TRANSPORTS, ONCE)


async def test_a_right_filter_passes_everything(policy: Policy, words: Taxonomy) -> None:
    found = await results(policy, words, honest(policy, words))
    assert Counter(r.passed for r in found) == {True: len(found)}
    tiers = {r.check.tier for r in found if r.check.kind is Kind.BLOCK}
    assert tiers == {str(t.id) for t in policy.tiers} | {"unknown"}
    assert {(r.transport, r.check.qtype) for r in found if r.check.kind is Kind.BLOCK} == {
        (transport, qtype) for transport in TRANSPORTS for qtype in ("A", "AAAA", "HTTPS")
    }


async def test_every_tier_is_asked_from_inside_its_own_segment(policy: Policy) -> None:
    lanes = paths.choose(policy, [paths.Address("127.0.0.1", 5353)], [])
    sources = {tier: lane.source for tier, lane in lanes.items()}
    assert sources == {
        "preschool": "127.0.10.1",
        "primary": "127.0.11.1",
        "lower_secondary": "127.0.12.1",
        "upper_secondary": "127.0.13.1",
        "staff": "127.0.14.1",
        "unknown": "127.0.0.1",
    }


async def test_a_leak_of_one_type_over_one_transport_is_found(
    policy: Policy, words: Taxonomy
) -> None:
    good = honest(policy, words)

    def leaky(source: str, name: str, qtype: str, transport: str) -> DNSRecord | None:
        if (name, qtype, transport) == ("porn.canary.filterd.test", "HTTPS", "tcp"):
            return plain(HTTPS="1 . alpn=h2 ipv4hint=192.0.2.1")
        return good(source, name, qtype, transport)

    found = await results(policy, words, leaky, Kind.BLOCK)
    wrong = [r for r in found if r.passed is not True]
    assert {(r.check.subject, r.check.qtype, r.transport) for r in wrong} == {
        ("porn", "HTTPS", "tcp")
    }
    assert {r.check.tier for r in wrong} >= {"primary", "unknown"}


async def test_a_cloaked_canary_that_comes_through_is_found(
    policy: Policy, words: Taxonomy
) -> None:
    good = honest(policy, words)

    def blind(source: str, name: str, qtype: str, transport: str) -> DNSRecord | None:
        if name == "cloak-gambling.canary.filterd.test" and qtype == "A":
            return address("192.0.2.1")
        return good(source, name, qtype, transport)

    found = await results(policy, words, blind, Kind.BLOCK)
    assert {r.check.name for r in found if r.passed is False} == {
        "cloak-gambling.canary.filterd.test"
    }


async def test_a_filter_that_blocks_everything_fails_must_allow(
    policy: Policy, words: Taxonomy
) -> None:
    found = await results(policy, words, lambda *asked: blocked(), Kind.ALLOW)
    assert {r.passed for r in found if r.check.subject == "must_allow"} == {False}


async def test_a_filter_without_internet_still_shows_what_it_allows(
    policy: Policy, words: Taxonomy
) -> None:
    found = await results(policy, words, lambda *asked: failed(22), Kind.ALLOW)
    assert {r.passed for r in found if r.check.subject == "must_allow"} == {True}


async def test_safe_search_without_internet_is_not_seen_rather_than_passed(
    policy: Policy, words: Taxonomy
) -> None:
    found = await results(policy, words, lambda *asked: failed(22), Kind.SAFE_SEARCH)
    assert {r.passed for r in found if r.check.want is Want.REWRITTEN} == {None}


async def test_a_filter_that_is_not_ready_fails(policy: Policy, words: Taxonomy) -> None:
    found = await results(policy, words, lambda *asked: failed(14))
    assert {r.passed for r in found} == {False}


async def test_a_refused_connection_is_a_failure_and_is_tried_again(policy: Policy) -> None:
    check = Check(Kind.BLOCK, "primary", "porn", "porn.canary.filterd.test", "A", Want.BLOCKED)
    async with tiny_filter.serve(lambda *asked: blocked()) as server:
        lanes = paths.choose(policy, [server], [])
    found = await run([check], lanes, TRANSPORTS, Retry(3, 0.01))
    assert [(r.passed, r.got, r.attempts) for r in found] == [(False, "refused", 3)] * 2


async def test_a_tier_that_cannot_be_reached_is_said_to_be_unmeasured(policy: Policy) -> None:
    check = Check(Kind.BLOCK, "primary", "porn", "porn.canary.filterd.test", "A", Want.BLOCKED)
    found = await run([check], {}, {"udp": client.udp}, ONCE)
    assert [(r.passed, r.got, r.attempts) for r in found] == [(None, "no_path", 0)]


def test_a_block_page_address_is_fine_but_the_canary_s_own_is_a_leak() -> None:
    from filterd.evidence.selftest import judge

    check = Check(Kind.BLOCK, "primary", "porn", "porn.canary.filterd.test", "A", Want.BLOCKED)
    sinkhole = judge.Reply("NOERROR", frozenset({15}), ("0.0.0.0",), (), ())
    assert judge.passed(check, sinkhole) is True
    assert judge.passed(check, replace(sinkhole, addresses=("192.0.2.1",))) is False
