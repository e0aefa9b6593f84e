"""/metrics and /metrics/local: valid whatever was counted, nothing sensitive, nothing unbounded."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest

from filterd.metrics import layout
from filterd.metrics.collector import exposition
from filterd.metrics.endpoints import MetricsEndpoint
from filterd.metrics.reading import Kind, Reading, Sample, counter, gauge
from filterd.metrics.traffic import traffic

SENSITIVE = frozenset({"csam", "authority", "self_harm"})
TIERS = layout.STANDARD_TIERS


def counted() -> list[int]:
    """Every place holds another number, so that a wrong place shows."""
    return [place % 97 + 1 for place in range(layout.PLACES)]


def readings() -> list[Reading]:
    info = Reading("build", "Build", Kind.INFO, (Sample({"version": '1"\n\\'}, 1),), local=False)
    safe = gauge("policy_revision", "Revision", 7, local=False)
    return [info, safe, *traffic(counted(), TIERS, ("udp://9.9.9.9",), SENSITIVE)]


def check(text: bytes) -> None:
    """promtool reads it and has nothing to complain of."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    found = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    complaints = [line for line in found.stderr.decode().splitlines() if "error" in line.lower()]
    assert found.returncode in (0, 3) and not complaints, found.stderr.decode()


def test_the_exposition_is_valid() -> None:
    check(exposition(readings(), local=True))
    check(exposition(readings(), local=False))


def test_the_office_sees_no_traffic() -> None:
    text = exposition(readings(), local=False).decode()
    assert "filterd_policy_revision 7.0" in text
    for word in ("queries", "blocked", "duration", "upstream", "cache", "tier="):
        assert word not in text


def test_sensitive_categories_have_no_series_and_cannot_be_subtracted_out() -> None:
    places = [0] * layout.PLACES
    for category, value in (("csam", 5), ("self_harm", 3), ("porn", 2)):
        place = layout.blocked_place(1, layout.STANDARD_CATEGORIES.index(category))
        places[place] = value
    places[layout.blocked_place(1, layout.OTHER_CATEGORY)] = 40
    text = exposition(traffic(places, TIERS, (), SENSITIVE), local=True).decode()
    assert 'filterd_blocked_total{category="porn",tier="primary"} 2.0' in text
    assert 'filterd_blocked_total{category="other",tier="primary"} 48.0' in text
    assert not any(category in text for category in SENSITIVE)


def test_the_histogram_is_cumulative() -> None:
    places = [0] * layout.PLACES
    places[layout.DURATION_AT] = 3
    places[layout.DURATION_AT + len(layout.BUCKETS)] = 1
    text = exposition(traffic(places, TIERS, (), SENSITIVE), local=True).decode()
    assert 'filterd_query_duration_seconds_bucket{le="5e-05"} 3.0' in text
    assert 'filterd_query_duration_seconds_bucket{le="+Inf"} 4.0' in text
    assert "filterd_query_duration_seconds_count 4.0" in text


def test_an_unbounded_label_is_a_mistake() -> None:
    bad = Reading("x", "x", Kind.GAUGE, (Sample({"client": "10.0.0.1"}, 1),))
    with pytest.raises(ValueError, match="not bounded"):
        exposition([bad], local=True)


async def get(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_over_http() -> None:
    endpoint = MetricsEndpoint(lambda: [counter("x", "x", 1), *readings()], "secret")
    port = await endpoint.start("127.0.0.1", 0)
    ok = await get(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert ok.startswith(b"HTTP/1.1 200") and b"filterd_policy_revision" in ok
    local = await get(port, b"GET /metrics/local HTTP/1.1\r\n\r\n")
    assert b"filterd_queries_total" in local
    for request, status in (
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"\x00\xff nonsense\r\n\r\n", b"405"),
    ):
        assert (await get(port, request))[9:12] == status
    assert await get(port, b"GET /" + b"a" * 20000 + b"\r\n\r\n") == b""
    endpoint.stop()


@pytest.mark.parametrize(
    ("peer", "headers", "may"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("10.0.0.9", [], False),
        ("10.0.0.9", ["Authorization: Bearer wrong"], False),
        ("10.0.0.9", ["Host: x", "authorization: bearer secret"], True),
        ("10.0.0.9", ["X-Forwarded-For: 127.0.0.1"], False),
    ],
)
def test_traffic_needs_the_token_from_elsewhere(peer: str, headers: list[str], may: bool) -> None:
    assert MetricsEndpoint(lambda: [], "secret")._may_see(peer, headers) is may
