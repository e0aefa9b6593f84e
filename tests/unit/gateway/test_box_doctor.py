"""Doctor on a gateway: a resolver handed out by DHCP, a rival on port 53, an old certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd import config
from filterd.cli import doctor, doctor_gateway
from filterd.cli.doctor import Level
from filterd.config import GatewaySettings, Listen, Settings, Tls
from filterd.gateway import box, certificate


@pytest.mark.parametrize(
    ("text", "handed"),
    [
        ("dhcp-option=6,8.8.8.8,10.0.10.1\n", ("8.8.8.8",)),
        ("dhcp-option=tag:lab,option:dns-server,1.1.1.1\n", ("1.1.1.1",)),
        ("dhcp-option=option6:dns-server,[2001:4860:4860::8888]\n", ("2001:4860:4860::8888",)),
        ("dhcp-option=6,10.0.10.1\nserver=8.8.8.8\n", ()),
        ("# dhcp-option=6,8.8.8.8\n", ()),
        ("dhcp-option=3,203.0.113.1\n", ()),
        ("option domain-name-servers 10.0.10.1, 9.9.9.9;\n", ("9.9.9.9",)),
        ('{"name": "domain-name-servers",\n "data": "8.8.4.4, 10.0.0.1"}\n', ("8.8.4.4",)),
        ('{"name": "dns-servers", "data": "2606:4700:4700::1111"}', ("2606:4700:4700::1111",)),
        ("RDNSS 2001:4860:4860::8844 {};\n", ("2001:4860:4860::8844",)),
        ("subnet 10.0.10.0 netmask 255.255.255.0 { option routers 10.0.10.1; }\n", ()),
    ],
)
def test_a_public_resolver_in_dhcp_is_found(text: str, handed: tuple[str, ...]) -> None:
    assert box.public_resolvers(text) == handed


@given(st.text())
def test_any_file_is_read(text: str) -> None:
    box.public_resolvers(text)


def test_dhcp_files_of_a_box_are_found(tmp_path: Path) -> None:
    (tmp_path / "etc/dnsmasq.d").mkdir(parents=True)
    (tmp_path / "etc/dnsmasq.d/school.conf").write_text("dhcp-option=6,8.8.8.8\n")
    (tmp_path / "etc/dnsmasq.conf").write_text("")
    assert [p.name for p in box.dhcp_files(tmp_path)] == ["dnsmasq.conf", "school.conf"]


def test_each_rival_on_port_53_gets_its_own_advice() -> None:
    assert "DNSStubListener=no" in box.advice("systemd-resolve (pid 412)")
    assert "port=0" in box.advice("dnsmasq (pid 812)")
    assert box.advice("python3 (pid 9)").startswith("stop python3")


@pytest.mark.parametrize(("days", "level"), [(397, Level.OK), (20, Level.WARN), (-1, Level.FAIL)])
def test_a_certificate_is_told_before_and_after_it_ends(
    tmp_path: Path, days: int, level: Level
) -> None:
    made = certificate.make(["x.test.vn"], datetime.now(UTC) - timedelta(days=396 - days))
    (tmp_path / "c.pem").write_text(made.certificate)
    settings = settings_with(listen=Listen(tls=Tls(tmp_path / "c.pem", tmp_path / "k.pem")))
    assert [finding.level for finding in doctor_gateway.tls(settings)] == [level]


def test_a_missing_interface_is_told() -> None:
    settings = settings_with(gateway=GatewaySettings(interfaces=("lo", "eth99")))
    found = list(doctor_gateway.interfaces(settings))
    assert [finding.level for finding in found] == [Level.OK, Level.FAIL]
    assert "eth99" in found[1].text


def test_a_box_without_firewall_is_told_so() -> None:
    (found,) = doctor_gateway.firewall(settings_with())
    assert found.level is Level.WARN and "other resolvers" in found.text


def test_doctor_runs_the_checks_of_the_gateway() -> None:
    assert set(doctor_gateway.CHECKS) <= set(doctor.all_checks())
    for check in doctor_gateway.CHECKS:
        for finding in doctor.examine(check, settings_with()):
            assert finding.text and "could not be examined" not in finding.text, finding


def settings_with(**changes: object) -> Settings:
    return replace(config.load(None), **changes)  # type: ignore[arg-type]
