"""One browser for all tests that look at pages: Playwright's loop can be started only once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.looks import CHROMIUM, SWITCHES


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium with a fresh profile."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor; every page error or refused resource fails the test."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, locale="vi-VN")
    made.set_default_timeout(15_000)
    complaints: list[str] = []
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    made.on("console", lambda message: complaints.append(message.text)
            if "Content Security Policy" in message.text else None)  # fmt: skip
    made.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield made
    made.close()
    assert not complaints, complaints


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
