"""A school with IPv6 only: answers, settings, policy and rules hold no IPv4 by accident."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from filterd import config
from filterd.gateway import answers, enforce, firewall, written
from filterd.policy import document, taxonomy

ROOT = Path(__file__).parents[3]
SIX = """
interfaces: {internet: wan0, school: [lan0]}
segments:
  - {network: "fd00:10::/64", tier: primary}
  - {network: "2001:db8:20::/64", tier: staff}
upstreams: ["udp://[2001:db8::53]"]
firewall: {exempt: ["fd00:40::/64"]}
console: "[fd00:10::1]:8053"
pair: {listen: "[fd00:10::2]:8055", peer: "[fd00:10::3]:8055"}
"""


def test_a_school_without_ipv4(tmp_path: Path) -> None:
    given = answers.parse(SIX, "a")
    shipped = {p.name: p.read_text("utf-8") for p in (ROOT / "policies").glob("*.yaml")}
    files = {file.path.name: file.text for file in written.files(given, shipped)}
    place = tmp_path / "filterd.yaml"
    text = files["filterd.yaml"].replace("/usr/share/filterd/blocklists", f"{ROOT}/blocklists")
    place.write_text(text)
    settings = config.load(place)
    assert "2001:db8:20::/64" in map(str, settings.allow_from)
    assert settings.pair is not None and str(settings.pair.peer) == "[fd00:10::3]:8055"
    policies = {name: text for name, text in files.items() if name in shipped}
    policy = document.parse(policies, taxonomy.load(ROOT / "blocklists"))
    assert {str(s.network) for s in policy.segments} == {"fd00:10::/64", "2001:db8:20::/64"}
    rules = firewall.render(enforce.plan(settings))
    assert "fd00:40::/64" in rules
    done = subprocess.run(
        ["unshare", "--net", "nft", "-f", "-"], input=rules, capture_output=True, text=True,
        timeout=20, check=False,
    )  # fmt: skip
    if "not permitted" in done.stderr:
        pytest.skip("needs root")
    assert done.returncode == 0, done.stderr
