"""Setup: what a school may answer, what it is told when an answer is wrong, what gets written."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filterd import config
from filterd.cli import main
from filterd.errors import ConfigError
from filterd.gateway import answers, certificate, install, keepalived, questions, written
from filterd.gateway.interfaces import Interface
from filterd.policy import document, taxonomy

ROOT = Path(__file__).parents[3]
KEYS = [*sorted(answers._KEYS), "network", "tier", "names", "school"]
SCHOOL = """
school: {id: "79001", name: 'Trường THCS "Nguyễn Trãi"'}
interfaces: {internet: eth0, school: [eth1, eth1.20]}
segments:
  - {network: 10.0.10.0/24, tier: primary, title: "Phòng máy"}
  - {network: 10.0.20.0/24, tier: staff, title: "Giáo viên"}
  - {network: "fd00:10::/64", tier: primary}
upstreams: unbound
firewall: {exempt: [10.0.20.0/24]}
certificate: {names: [loc.truong.vn]}
console: "10.0.20.1:8053"
"""


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    file = tmp_path / "answers.yaml"
    file.write_text(SCHOOL)
    return file


def shipped() -> dict[str, str]:
    return {p.name: p.read_text() for p in (ROOT / "policies").glob("*.yaml")}


def test_eight_answers_become_a_whole_installation(answered: Path, tmp_path: Path) -> None:
    box = tmp_path / "box"
    assert main(["setup", "--answers", str(answered), "--root", str(box)]) == 0
    settings = config.load(box / "etc/filterd/filterd.yaml")
    assert settings.gateway.interfaces == ("eth1", "eth1.20")
    assert settings.upstreams == ("udp://127.0.0.1:5300",)
    assert settings.console is None
    policies = {p.name: p.read_text() for p in (box / "etc/filterd/policies").glob("*.yaml")}
    policy = document.parse(policies, taxonomy.load(ROOT / "blocklists"))
    assert policy.identity.name == 'Trường THCS "Nguyễn Trãi"'
    assert {(str(s.network), s.tier) for s in policy.segments} == {
        ("10.0.10.0/24", "primary"), ("10.0.20.0/24", "staff"), ("fd00:10::/64", "primary"),
    }  # fmt: skip
    assert (box / "etc/filterd/tls/key.pem").stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing(
    answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["setup", "--answers", str(answered), "--root", str(tmp_path / "box")]
    assert main(command) == 0
    before = {p: p.read_bytes() for p in (tmp_path / "box").rglob("*") if p.is_file()}
    capsys.readouterr()
    assert main(command) == 0
    assert {p: p.read_bytes() for p in (tmp_path / "box").rglob("*") if p.is_file()} == before
    out = capsys.readouterr().out
    assert "NEW" not in out and "CHANGED" not in out and "SAME" in out


def test_a_dry_run_writes_nothing_and_shows_the_difference(
    answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = tmp_path / "box"
    command = ["setup", "--answers", str(answered), "--root", str(box)]
    assert main([*command, "--dry-run"]) == 0 and not box.exists()
    assert main(command) == 0
    answered.write_text(SCHOOL.replace("upstreams: unbound", "upstreams: quad9"))
    assert main([*command, "--dry-run"]) == 0
    assert "+- tls://9.9.9.9#dns.quad9.net" in capsys.readouterr().out
    assert "5300" in (box / "etc/filterd/filterd.yaml").read_text()


def test_a_rival_on_port_53_is_named_with_what_to_do(
    answered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command = ["setup", "--answers", str(answered), "--root", str(tmp_path / "box"), "--dry-run"]
    for holder, told in (("dnsmasq (pid 8)", True), ("unbound (pid 9)", False), ("x", False)):
        monkeypatch.setattr("filterd.cli.setup.port_holder", lambda *_, h=holder: h)
        assert main(command) == 0
        assert ("port=0" in capsys.readouterr().err) is told


def test_what_the_school_edited_is_kept(answered: Path, tmp_path: Path) -> None:
    command = ["setup", "--answers", str(answered), "--root", str(tmp_path / "box")]
    assert main(command) == 0
    tier = tmp_path / "box/etc/filterd/policies/primary.yaml"
    tier.write_text(tier.read_text() + "# ours\n")
    assert main(command) == 0
    assert tier.read_text().endswith("# ours\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("interfaces: {school: [eth9], internet: eth0}", "no interface `eth9`"),
        ("interfaces: {school: [eth0], internet: eth0}", "cannot be the school's side"),
        ("interfaces: {school: ['$(reboot)']}", "is not the name of an interface"),
        ("segments: [{network: 10.0.10.1/24, tier: primary}]", "is not a network"),
        ("segments: [{network: 10.0.10.0/24, tier: pupils}]", "one of preschool, primary"),
        ("segments: [{network: 10.0.0.0/8, tier: staff}, {network: 10.0.1.0/24, tier: primary}]",
         "lies in 10.0.0.0/8"),
        ("segments: [{network: 10.0.1.0/24, tier: staff}, {network: 10.0.1.0/24, tier: primary}]",
         "given twice"),
        ("upstreams: opendns", "one of quad9"),
        ("certificate: {names: ['-x-']}", "is not a host name"),
        ("interfaces: {}", "the firewall needs the school's interfaces"),
        ("schol: {}", "is not a question of setup"),
        ("segments: 5", "must be a list"),
        ("{", "is not YAML"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        answers.parse(text, "answers.yaml", known=("eth0", "eth1"))
    assert says in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        answers.parse("segments: [{network: x, tier: y}]\nupstreams: z\n", "a")
    assert len(caught.value.problems) == 4


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS),
                      inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_document_is_answers_or_is_refused(value: object) -> None:
    try:
        found = answers.parse(yaml.safe_dump(value), "a")
    except ConfigError:
        return
    written.files(found, shipped())


def test_the_questions_give_what_the_answers_file_gives() -> None:
    here = (
        Interface("eth0", (), True),
        Interface("eth1", tuple(map(answers.ipaddress.ip_network, ["10.0.10.0/24"])), False),
    )
    given_answers = iter(
        ["Trường A", "", "", "huh", "primary", "quad9", "k", "", "", "https://so.example", "abc"]
    )
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(given_answers)

    found = answers.parse(yaml.safe_dump(questions.ask_all(here, ask, lambda _: None)), "a")
    assert (found.school_name, found.internet, found.interfaces) == ("Trường A", "eth0", ("eth1",))
    assert [(str(s.network), s.tier) for s in found.segments] == [("10.0.10.0/24", "primary")]
    assert not found.firewall and found.urls[0].startswith("tls://9.9.9.9")
    assert found.office == answers.Office("https://so.example", "abc")
    assert sum("/8 " in question for question in asked) == 7 and len(asked) == 11


def test_a_file_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "filterd.yaml"
    place.write_text("old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left"):
        install.put(place, "new", 0o644)
    assert place.read_text() == "old" and list(tmp_path.iterdir()) == [place]


def test_systemd_is_told_closed_first() -> None:
    told: list[str] = []
    found = answers.parse(SCHOOL, "a")
    changes = install.compare(written.files(found, shipped()), Path("/nonexistent"))
    install.start(found, changes, lambda command: told.append(" ".join(command)))
    closed = told.index("systemctl start filterd-firewall-closed.service")
    restarted = told.index("systemctl restart filterd.socket filterd.service")
    assert closed < restarted


def test_the_certificate_is_for_the_names_and_ends_in_time() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    made = certificate.make(("loc.truong.vn", "dns.truong.vn"), at)
    pem = made.certificate.encode()
    assert certificate.names_of(pem) == ("loc.truong.vn", "dns.truong.vn")
    assert (certificate.expires(pem) - at).days == certificate.DAYS - 1
    assert made.fingerprint.count(":") == 31


@pytest.mark.skipif(not shutil.which("unbound-checkconf"), reason="unbound is not installed")
def test_unbound_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "filterd.conf"
    file.write_text(written.unbound())
    done = subprocess.run(
        ["unbound-checkconf", file], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr


def pair(first: bool = True) -> keepalived.Pair:
    from ipaddress import ip_interface

    addresses = [ip_interface("10.0.10.53/24"), ip_interface("10.0.10.54/24")]
    return keepalived.Pair("eth1", addresses, first)


def test_each_box_is_master_of_one_address() -> None:
    first, second = keepalived.render(pair(True)), keepalived.render(pair(False))
    order = [[line.split()[1] for line in text.splitlines() if "priority" in line]
             for text in (first, second)]  # fmt: skip
    assert order == [["150", "100"], ["100", "150"]]
    assert "ip addr del 10.0.10.53/24 dev eth1" in keepalived.stop_drop_in(pair())


def test_setup_ha_prints_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["setup", "ha", "--interface", "eth1", "--address", "10.0.10.53/24", "--box", "2"]
    assert main(command) == 0
    assert "advert_int 0.1" in capsys.readouterr().out
    assert main([*command, "--address", "x"]) == 78
