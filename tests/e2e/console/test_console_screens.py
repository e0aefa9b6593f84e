"""Every page in both languages, on a phone and a desk, light and dark: axe finds nothing, and the
pictures lie in tests/.out for people to look at."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.console.conftest import School, add_person, sign_in
from tests.e2e.console.lived_in import HELD, decisions, traffic
from tests.e2e.looks import LOOKS, OUT, check, rules_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
CONSOLE = (
    "/", "/tiers/?open=games", "/preview/", "/schedule/?tier=lower_secondary", "/now/",
    "/test/?name=youtube.com", "/tickets/", "/tickets/?state=closed", "/helplines/", "/approvals/",
    "/tickets/2", "/test/?name=phishing.canary.filterd.test", "/?period=month", f"/lists/{HELD}",
    "/lists/", "/lists/own_games", "/own-lists/", "/networks/", "/history/", "/history/1",
    "/evidence/", "/audit/", "/people/", "/account/", "/backup/", "/debug/", "/tokens/", "/setup/",
)  # fmt: skip
PORTAL = ("/", "/vi-sao?ten=games.canary.filterd.test", "/kiem-tra", "/yeu-cau", "/tro-giup",
          "/thong-bao")  # fmt: skip


@pytest.fixture(scope="module")
def head(browser: Browser, school: School) -> dict[str, Any]:
    """The signed-in state of somebody who may open every page, in a box that has been used."""
    traffic(school.folder / "var" / "filterd.db")
    decisions(school.control)
    context = browser.new_context()
    sign_in(context.new_page(), school, "screens", add_person(school, "screens", "approver"))
    state = dict(context.storage_state())
    context.close()
    return state


@pytest.mark.parametrize(("language", "scheme", "width", "height"), LOOKS)
def test_every_page_is_accessible_and_fits(
    browser: Browser, school: School, head: dict[str, Any],
    language: str, scheme: str, width: int, height: int,
) -> None:  # fmt: skip
    OUT.mkdir(exist_ok=True)
    context = browser.new_context(
        storage_state=head,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale="vi-VN" if language == "vi" else "en-GB",
    )
    for base in (school.console, school.portal):
        context.add_cookies([{"name": "filterd_language", "value": language, "url": base}])
    page = context.new_page()
    rules = rules_of(language)
    problems: list[str] = []
    led_away = school.portal.replace("127.0.0.1", "games.canary.filterd.test")
    context.add_cookies([{"name": "filterd_language", "value": language, "url": led_away}])
    for app, base, paths in (
        ("console", school.console, CONSOLE),
        ("portal", school.portal, PORTAL),
        ("blocked", led_away, ("/some/page",)),
    ):
        for path in paths:
            slug = re.sub(r"[^a-z0-9_]+", "-", path).strip("-") or "start"
            name = f"{app}-{slug}-{language}-{scheme}-{width}"
            problems += check(page, base + path, name, rules)
    context.close()
    assert not problems, "\n".join(problems)
