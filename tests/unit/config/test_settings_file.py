"""`filterd.yaml`: defaults, every value of the contract, every mistake at once."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd import config
from filterd.config import Address
from filterd.errors import ConfigError


def written(tmp_path: Path, text: str) -> config.Settings:
    path = tmp_path / "filterd.yaml"
    path.write_text(text, "utf-8")
    return config.load(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, text)
    return [str(problem).replace(str(tmp_path) + "/", "") for problem in caught.value.problems]


def test_without_a_file_the_contract_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.load(None)
    assert settings.listen.dns == (Address("127.0.0.1", 5353), Address("::1", 5353))
    assert str(settings.console) == "127.0.0.1:8053"
    assert str(settings.portal) == "127.0.0.1:8054"
    assert str(settings.metrics) == "127.0.0.1:9153"
    assert settings.cache.stale == 3 * 86400
    assert settings.workers >= 1
    assert ip_network("192.168.0.0/16") in settings.allow_from


def test_every_setting_of_the_contract_is_read(tmp_path: Path) -> None:
    settings = written(
        tmp_path,
        """
state_dir: state
workers: 3
listen:
  dns: ["192.0.2.1:53", "[fe80::1%eth0]:53"]
  dot: ["0.0.0.0:853"]
  doh: ["0.0.0.0:443"]
  tls: {certificate: cert.pem, key: key.pem}
allow_from: ["10.0.0.0/8", "::1"]
upstreams: ["udp://127.0.0.1:5300", "tcp://9.9.9.9", "tls://9.9.9.9#dns.quad9.net",
            "https://dns.example/dns-query"]
upstream_strategy: fastest
conditional: {"school.lan": ["udp://10.0.0.1"]}
policies: p/
catalogue: b/catalogue.yaml
metrics: "127.0.0.1:1"
console: null
portal: "[::1]:80"
cache: {size_mib: 8, min_ttl: 5, max_ttl: 600, stale: 6h}
""",
    )
    assert settings.state_dir == tmp_path / "state"
    assert settings.control_socket == tmp_path / "state/run/control.sock"
    assert (settings.workers, settings.upstream_strategy) == (3, "fastest")
    assert settings.listen.dns[1] == Address("fe80::1%eth0", 53)
    assert settings.listen.tls.key == tmp_path / "key.pem"
    assert settings.conditional == (("school.lan", ("udp://10.0.0.1",)),)
    assert settings.console is None
    assert settings.cache.stale == 6 * 3600
    assert settings.for_worker()["cache"]["max_ttl"] == 600


def test_all_mistakes_are_told_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        'upsteams: ["udp://127.0.0.1"]\n'
        'listen:\n  dns: ["127.0.0.1", "::1:53"]\n  dott: []\n'
        "workers: many\nworkers: 2\n"
        "cache: {stale: soon}\n"
        "conditional: {x: [nonsense]}\n",
    )
    assert told[0] == "filterd.yaml:1: upsteams: is not a setting — did you mean `upstreams`?"
    assert told[1].startswith("filterd.yaml:3: listen.dns: `127.0.0.1` is not ADDRESS:PORT")
    assert told[2].startswith("filterd.yaml:3: listen.dns: `::1:53`: write an IPv6 address in br")
    assert told[3] == "filterd.yaml:4: listen.dott: is not a setting — did you mean `dot`?"
    assert told[4].startswith("filterd.yaml:5: workers: `many` is not a whole number")
    assert told[5] == "filterd.yaml:6: workers: is given twice"
    assert told[6].startswith("filterd.yaml:7: cache.stale: `soon`")
    assert told[7].startswith("filterd.yaml:8: conditional.x: `nonsense` is not an upstream")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is not YAML"),
        ("- a\n- b\n", "must be `key: value` pairs"),
        ("cache: {min_ttl: 100, max_ttl: 10}", "is larger than cache.max_ttl"),
        ('listen: {dot: ["127.0.0.1:853"]}', "needs `certificate` and `key`"),
        ("upstreams: udp://127.0.0.1", "must be a list"),
        ("state_dir:", "must be a path"),
    ],
)
def test_broken_files_are_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    assert says in problems(tmp_path, text)[0]


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "absent.yaml")


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_load_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "filterd.yaml"
    path.write_bytes(junk)
    try:
        config.load(path)
    except ConfigError as error:
        assert error.problems
