"""Names, tokens and validity of the listeners' certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.errors import ConfigError
from filterd.listen.certificate import Certificate
from tests.lab.certificates import Authority


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    pair = Authority(tmp_path).issue("dns.school.example", "*.dns.school.example", "192.0.2.53")
    return Certificate(pair.certificate, pair.key)


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("dns.school.example", True),
        ("DNS.school.example", True),
        ("tablet.dns.school.example", True),
        ("a.tablet.dns.school.example", False),
        (".dns.school.example", False),
        ("school.example", False),
        ("192.0.2.53", True),
    ],
)
def test_what_it_covers(certificate: Certificate, name: str, covered: bool) -> None:
    assert certificate.covers(name) is covered


def test_nothing_before_or_after_its_time(certificate: Certificate) -> None:
    now = datetime.now(UTC)
    assert not certificate.covers("dns.school.example", now + timedelta(days=2))
    assert not certificate.covers("dns.school.example", now - timedelta(days=20))


@pytest.mark.parametrize(
    ("asked", "device"),
    [
        ("tablet7.dns.school.example", "tablet7"),
        ("Tablet7.DNS.school.example.", "tablet7"),
        ("dns.school.example", None),
        ("x.y.dns.school.example", None),
        ("_x.dns.school.example", None),
        ("other.example", None),
        (None, None),
        ("", None),
    ],
)
def test_tokens_in_server_names(
    certificate: Certificate, asked: str | None, device: str | None
) -> None:
    assert certificate.device(asked) == device


def test_a_pair_that_does_not_fit_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue("a.example", file="one"), authority.issue("b.example", file="two")
    with pytest.raises(ConfigError, match=r"listen\.tls"):
        Certificate(one.certificate, two.key)
    with pytest.raises(ConfigError, match=r"listen\.tls"):
        Certificate(tmp_path / "missing.pem", one.key)
