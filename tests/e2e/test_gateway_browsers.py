"""Real clients of encrypted DNS: Chromium, Firefox, and kdig as Android's Private DNS would ask.

Everything in one network namespace: the filter, a site at the allowed canary's address, browsers
set to "secure DNS only". A name that they can open was resolved by the filter, or by nobody.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.school_net import PYTHON, ended, run
from tests.lab.certificates import Authority
from tests.lab.running import RunningFilterd, until

NAME, TOKEN = "dns.truong.example", "may-tinh-co-lan"
SITE = "192.0.2.1"  # the answer of allowed.canary.filterd.test
OPEN, BLOCKED = "allowed.canary.filterd.test", "malware.canary.filterd.test"
URL = f"https://127.0.0.1/dns-query/{TOKEN}"
WORDS = "trang nay mo duoc"
SITE_CODE = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/html"); self.end_headers()
        self.wfile.write(b"<title>x</title><p>" + sys.argv[2].encode() + b"</p>")
    def log_message(self, *_):
        agent = self.headers.get("User-Agent", "")
        open(sys.argv[3], "a").write(self.headers.get("Host", "") + " " + agent + "\\n")
http.server.ThreadingHTTPServer((sys.argv[1], 80), Page).serve_forever()
"""
SILENT = {
    "network.trr.mode": 3,
    "network.trr.bootstrapAddr": "127.0.0.1",
    "network.trr.confirmationNS": "skip",
    "network.manage-offline-status": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "dom.security.https_first": False,
    "dom.security.https_only_mode": False,
}
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if not shutil.which(tool)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


