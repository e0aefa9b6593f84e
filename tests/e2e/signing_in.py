"""How a person signs in at the console or at the office: the pages are the same."""

from __future__ import annotations

import pyotp
from playwright.sync_api import Page

from tests.lab.staff import PASSWORD


def first_steps(page: Page, url: str, secrets: dict[str, str], who: tuple[str, str]) -> None:
    """Name and password of `who`, then the steps of a first visit; the second factor's secret is
    noted under the name in `secrets`."""
    name, password = who
    page.goto(url + "/sign-in/")
    page.fill("[name=account]", name)
    page.fill("[name=password]", password)
    page.click("form .button.main")
    if page.url.endswith("/password"):
        page.fill("[name=old]", password)
        page.fill("[name=new]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.click("form .button.main")
    if page.url.endswith("/second-factor"):
        secrets[name] = page.inner_text(".steps code").strip()
        page.fill("[name=code]", pyotp.TOTP(secrets[name]).now())
        page.click("form .button.main")
        page.wait_for_selector(".codes")
        page.click("a.button.main")
