"""How a page is looked at: axe, its width, and a picture in tests/.out for people to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
OUT = Path(__file__).parents[1] / ".out"
SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP *.filterd.test 127.0.0.1",
]  # fmt: skip
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


def rules_of(language: str) -> dict[str, Any]:
    """Colours are all that can differ between the looks; the second is tried for them alone."""
    return RULES if language == "vi" else {"runOnly": {"type": "rule", "values": COLOURS}}


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
