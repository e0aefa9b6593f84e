"""The real `filterd setup` on a box of its own: what it refuses and says, and what it sets going.

With a real `filterd office` behind a real TLS proxy, and real programs that hold port 53.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from admin_ui.office import enrolment, register
from admin_ui.office.database import Office, default_url, open_office
from admin_ui.office.tables import devices, summaries
from tests.e2e.school_net import PYTHON
from tests.e2e.setup_box import SetupBox
from tests.lab.certificates import Authority
from tests.lab.office_school import entry
from tests.lab.running import until

ANSWERS = """
school: {name: Trường thử}
interfaces: {internet: wan0, school: [lan0]}
segments: [{network: 10.0.10.0/24, tier: primary}]
upstreams: ["udp://127.0.0.1:9"]
console: "10.0.10.1:8053"
administrator: co.lan
"""
PROXY = """
daemon off; pid %(folder)s/nginx.pid; error_log %(folder)s/nginx.log; events {}
http {
  access_log off; client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2;
  fastcgi_temp_path %(folder)s/t3; uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
  server {
    listen 127.0.0.1:8443 ssl; ssl_certificate %(certificate)s; ssl_certificate_key %(key)s;
    location / { proxy_pass http://127.0.0.1:8066; proxy_set_header X-Forwarded-Proto https; }
  }
}
"""
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root"),
    pytest.mark.skipif(not shutil.which("nft"), reason="nftables is not installed"),
]


def started(folder: Path) -> SetupBox:
    made = SetupBox(folder)
    faked = (
        f"LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE={made.clock} FAKETIME_NO_CACHE=1 "
        "FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1"
    )
    made.clock.write_text("+0\n")
    made.start(faked if FAKETIME else "")
    return made


@pytest.fixture
def box(tmp_path: Path) -> Iterator[SetupBox]:
    made = started(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetupBox]:
    """A box on which every setup is refused before it writes."""
    made = started(tmp_path_factory.mktemp("untouched"))
    yield made
    made.stop()


def nothing_written(box: SetupBox) -> bool:
    return not (box.folder / "etc.upper/filterd").exists() and box.told() == []


HOLD = """
import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.bind((sys.argv[2], 53))
time.sleep(1000)
"""
"""Holds port 53 under the name of systemd-resolved's program (comm has 15 letters)."""


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root"), "port=0"),
        ((sys.executable, "-c", HOLD, "systemd-resolve", "127.0.0.53"), "DNSStubListener=no"),
    ],
    ids=["dnsmasq", "systemd-resolved"],
)
def test_whoever_holds_port_53_is_named_with_what_to_do(
    untouched: SetupBox, holder: tuple[str, ...], says: str
) -> None:
    box = untouched
    if shutil.which(holder[0]) is None:
        pytest.skip(f"{holder[0]} is not installed")
    running = box.beside(*holder)
    until(lambda: box.run("ss", "-lnu").stdout.count(":53 "), 20, "the rival")
    done = box.setup(ANSWERS)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert holder[0] in done.stderr or "systemd-resolve" in done.stderr
    assert nothing_written(box)
    running.terminate()
    running.wait(20)
    assert box.setup(ANSWERS, "--dry-run").stderr == ""


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("wan0", "eth7", 78, "this box has no interface `eth7`"),
        ("}]\n", "}, {network: 10.0.0.0/16, tier: staff}]\n", 78, "lies in 10.0.0.0/16 (staff)"),
    ],
)
def test_a_wrong_answer_stops_setup_before_it_writes(
    untouched: SetupBox, old: str, new: str, code: int, says: str
) -> None:
    box = untouched
    done = box.setup(ANSWERS.replace(old, new, 1))
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert nothing_written(box)


def test_without_nftables_setup_says_what_to_install(box: SetupBox) -> None:
    hidden = box.folder / "hidden"
    hidden.write_text("")
    for place in ("/usr/sbin/nft", "/sbin/nft"):
        box.run("mount", "--bind", hidden, place)  # a file that is no program
    done = box.setup(ANSWERS)
    assert done.returncode == 1 and "apt-get install nftables" in done.stderr, done.stderr
    assert nothing_written(box)


