"""Schools, people, notes and documents whose names are scripts: the office's pages show text.

After the other stories: what is written here stays in the office that they share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.hostile import SCRIPTS, watched
from tests.e2e.office.conftest import Hub
from tests.e2e.office.test_office_screens import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
HEAD = "Mã trường;Tên trường;Mã xã;Xã/phường;Cấp học;Tỉnh\n"
SCHOOL = "VN-96-00000{}"


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def load_register(page: Page, hub: Hub, folder: Path) -> None:
    """Schools and communes with such names."""
    file = folder / "la.csv"
    file.write_text(HEAD + "".join(
        f"{SCHOOL.format(n)};{quoted(script)};Z00{n};{quoted(script)};THCS;{quoted(script)}\n"
        for n, script in enumerate(SCRIPTS)
    ), "utf-8")  # fmt: skip
    page.goto(hub.url + "/register/")
    page.set_input_files("#f-file", str(file))
    page.click("form[action='/register/load'] .button.main")
    assert f"{len(SCRIPTS)} " in page.inner_text("#flashes")


def fill_in(page: Page, hub: Hub) -> int:
    """The same text wherever somebody may write; how much of it was taken."""
    page.goto(hub.url + "/people/")
    token = page.locator("input[name=csrf_token]").first.get_attribute("value") or ""
    forms = [
        form
        for n, script in enumerate(SCRIPTS)
        for form in (
            ("/people/add", {"name": f"nguoi{n}", "title": script, "role": "inspector"}),
            (f"/schools/{SCHOOL.format(n)}/note", {"note": script}),
            ("/awareness/add", {"school": SCHOOL.format(n), "day": "2026-11-02", "grades": script,
                                "participants": "3", "title": script}),
            ("/publish/add", {"name": f"la{n}.example", "document": script, "issuer": script,
                              "issued": "2026-11-02"}),
        )
    ]  # fmt: skip
    answers = [
        page.request.post(hub.url + path, form={"csrf_token": token, **form},
                          headers={"Origin": hub.url}, max_redirects=0)
        for path, form in forms
    ]  # fmt: skip
    return sum(answer.status in (200, 302, 303) for answer in answers)


def test_every_page_of_the_office_shows_hostile_text_as_text(
    browser: Browser, hub: Hub, admin_state: dict[str, Any], tmp_path: Path
) -> None:
    complaints: list[str] = []
    seen = 0
    httpx.post(hub.url + "/api/v1/summaries", content=hub.forged.replace(b"summary", b"<svg>"))
    with watched(browser, complaints, admin_state) as context:
        page = context.new_page()
        load_register(page, hub, tmp_path)
        assert fill_in(page, hub) >= 3 * len(SCRIPTS)
        for path in (*PAGES, *(f"/schools/{SCHOOL.format(n)}" for n in range(3))):
            page.goto(hub.url + path.format(month=hub.month))
            seen += "alert(1)" in page.inner_text("body")
        for script in SCRIPTS:
            page.goto(f"{hub.url}/schools/?text={script}")
            page.goto(f"{hub.url}/sign-in/?next={script}")
        page.goto(hub.url + "/")
        page.evaluate("document.body.innerHTML += '<img src=x onerror=alert(1)>'")
        page.wait_for_timeout(300)
    policy = [each for each in complaints if "Content Security Policy" in each]
    assert policy and len(policy) == len(complaints), complaints
    assert all("script-src" in each for each in policy), "more than the one put in by hand"
    assert seen >= 6, "hardly any page shows what was written: nothing was tried"
