"""Every page of the office in both languages, on a phone and a desk, light and dark: axe finds
nothing, nothing is wider than the screen, and the pictures lie in tests/.out."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.looks import LOOKS, OUT, check, rules_of
from tests.e2e.office.conftest import Hub

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PAGES = (
    "/", "/communes/", "/schools/", "/schools/?silent=yes", "/schools/?gate=I1&month={month}",
    "/schools/VN-91-000000?month={month}", "/schools/VN-91-000007", "/compare/", "/report/",
    "/refusals/", "/publish/", "/awareness/", "/register/", "/audit/", "/people/", "/account/",
    "/public/",
)  # fmt: skip


@pytest.mark.parametrize(("language", "scheme", "width", "height"), LOOKS)
def test_every_page_of_the_office_is_accessible_and_fits(
    browser: Browser, hub: Hub, admin_state: dict[str, Any],
    language: str, scheme: str, width: int, height: int,
) -> None:  # fmt: skip
    OUT.mkdir(exist_ok=True)
    context = browser.new_context(
        storage_state=admin_state,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    context.add_cookies([{"name": "filterd_language", "value": language, "url": hub.url}])
    page = context.new_page()
    problems: list[str] = []
    for number, path in enumerate(PAGES):
        slug = path.strip("/").split("?")[0].replace("/", "-") or "start"
        name = f"office-{number:02d}-{slug}-{language}-{scheme}-{width}"
        url = hub.url + path.format(month=hub.month)
        problems += check(page, url, name, rules_of(language))
    context.close()
    assert not problems, "\n".join(problems)
