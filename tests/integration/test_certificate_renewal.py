"""A certificate that comes by ACME, is renewed and ends, at a filter that is never restarted.

A real ACME server (pebble) and a real client (dehydrated) whose hook is the shipped one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.certificates import Authority, Pair
from tests.lab.running import ROOT, RunningFilterd, free_ports, until

NAME = "dns.truong.example"
HOOK = ROOT / "systemd/acme-deploy"
pytestmark = pytest.mark.timeout(180)


class Box(RunningFilterd):
    """A filter with DoT whose certificate lies where the hook puts it."""

    def __init__(self, folder: Path, first: Pair) -> None:
        self.tls = folder / "tls"
        self.tls.mkdir()
        self.dot = free_ports(1)[0]
        files = {"certificate": str(self.tls / "certificate.pem"), "key": str(self.tls / "key.pem")}
        listen = {"dot": [f"127.0.0.1:{self.dot}"], "tls": files}
        super().__init__(folder, {"workers": 1})
        self.settings["listen"] |= listen
        self.deploy(first)

    def deploy(self, pair: Pair) -> None:
        """As dehydrated calls the hook."""
        self.hook("deploy_cert", NAME, str(pair.key), "-", str(pair.certificate), "-", "0")

    def hook(self, *arguments: str, **more: str) -> None:
        environment = {**os.environ, "FILTERD_TLS": str(self.tls), **more}
        subprocess.run([HOOK, *arguments], env=environment, check=True, timeout=30)

    def shown(self) -> x509.Certificate:
        """The certificate that a device is shown now."""
        anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.dot), 10) as plain,
            anything.wrap_socket(plain, server_hostname=NAME) as session,
        ):
            der = session.getpeercert(True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def shows(self, pair: Pair) -> bool:
        pem = self.shown().public_bytes(Encoding.PEM)
        return pair.certificate.read_bytes().startswith(pem)

    def designated(self) -> bool:
        """Whether devices are told of the encrypted endpoints (RFC 9462)."""
        return bool(self.ask("_dns.resolver.arpa", rdtype="SVCB").answer)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, Authority(tmp_path).issue(NAME, file="first"))
    made.start()
    yield made
    made.stop()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_renewed_certificate_is_served_and_an_ended_one_is_not_recommended(
    box: Box, tmp_path: Path
) -> None:
    process = box.process
    authority = Authority(tmp_path)
    until(box.designated, 30, "the designation of the first certificate")
    second = authority.issue(NAME, file="second")
    box.deploy(second)
    until(lambda: box.shows(second), 30, "the renewed certificate")
    third = authority.issue(NAME, file="third")
    lineage = tmp_path / "live"
    lineage.mkdir()
    shutil.copy(third.certificate, lineage / "fullchain.pem")
    shutil.copy(third.key, lineage / "privkey.pem")
    box.hook(RENEWED_LINEAGE=str(lineage))  # as certbot calls it
    until(lambda: box.shows(third), 30, "certbot's certificate")
    with pytest.raises(subprocess.CalledProcessError):  # a key of another certificate
        box.deploy(Pair(second.certificate, third.key))
    assert box.shows(third) and box.designated()
    ended = authority.issue(NAME, file="ended", days=-1)
    box.hook(LEGO_CERT_PATH=str(ended.certificate), LEGO_CERT_KEY_PATH=str(ended.key))
    until(lambda: not box.designated(), 30, "the end of the designation")
    assert box.outcome("allowed.canary.filterd.test") == "NOERROR 192.0.2.1"
    command = [sys.executable, "-m", "filterd", "doctor", "--json", "--config", str(box.config)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    found = [each for each in json.loads(out) if each["check"] == "certificate"]
    assert found[0]["level"] == "fail" and "renew" in found[0]["advice"]
    box.deploy(second)
    until(box.designated, 30, "the designation again")
    assert box.process is process and process is not None and process.poll() is None


@contextlib.contextmanager
def acme(folder: Path) -> Iterator[dict[str, str]]:
    """An ACME server that believes every challenge; dehydrated's settings for it."""
    authority = Authority(folder)
    own = authority.issue("127.0.0.1", "localhost", file="acme")
    port, manage, http, tls = free_ports(4)
    config = {
        "pebble": {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{manage}",
            "certificate": str(own.certificate), "privateKey": str(own.key),
            "httpPort": http, "tlsPort": tls, "ocspResponderURL": "",
        }
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps(config))
    log = (folder / "pebble.log").open("wb")
    server = subprocess.Popen(
        ["pebble", "-config", str(folder / "pebble.json")], stdout=log, stderr=log,
        env={**os.environ, "PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_VA_NOSLEEP": "1",
             "PEBBLE_WFE_NONCEREJECT": "0"},
    )  # fmt: skip
    log.close()
    try:
        until(lambda: _open(port), 30, "pebble")
        yield {
            "CA": f"https://127.0.0.1:{port}/dir",
            "CURL_OPTS": f"--cacert {authority.file}",
            "CHALLENGETYPE": "http-01",
        }
    finally:
        server.terminate()
        server.wait(10)


def _open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("pebble", "dehydrated", "openssl")),
    reason="needs pebble, dehydrated and openssl",
)
def test_a_certificate_comes_from_an_acme_server(box: Box, tmp_path: Path) -> None:
    base = tmp_path / "acme"
    (base / "challenges").mkdir(parents=True)
    with acme(tmp_path) as settings:
        settings |= {"BASEDIR": str(base), "WELLKNOWN": str(base / "challenges"),
                     "HOOK": str(HOOK), "CONFIG_D": ""}  # fmt: skip
        lines = [f'{key}="{value}"\n' for key, value in settings.items()]
        (base / "config").write_text("".join(lines))
        command = ["dehydrated", "--config", str(base / "config")]
        environment = {**os.environ, "FILTERD_TLS": str(box.tls)}
        for more in (["--register", "--accept-terms"], ["--cron", "--domain", NAME]):
            done = subprocess.run(
                [*command, *more], env=environment, capture_output=True, text=True, timeout=90,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: "Pebble" in box.shown().issuer.rfc4514_string(), 30, "the ACME certificate")
    names = box.shown().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    until(box.designated, 30, "the designation")
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    query = dns.message.make_query("allowed.canary.filterd.test", "A")
    reply = dns.query.tls(query, "127.0.0.1", 10, box.dot, ssl_context=anything)
    assert str(reply.answer[0][0]) == "192.0.2.1"
