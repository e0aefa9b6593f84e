"""Settings that cannot work: exit 78 with the file, the key and what to do; nothing half started.

`filterd doctor` is the check before a start; `filterd run` refuses the same files and those that
only the box itself shows to be wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.cli import main
from tests.lab.certificates import Authority
from tests.lab.running import ROOT

NESTED = 600
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(c)}: &{chr(c)} [{','.join([f'*{chr(c - 1)}'] * 9)}]\n" for c in range(98, 108)
)
DOT = 'listen: {dot: ["127.0.0.1:8853"], tls: {certificate: %s, key: %s}}\n'
BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    # what is wrong: the file, the key that is named, what is said of it
    "a bracket that does not close": ("workers: [\n", "(file)", "is not YAML"),
    "a tab instead of spaces": ("listen:\n\tdns: []\n", "(file)", "cannot start any token"),
    "a byte order mark and a typing error": (b"\xef\xbb\xbfwrkers: 2\n", "wrkers", "`workers`"),
    "UTF-16 of Windows' editor": ("workers: 2\n".encode("utf-16"), "(file)", "save it as UTF-8"),
    "latin-1": (b"state_dir: v\xe0r\n", "(file)", "save it as UTF-8"),
    "a NUL after a crash": (b"workers: 2\n\0\0\0\0", "(file)", "not allowed"),
    "a list": ("- workers\n", "(file)", "must be `key: value` pairs"),
    "two documents": ("workers: 1\n---\nworkers: 2\n", "(file)", "another document"),
    "a key twice": ("workers: 1\nworkers: 2\n", "workers", "is given twice"),
    "a key twice further in": ("cache: {stale: 1h, stale: 2h}\n", "cache.stale", "given twice"),
    "a key that is a list": ("? [a, b]\n: 1\n", "(file)", "must be plain text"),
    "brackets without end": ("workers: " + "[" * NESTED, "(file)", "nested too deeply"),
    "maps in maps": ("cache: " + "{a: " * NESTED + "}" * NESTED, "(file)", "nested too deeply"),
    "a billion laughs": (LAUGHS, "a", "is not a setting"),
    "a list that holds itself": ("upstreams: &a [*a]\n", "upstreams", "must be a single value"),
    "a map that holds itself": ("conditional: &a {x: *a}\n", "conditional.x", "must be a list"),
    "an alias of nothing": ("workers: *a\n", "(file)", "undefined alias"),
    "an object of Python's": ("workers: !!python/object:os.x [1]\n", "workers", "single value"),
    "no worker": ("workers: 0\n", "workers", "whole number from 1 to 256"),
    "workers in words": ("workers: many\n", "workers", "whole number from 1 to 256"),
    "a raised figure": ("workers: ²\n", "workers", "whole number from 1 to 256"),
    "five thousand figures": ("workers: " + "9" * 5000, "workers", "whole number from 1 to 256"),
    "a listener without a port": ('listen: {dns: ["127.0.0.1"]}', "listen.dns", "ADDRESS:PORT"),
    "a port that cannot be": ('listen: {dns: ["127.0.0.1:70000"]}', "listen.dns", "ADDRESS:PORT"),
    "IPv6 without brackets": ('listen: {dns: ["::1:53"]}', "listen.dns", "in brackets"),
    "a name to listen on": ('listen: {dns: ["dns.lan:53"]}', "listen.dns", "not an IP address"),
    "nobody can ask": ("listen: {dns: []}", "listen", "nobody can ask"),
    "one address twice": ('listen: {dns: ["127.0.0.1:5999", "127.0.0.1:5999"]}', "listen.dns",
                          "taken by listen.dns"),
    "console and portal on one port": ("console: 127.0.0.1:6001\nportal: 127.0.0.1:6001\n",
                                       "portal", "taken by console"),
    "DoT without a certificate": ('listen: {dot: ["127.0.0.1:8853"]}', "listen.tls", "needs"),
    "a certificate that is not there": (DOT % ("no.pem", "no.key"), "listen.tls", "No such file"),
    "a certificate that is none": (DOT % ("filterd.yaml", "server.key"), "listen.tls", "(PEM)"),
    "the key of another certificate": (DOT % ("ca.pem", "server.key"), "listen.tls",
                                       "do not belong together"),
    "a network with host bits": ("allow_from: [10.0.0.1/8]", "allow_from", "host bits set"),
    "a network in words": ("allow_from: [school]", "allow_from", "is not a network"),
    "an upstream without a scheme": ("upstreams: [9.9.9.9]", "upstreams", "udp://IP"),
    "an upstream by name over UDP": ('upstreams: ["udp://dns.vn"]', "upstreams", "an IP address"),
    "an upstream's port": ('upstreams: ["udp://9.9.9.9:99999"]', "upstreams", "0-65535"),
    "a pin that is none": ('upstreams: ["tls://9.9.9.9#pin=xx"]', "upstreams", "44 characters"),
    "an unknown strategy": ("upstream_strategy: random", "upstream_strategy", "none of parallel"),
    "a zone that is no name": ('conditional: {"a..b": ["udp://10.0.0.1"]}', "conditional.a..b",
                               "is not a zone"),
    "a zone without servers": ("conditional: {school.lan: []}", "conditional.school.lan",
                               "names no server"),
    "a zone twice": ('conditional: {a.lan: ["udp://10.0.0.1"], A.lan.: ["udp://10.0.0.2"]}',
                     "conditional.A.lan.", "given twice"),
    "lifetimes the wrong way round": ("cache: {min_ttl: 9, max_ttl: 3}", "cache.min_ttl", "larger"),
    "a length of time in words": ("cache: {stale: soon}", "cache.stale", "length of time"),
    "an interface with a command": ("gateway: {interfaces: ['e; rm']}", "gateway.interfaces",
                                    "name of a network interface"),
    "half a pair of boxes": ("pair: {peer: '10.0.0.1:1'}", "pair", "needs listen, certificate"),
    "a path with a NUL": ('state_dir: "a\\0b"\n', "state_dir", "no setting may have"),
    "a path of half a character": ('state_dir: "a\\ud800b"\n', "state_dir", "no setting may have"),
}  # fmt: skip
ON_THIS_BOX = {
    "a state directory that is a file": ("state_dir: filterd.yaml\n", "state_dir", "File exists"),
    "a state directory nobody can make": ("state_dir: /proc/filterd\n", "state_dir", "cannot be"),
    "a path too long for a socket": (f"state_dir: {'x' * 120}\n", "state_dir", "shorten it"),
    "no policies": ("policies: nowhere\n", "policies", "holds no policy"),
    "no lists": ("catalogue: nowhere/catalogue.yaml\n", "taxonomy.yaml", "cannot be read"),
    "an interface that is not there": ('listen: {dns: ["[fe80::1%no0]:5999"]}\n', "listen.dns",
                                       "cannot be opened"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("settings")
    Authority(made).issue("dns.school.example")
    return made


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "filterd.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("wrong", BROKEN)
def test_the_check_names_file_key_and_remedy(
    folder: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, key, says = BROKEN[wrong]
    path = written(folder, text)
    assert main(["doctor", "--config", str(path)]) == 78
    told = capsys.readouterr().err
    first = next(line for line in told.splitlines() if f": {key}: " in line)
    assert first.startswith(f"{path}:") and says in told


def refused(folder: Path, text: str | bytes, key: str, says: str) -> None:
    """`filterd run` ends with 78 and these words."""
    path = written(folder, text)
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "run", "--config", str(path)],
        capture_output=True, text=True, timeout=60, cwd=folder, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 78, done.stdout + done.stderr
    assert key in done.stderr and says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "nothing was said to run"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", BROKEN)
def test_run_refuses_it_before_anything_exists(folder: Path, wrong: str) -> None:
    refused(folder, *BROKEN[wrong])
    assert not (folder / "var").exists()


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ON_THIS_BOX)
def test_run_refuses_what_only_this_box_shows(folder: Path, wrong: str) -> None:
    text, key, says = ON_THIS_BOX[wrong]
    ports = "" if "listen:" in text else 'listen: {dns: ["127.0.0.1:0"]}\n'
    refused(folder, f"{text}{ports}metrics: off\nconsole: off\nportal: off\n", key, says)
