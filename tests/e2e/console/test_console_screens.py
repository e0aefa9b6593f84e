"""Every page in both languages, on a phone and a desk, light and dark: axe finds nothing, and the
pictures lie in tests/.out for people to look at."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.e2e.console.conftest import OUT, School, add_person, sign_in
from tests.e2e.console.lived_in import HELD, decisions, traffic

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
CONSOLE = (
    "/", "/tiers/?open=games", "/preview/", "/schedule/?tier=lower_secondary", "/now/",
    "/test/?name=youtube.com", "/tickets/", "/tickets/?state=closed", "/helplines/", "/approvals/",
    "/tickets/2", "/test/?name=phishing.canary.filterd.test", "/?period=month", f"/lists/{HELD}",
    "/lists/", "/lists/own_games", "/own-lists/", "/networks/", "/history/", "/history/1",
    "/evidence/", "/audit/", "/people/", "/account/", "/backup/", "/debug/", "/tokens/", "/setup/",
)  # fmt: skip
PORTAL = ("/", "/vi-sao?ten=games.canary.filterd.test", "/kiem-tra", "/yeu-cau", "/tro-giup",
          "/thong-bao")  # fmt: skip
ALWAYS = (("vi", "light", 1280, 900), ("en", "dark", 390, 800))
LOOKS = [
    pytest.param(language, scheme, *size, marks=() if (language, scheme, *size) in ALWAYS
                 else pytest.mark.slow)
    for language in ("vi", "en")
    for scheme in ("light", "dark")
    for size in ((1280, 900), (390, 800))
]  # fmt: skip
COLOURS = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


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


def check(page: Page, url: str, name: str, rules: dict[str, Any]) -> list[str]:
    """Open, look, photograph: what axe finds, and whether the page is wider than the screen."""
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == (403 if "canary.filterd.test:" in url else 200), (url, answer.status)
    page.screenshot(path=OUT / f"{name}.png", full_page=True)
    found = Axe().run(page, options=rules).response["violations"]
    problems = [
        f"{url}: {each['id']}: {each['nodes'][0]['html'][:160]} ({len(each['nodes'])})"
        for each in found
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        problems.append(f"{url}: {wide} px wider than the screen")
    return problems


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
    # Colours are all that can differ between the looks; the second one is tried for them alone.
    rules = RULES if language == "vi" else {"runOnly": {"type": "rule", "values": COLOURS}}
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
