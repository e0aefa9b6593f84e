"""Names, reasons, titles and notes that are scripts: pages show them as text and run nothing.

The browser reports each refusal of the content security policy; that it does is tried first.
"""

from __future__ import annotations

import contextlib
import socket

import pytest
from playwright.sync_api import Browser

from filterd.control.client import ControlError
from tests.e2e.console.conftest import School, add_person, sign_in
from tests.e2e.console.test_console_screens import CONSOLE, PORTAL
from tests.e2e.hostile import SCRIPTS, watched
from tests.lab.packets import query

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def ask_hostile_names(school: School) -> None:
    """Questions whose labels are scripts, from a source of every tier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", school.dns))
        for script in SCRIPTS:
            wire = query("label.games.canary.filterd.test")
            label = script.encode("ascii")
            sock.send(wire[:12] + bytes([len(label)]) + label + wire[18:])


def fill_in(school: School) -> int:
    """Hostile text wherever a person may write; how much of it was taken."""
    taken = 0
    for number, script in enumerate(SCRIPTS):
        wishes = (
            ("overrides.add", {"name": f"x{number}.example", "allow": False, "minutes": 60,
                               "reason": script}),
            ("people.add", {"name": f"nguoi{number}", "title": script, "role": "viewer"}),
            (
                "tickets.submit",
                {"type": "unblock", "name": "games.canary.filterd.test", "note": script,
                 "address": f"127.0.12.{number + 1}"},
            ),
            (
                "lists.local_set", {"category": "games", "text": f"# {script}\nown{number}.example",
                                 "reason": script}),
        )  # fmt: skip
        for method, fields in wishes:
            with contextlib.suppress(ControlError):
                school.control.call(method, **fields)
                taken += 1
    return taken


def test_the_browser_reports_what_the_policy_refuses(browser: Browser, school: School) -> None:
    complaints: list[str] = []
    with watched(browser, complaints) as context:
        page = context.new_page()
        page.goto(school.portal + "/")
        page.evaluate("document.body.innerHTML += '<img src=x onerror=alert(1)>'")
        page.wait_for_timeout(300)
    assert any("Content Security Policy" in each for each in complaints), complaints
    assert not [each for each in complaints if each.startswith("dialog")]


def test_every_page_shows_hostile_text_as_text(browser: Browser, school: School) -> None:
    ask_hostile_names(school)
    assert fill_in(school) >= 2 * len(SCRIPTS)
    password = add_person(school, "cungchay", "approver")
    complaints: list[str] = []
    seen = 0
    with watched(browser, complaints) as context:
        page = context.new_page()
        sign_in(page, school, "cungchay", password)
        for path in CONSOLE:
            page.goto(school.console + path)
            seen += "alert(1)" in page.inner_text("body")
        for script in SCRIPTS:
            page.goto(f"{school.console}/test/?name={script}")
            page.goto(f"{school.portal}/vi-sao?ten={script}")
        for path in PORTAL:
            page.goto(school.portal + path)
    assert not complaints, complaints
    assert seen >= 3, "hardly any page shows what was written: nothing was tried"
