"""The first day of a box, in a browser: from the one-time password to a class of its own for a
network that the box has seen, asked over DNS by a device of that network."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from filterd.control.client import ControlClient
from tests.e2e.console.conftest import ROOT, School, sign_in, wait_for
from tests.e2e.looks import CHROMIUM
from tests.e2e.school_net import PYTHON, ended, school
from tests.lab.running import free_ports

ANSWERING = str(Path(__file__).parents[1] / "answering.py")
ISP, ROOM = "198.51.100.53", "10.0.11.0/24"
pytestmark = [
    pytest.mark.browser, pytest.mark.root, pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
    pytest.mark.skipif(not shutil.which("dig"), reason="dig (bind9-dnsutils) is not installed"),
]  # fmt: skip
Dig = Callable[[str], str]


@pytest.fixture
def first_day(tmp_path: Path) -> Iterator[tuple[School, Dig]]:
    """A filter on a gateway with three networks that nobody has named; its console out here."""
    config, log, port = tmp_path / "filterd.yaml", tmp_path / "run.log", free_ports(1)[0]
    config.write_text(
        f"state_dir: {tmp_path / 'var'}\nworkers: 1\nlisten: {{dns: ['10.0.11.1:53']}}\n"
        f"upstreams: ['udp://{ISP}']\nconsole: off\npolicies: {ROOT / 'policies'}\n"
        f"catalogue: {ROOT / 'blocklists' / 'catalogue.yaml'}\n",
        "utf-8",
    )
    socket = tmp_path / "var" / "run" / "control.sock"
    console = [sys.executable, "-m", "admin_ui.school", "--listen", f"127.0.0.1:{port}"]
    around = {**os.environ, "PYTHONPATH": str(ROOT), "FILTERD_CONTROL": str(socket)}
    with school() as net, contextlib.ExitStack() as stack:
        net.inside(net.internet, "ip", "addr", "add", f"{ISP}/32", "dev", "lo")
        upstream = net.start(net.internet, PYTHON, ANSWERING, ISP, "203.0.113.99",
                             str(tmp_path / "isp"), "53")  # fmt: skip
        box = net.start(net.gateway, PYTHON, "-m", "filterd", "run", "--config", str(config),
                        log=log)  # fmt: skip
        stack.enter_context(ended([upstream, box]))
        deadline = time.monotonic() + 90
        while not (found := re.search(r"^\s+admin\s+(\S+)$", log.read_text("utf-8"), re.M)):
            assert time.monotonic() < deadline and box.poll() is None, log.read_text("utf-8")
            time.sleep(0.1)
        pages = subprocess.Popen(console, env=around)
        stack.enter_context(ended([pages]))
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/sign-in/", pages, log)

        def dig(name: str) -> str:
            command = net.command(net.pupils[1], "dig", "+time=2", "+tries=2", "@10.0.11.1", name)
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            return "open" if "203.0.113.99" in done.stdout else "closed"

        yield School(53, url, "", ControlClient(socket), found[1], tmp_path), dig


def test_a_network_that_was_seen_gets_its_class(
    browser: Browser, first_day: tuple[School, Dig]
) -> None:
    box, dig = first_day
    assert dig("example.com") == "closed", "an unknown network gets the strictest tier"
    admin = browser.new_context(locale="vi-VN").new_page()
    sign_in(admin, box, "admin", box.password)
    admin.click("text=Bắt đầu cài đặt")
    admin.fill("[name=name]", "THCS Nguyễn Trãi")
    admin.click("li:has([name=name]) button")
    name_the_room(admin, box)
    assert "Nguyễn Trãi" not in admin.inner_text("header.side"), "only a draft yet"
    head_password = add_the_head(admin, box)
    admin.goto(box.console + "/preview/")
    told = admin.inner_text(".diff >> nth=0")
    assert "Phòng máy 3" in told and ROOM in told and "Trung học cơ sở" in told
    admin.fill("[name=reason]", "Cài đặt ngày đầu")
    admin.click("text=Gửi duyệt")
    admin.wait_for_selector("#flashes .note.ok")
    assert dig("example.com") == "closed", "a second person has not agreed"
    head = browser.new_context(locale="vi-VN").new_page()
    sign_in(head, box, "hieu.truong", head_password)
    head.goto(box.console + "/approvals/")
    head.fill("[name=reason]", "Đúng phòng máy 3")
    head.click("text=Đồng ý và áp dụng")
    head.wait_for_selector("#flashes .note.ok")
    began = time.monotonic()
    while dig("example.com") != "open":
        assert time.monotonic() - began < 10, head.inner_text("main")
    assert dig("porn.canary.filterd.test") == "closed"
    the_last_steps(admin, box)


def name_the_room(admin: Page, box: School) -> None:
    """The box has seen a device there, so its network waits for a name."""
    room = admin.locator("fieldset", has_text=ROOM)
    deadline = time.monotonic() + 30
    while not room.count():
        assert time.monotonic() < deadline, admin.inner_text("#networks")
        time.sleep(0.3)
        admin.goto(box.console + "/setup/")
    room.locator("input:not([type=hidden])").fill("Phòng máy 3")
    room.locator("select").select_option("lower_secondary")
    admin.click("#networks button")
    admin.wait_for_selector("#networks .badge >> text=Phòng máy 3")
    assert admin.locator("fieldset", has_text=ROOM).count() == 0


def add_the_head(admin: Page, box: School) -> str:
    """The first approver is made by the administrator, on the page."""
    admin.goto(box.console + "/people/")
    assert "Trường chưa có người duyệt" in admin.inner_text("main")
    form = admin.locator("section", has_text="Thêm người")
    form.locator("[name=name]").fill("hieu.truong")
    form.locator("[name=title]").fill("Thầy Hiệu trưởng")
    form.locator("[name=role]").select_option("approver")
    form.locator("button.main").click()
    return admin.inner_text("#flashes code").strip()


def the_last_steps(admin: Page, box: School) -> None:
    """Lists, the test of a name, done."""
    admin.goto(box.console + "/setup/")
    assert admin.locator(".steps > li.done").count() == 3
    admin.click("text=Xem kết quả của từng bậc")
    assert admin.locator("#result .grid .card").count() == 5
    assert admin.locator("#result .badge.bad").count() == 5
    admin.goto(box.console + "/setup/")
    admin.click("text=Hoàn tất cài đặt")
    admin.wait_for_selector("#state")
    assert "Nguyễn Trãi" in admin.inner_text("header.side")
    assert admin.locator("text=Bắt đầu cài đặt").count() == 0
