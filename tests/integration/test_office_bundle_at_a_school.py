"""What the office publishes acts at a running school: asked with dig, over HTTPS, both real."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from admin_ui.office import create_app, enrolment, publish, register
from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office, default_url, open_office
from filterd.evidence.bundle import Entry
from tests.lab.certificates import Authority
from tests.lab.office_school import entry
from tests.lab.running import ROOT, RunningFilterd, until

pytestmark = pytest.mark.timeout(240)
UPPER, STAFF = "127.0.13.1", "127.0.14.1"
"""Devices of the two tiers that may use shops."""
NAME = "bi-cam.example"
CATALOGUE = """sources:
  - id: office_extra
    title: {vi: "Danh sách của Sở", en: "The office's list"}
    category: phishing
    url: "%s"
    plain_http: true
"""


@dataclass
class Pair:
    office: Office
    school: RunningFilterd

    def dig(self, name: str, source: str) -> str:
        """The rcode that dig shows to a device at `source`."""
        asked = subprocess.run(
            ["dig", "+tries=1", "+time=5", "-b", source, "@127.0.0.1", "-p", str(self.school.port),
             name, "A"], capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        for word in ("NXDOMAIN", "NOERROR", "SERVFAIL", "REFUSED"):
            if f"status: {word}" in asked.stdout:
                return word
        return asked.stdout

    def bundle(self) -> dict[str, object]:
        return dict(self.school.control.call("evidence.status")["bundle"] or {})


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    (tmp_path / "office").mkdir()
    office = open_office(default_url(tmp_path / "office"), tmp_path / "office")
    accounts = Accounts(office)
    authority = Authority(tmp_path)
    tls = authority.issue("127.0.0.1", file="office")
    server = make_server(
        "127.0.0.1", 0, create_app(office, accounts), threaded=True,
        ssl_context=(str(tls.certificate), str(tls.key)),
    )  # fmt: skip
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings = {
        "office_every": "2s", "workers": 1, "policies": str(ROOT / "policies"),
        "catalogue": str(ROOT / "blocklists" / "catalogue.yaml"),
    }  # fmt: skip
    school = RunningFilterd(tmp_path, settings).start()
    try:
        register.load(office, [entry(1)], date(2026, 9, 1))
        code = enrolment.new_code(office, entry(1).id, "test")
        school.control.call(
            "evidence.enrol", url=f"https://127.0.0.1:{server.server_port}", code=code,
            ca=authority.file.read_text(),
        )  # fmt: skip
        yield Pair(office, school)
    finally:
        school.stop()
        server.shutdown()
        thread.join(5)
        server.server_close()
        accounts.close()
        office.engine.dispose()


@pytest.fixture
def mirror() -> Iterator[str]:
    """A web server with one list."""

    class Lists(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"".join(b"lua-dao-%d.example\n" % n for n in range(50))
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/list.txt"
    server.shutdown()
    server.server_close()


def test_a_published_name_floor_and_catalogue_act_at_a_running_school(
    pair: Pair, mirror: str
) -> None:
    """The office's interval is shortened; its default is five minutes, at most seven and a half."""
    shop = "shopping.canary.filterd.test"
    assert pair.dig(NAME, STAFF) != "NXDOMAIN"
    assert pair.dig(shop, UPPER) != "NXDOMAIN"

    publish.add(pair.office, Entry(NAME, "12/CV", "PA05", "2026-11-01", None), "test")
    publish.release(pair.office, "test", "a name")
    until(lambda: pair.dig(NAME, STAFF) == "NXDOMAIN", 60, "the published name blocked")
    assert pair.dig(f"www.{NAME}", UPPER) == "NXDOMAIN"
    until(lambda: pair.bundle()["version"] == 1, 60, "the version on the evidence page")
    assert pair.bundle()["expired"] is False
    assert pair.dig(shop, UPPER) != "NXDOMAIN"

    publish.set_floor(pair.office, ["shopping"])
    publish.set_catalogue(pair.office, CATALOGUE % mirror)
    publish.release(pair.office, "test", "floor and catalogue")
    until(lambda: pair.dig(shop, UPPER) == "NXDOMAIN", 60, "the raised floor")
    assert pair.dig(shop, STAFF) != "NXDOMAIN", "the pupils' floor is not the staff's"
    known = {each["id"] for each in pair.school.control.call("lists.status")["items"]}
    assert "office_extra" in known

    publish.remove(pair.office, NAME)
    publish.set_floor(pair.office, [])
    publish.release(pair.office, "test", "taken back")
    until(lambda: pair.dig(NAME, STAFF) != "NXDOMAIN", 60, "the name taken back")
    assert pair.dig(shop, UPPER) != "NXDOMAIN"
    # the evidence page is made anew every twenty seconds
    until(lambda: pair.bundle()["version"] == 3, 60, "the version on the evidence page")