class Place:
    """A namespace with the filter and the site; `name` enters it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"fb{os.getpid()}"
        self.authority = Authority(folder)
        self.log = folder / "site.log"
        pair = self.authority.issue(NAME, f"*.{NAME}", "127.0.0.1")
        tls = {"certificate": str(pair.certificate), "key": str(pair.key)}
        self.filter = RunningFilterd(folder, {"workers": 1})
        self.filter.settings["listen"] |= {
            "dot": ["127.0.0.1:853"], "doh": ["127.0.0.1:443"], "tls": tls,
        }  # fmt: skip
        self.filter.prefix = ("ip", "netns", "exec", self.name)

    def inside(self, *command: str, seconds: float = 90, **more: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command], capture_output=True, text=True,
            timeout=seconds, check=False, env={**os.environ, **more},
        )  # fmt: skip
        return done.stdout + done.stderr

    def build(self) -> None:
        run("ip", "netns", "add", self.name)
        for command in (
            "link set lo up", "link add d0 type veth peer name d1", "addr add 10.99.0.1/24 dev d0",
            f"addr add {SITE}/32 dev d0", "link set d0 up", "link set d1 up",
            "route add default via 10.99.0.2",
        ):  # fmt: skip
            run("ip", "-n", self.name, *command.split())

    def know(self) -> None:
        """The browsers' device is a teacher's, by its token: so only what is bad is refused."""
        edited = self.folder / "edited"
        filterd = (PYTHON, "-m", "filterd", "policy")
        ours = ("--config", str(self.filter.config))
        run(*filterd, "export", str(edited), *ours)
        school = edited / "school.yaml"
        text = re.sub(r"^devices:.*?(?=^\S)", "", school.read_text(), flags=re.M | re.S)
        school.write_text(f'{text}\ndevices: [{{token: "{TOKEN}", tier: staff}}]\n')
        run(*filterd, "apply", str(edited), *ours, timeout=60)

    def count(self, outcome: str) -> int:
        """Questions over DoH that came out so."""
        url = f"http://127.0.0.1:{self.filter.metrics}/metrics/local"
        code = f"import urllib.request as u; print(u.urlopen('{url}').read().decode())"
        text = self.inside(PYTHON, "-c", code)
        rows = re.findall(r"^filterd_queries_total\{(.*)\} (\S+)", text, re.M)
        return sum(int(float(n)) for labels, n in rows
                   if 'transport="doh"' in labels and f'outcome="{outcome}"' in labels)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("browsers"))
    made.build()
    try:
        made.filter.start()
        site = subprocess.Popen(
            ["ip", "netns", "exec", made.name, PYTHON, "-c", SITE_CODE, SITE, WORDS,
             str(made.log)],
        )  # fmt: skip
        with ended([site]):
            made.know()
            until(lambda: WORDS in made.inside(PYTHON, "-c", f"import urllib.request as u; "
                  f"print(u.urlopen('http://{SITE}/').read())"), 30, "the site")  # fmt: skip
            made.log.unlink()
            yield made
    finally:
        if made.filter.process is not None:
            made.filter.stop()
        run("ip", "netns", "del", made.name)


def trusting(place: Place, database: Path) -> None:
    """Put the school's authority into a browser's store of certificates."""
    database.mkdir(parents=True, exist_ok=True)
    where = ("-d", f"sql:{database}")
    subprocess.run(["certutil", "-N", *where, "--empty-password"], check=True, timeout=30)
    subprocess.run(["certutil", "-A", *where, "-n", "truong", "-t", "C,,", "-i",
                    str(place.authority.file)], check=True, timeout=30)  # fmt: skip


@pytest.mark.slow
@needs("chromium", "certutil")
def test_chromium_resolves_by_doh_alone(place: Place) -> None:
    home = place.folder / "chromium"
    trusting(place, home / ".pki/nssdb")
    profile = home / "profile"
    profile.mkdir()
    secure = {"mode": "secure", "templates": URL}
    (profile / "Local State").write_text(json.dumps({"dns_over_https": secure}))

    def opened(name: str) -> str:
        return place.inside(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={profile}", "--timeout=20000",
            "--dump-dom", f"http://{name}/", HOME=str(home),
        )  # fmt: skip

    blocked = place.count("blocked")
    assert WORDS in opened(OPEN)
    assert re.search(rf"^{OPEN} .*Chrome/", place.log.read_text(), re.M)
    assert WORDS not in opened(BLOCKED)
    assert place.count("blocked") > blocked


@pytest.mark.slow
@needs("firefox-esr", "certutil")
def test_firefox_resolves_by_doh_alone(place: Place) -> None:
    profile = place.folder / "firefox"
    trusting(place, profile)
    wishes = {**SILENT, "network.trr.uri": URL}
    lines = [f'user_pref("{key}", {json.dumps(value)});\n' for key, value in wishes.items()]
    (profile / "user.js").write_text("".join(lines))

    def visit(name: str, done: Callable[[], object]) -> None:
        browser = subprocess.Popen(
            ["ip", "netns", "exec", place.name, "firefox-esr", "--headless", "--no-remote",
             "--profile", str(profile), f"http://{name}/"],
            env={**os.environ, "HOME": str(place.folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with ended([browser]):
            until(done, 90, f"Firefox's question for {name}")

    log = place.log
    blocked = place.count("blocked")
    visit(OPEN, lambda: log.exists() and re.search(f"^{OPEN} .*Firefox/", log.read_text(), re.M))
    assert place.count("blocked") == blocked
    visit(BLOCKED, lambda: place.count("blocked") > blocked)
    assert BLOCKED not in log.read_text()


@needs("kdig")
def test_private_dns_of_android_as_kdig_asks(place: Place) -> None:
    """Strict TLS with a host name, once with a device's own name (SNI is the token)."""
    trust = (f"+tls-ca={place.authority.file}", "+timeout=5", "+retry=1")
    for hostname in (NAME, f"{TOKEN}.{NAME}"):
        out = place.inside("kdig", "@127.0.0.1", "+tls", f"+tls-hostname={hostname}",
                           f"+tls-sni={hostname}", *trust, OPEN)  # fmt: skip
        assert SITE in out and "TLS" in out, out
    wrong = place.inside("kdig", "@127.0.0.1", "+tls", "+tls-hostname=khac.example", *trust, OPEN)
    assert SITE not in wrong


@needs("kdig")
@pytest.mark.parametrize("way", ["+https", "+https-get"])
def test_kdig_over_https(place: Place, way: str) -> None:
    trust = (f"+tls-ca={place.authority.file}", f"+tls-hostname={NAME}", "+timeout=5", "+retry=1")
    common = ("kdig", "@127.0.0.1", way, *trust)
    out = place.inside(*common, OPEN)
    assert SITE in out and "HTTP/2" in out, out
    assert "NXDOMAIN" in place.inside(*common, BLOCKED)
    padded = place.inside(*common, "+padding", OPEN)
    assert "PADDING" in padded