def test_a_full_disk_stops_setup_and_keeps_what_was_there(box: SetupBox) -> None:
    """Its third file does not fit: told, and no file is half there."""
    assert box.run("sh", "-c", "mkdir -p /etc/filterd && mount -t tmpfs -o size=8k f /etc/filterd "
                   "&& mkdir /etc/filterd/policies").returncode == 0  # fmt: skip
    done = box.setup(ANSWERS)
    assert done.returncode != 0 and "No space left" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and box.told() == []
    left = box.run("find", "/etc/filterd", "-type", "f", "-size", "0").stdout
    assert left == "" and "new" not in box.run("ls", "-A", "/etc/filterd").stdout


@pytest.fixture
def office(box: SetupBox) -> Iterator[Office]:
    """A real office with this school in its register, at https://127.0.0.1:8443."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx-light is not installed")
    folder = box.folder / "office"
    folder.mkdir()
    pair = Authority(folder).issue("127.0.0.1", days=30)
    proxy = folder / "nginx.conf"
    proxy.write_text(PROXY % {"folder": folder, "certificate": pair.certificate, "key": pair.key})
    here = open_office(default_url(folder), folder)
    register.load(here, [entry(1)], date(2026, 9, 1))
    box.beside(PYTHON, "-m", "filterd", "office", "--listen", "127.0.0.1:8066",
               "--state-dir", folder, "--behind", "127.0.0.1")  # fmt: skip
    box.beside("nginx", "-c", proxy)
    until(lambda: box.run("ss", "-lnt").stdout.count(":8066 "), 60, "the office")
    yield here
    here.engine.dispose()


def enrolled(box: SetupBox, office: Office) -> str:
    code = enrolment.new_code(office, entry(1).id, "test")
    ca = box.folder / "office/ca.pem"
    line = f'office: {{url: "https://127.0.0.1:8443", code: "{code}", ca: {ca}}}\n'
    done = box.setup(ANSWERS + line)
    assert done.returncode == 0, done.stdout + done.stderr
    return line


def test_setup_starts_the_filter_makes_the_administrator_and_enrols(
    box: SetupBox, office: Office
) -> None:
    line = enrolled(box, office)
    (device,) = office.rows(select(devices))
    assert (device["school"], device["state"]) == (entry(1).id, "active")
    told = box.told()
    closed = told.index("start filterd-firewall-closed.service")
    assert closed < told.index("restart filterd.socket filterd.service")
    asked = box.run("dig", "+short", "@10.0.10.1", "allowed.canary.filterd.test")
    assert asked.stdout == "192.0.2.1\n"
    again = box.setup(ANSWERS + line)  # the code is used up, and is not needed again
    assert again.returncode == 0 and "NEW" not in again.stdout, again.stdout + again.stderr
    assert len(office.rows(select(devices))) == 1


def test_an_office_that_refuses_leaves_the_school_filtered(box: SetupBox, office: Office) -> None:
    ca = box.folder / "office/ca.pem"
    line = f'office: {{url: "https://127.0.0.1:8443", code: "SAI-MA", ca: {ca}}}\n'
    done = box.setup(ANSWERS + line)
    assert done.returncode == 1 and "run setup again later" in done.stderr
    assert "co.lan" in done.stdout, "the administrator was made all the same"
    asked = box.run("dig", "+short", "@10.0.10.1", "allowed.canary.filterd.test")
    assert asked.stdout == "192.0.2.1\n"
    assert office.rows(select(devices)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(FAKETIME is None, reason="libfaketime (faketime) is not installed")
def test_the_days_summary_reaches_the_office(box: SetupBox, office: Office) -> None:
    """Enrolled yesterday; the day is closed, signed and sent in the first minutes of the next."""
    box.clock.write_text("-1d\n")
    enrolled(box, office)
    box.stop_filter()  # days are closed a minute and a half after a start, then every ten minutes
    box.clock.write_text("+0\n")
    box.run("systemctl", "restart", "filterd.socket", "filterd.service")
    until(lambda: office.rows(select(summaries)), 600, "yesterday's summary")
    (row,) = office.rows(select(summaries))
    assert row["school"] == entry(1).id
