"""Upstreams as they are written in the settings."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.upstream.endpoint import Scheme, parse

PIN = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("text", "scheme", "addresses", "port", "name", "path"),
    [
        ("udp://127.0.0.1:5300", Scheme.UDP, ("127.0.0.1",), 5300, "127.0.0.1", ""),
        ("192.0.2.1", Scheme.UDP, ("192.0.2.1",), 53, "192.0.2.1", ""),
        ("2001:db8::1", Scheme.UDP, ("2001:db8::1",), 53, "2001:db8::1", ""),
        ("tcp://[2001:db8::1]", Scheme.TCP, ("2001:db8::1",), 53, "2001:db8::1", ""),
        ("tls://9.9.9.9#dns.quad9.net", Scheme.TLS, ("9.9.9.9",), 853, "dns.quad9.net", ""),
        ("tls://dns.quad9.net:8853", Scheme.TLS, (), 8853, "dns.quad9.net", ""),
        ("https://dns.quad9.net", Scheme.HTTPS, (), 443, "dns.quad9.net", "/dns-query"),
        (
            "https://dns.quad9.net/dns-query#ip=9.9.9.9;ip=2620:fe::fe",
            Scheme.HTTPS,
            ("9.9.9.9", "2620:fe::fe"),
            443,
            "dns.quad9.net",
            "/dns-query",
        ),
        (f"tls://10.0.0.1#pin={PIN}", Scheme.TLS, ("10.0.0.1",), 853, "10.0.0.1", ""),
    ],
)
def test_forms(
    text: str, scheme: Scheme, addresses: tuple[str, ...], port: int, name: str, path: str
) -> None:
    got = parse(text)
    assert (got.scheme, got.addresses, got.port, got.name, got.path) == (
        scheme, addresses, port, name, path,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quic://1.1.1.1", "scheme must be one of"),
        ("udp://dns.example", "needs an IP address"),
        ("udp://1.1.1.1#name", "nothing else"),
        ("tls://1.1.1.1/path", "no path"),
        ("tls://dns.example#other.example", "already the host name"),
        ("tls://1.1.1.1#pin=short", "SHA-256"),
        ("https://dns.example#ip=nonsense", "neither"),
        ("https://user@dns.example/dns-query", "write it as"),
        ("tls://", "write it as"),
        ("", "write it as"),
        ("udp://1.1.1.1:99999", "range"),
        ("udp://1.1.1.1:0", "write it as"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)


def test_pins() -> None:
    assert parse(f"tls://10.0.0.1#dns.example;pin={PIN}").pins == (bytes(range(32)),)
    assert not parse(f"tls://10.0.0.1#pin={PIN}").named
    assert parse(f"tls://10.0.0.1#dns.example;pin={PIN}").named


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        endpoint = parse(text)
    except ValueError:
        return
    assert 0 < endpoint.port < 65536
