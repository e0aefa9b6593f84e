"""The stories of an Education office in a real browser over a real `filterd office`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.office.conftest import Hub, sign_in
from tests.lab.office_school import Box

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
REGISTER = """Mã trường;Tên trường;Mã xã;Xã/phường;Cấp học;Tỉnh
VN-92-000001;Trường THCS Hòn Đất;Y001;Xã Hòn Đất;THCS;An Giang
VN-92-000002;Trường Mầm non Hoa Sen;Y001;Xã Hòn Đất;mầm non;An Giang
"""


@pytest.fixture
def admin(browser: Browser, admin_state: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(
        storage_state=admin_state,  # type: ignore[arg-type]
        viewport={"width": 1280, "height": 900},
        locale="vi-VN",
    )
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def rows(page: Page) -> list[str]:
    return page.locator("tbody tr").all_inner_texts()


def test_register_import_then_a_device_is_enrolled_with_a_one_time_code(
    admin: Page, hub: Hub, tmp_path: Path
) -> None:
    file = tmp_path / "danh-ba.csv"
    file.write_text(REGISTER, "utf-8")
    admin.goto(hub.url + "/register/")
    admin.set_input_files("#f-file", str(file))
    admin.click("form[action='/register/load'] .button.main")
    assert "2 " in admin.inner_text("#flashes")

    admin.goto(hub.url + "/schools/?text=hon+dat")
    assert "Trường THCS Hòn Đất" in rows(admin)[0]
    admin.click("text=Trường THCS Hòn Đất")
    assert "CHƯA TRIỂN KHAI" in admin.inner_text(".hero").upper()
    admin.click("form[action$='/code'] button")
    code = admin.inner_text("#flashes code")

    box = Box("VN-92-000001")
    asked = {"code": code, "public": box.key.public.hex()}
    assert httpx.post(hub.url + "/api/v1/enrol", json=asked).json() == {"school": box.school}
    assert httpx.post(hub.url + "/api/v1/enrol", json=asked).status_code == 403
    admin.reload()
    assert box.key.id in admin.inner_text("main")


def test_a_wrong_register_is_not_imported_and_every_mistake_is_shown(
    admin: Page, hub: Hub, tmp_path: Path
) -> None:
    file = tmp_path / "sai.csv"
    file.write_text(REGISTER + REGISTER.splitlines()[1] + "\nVN-92-000003;;Y001;;;\n", "utf-8")
    admin.goto(hub.url + "/register/")
    admin.set_input_files("#f-file", str(file))
    admin.click("form[action='/register/load'] .button.main")
    assert admin.locator(".note.bad li").count() >= 2


def test_from_the_province_to_the_commune_to_the_school(admin: Page, hub: Hub) -> None:
    admin.goto(f"{hub.url}/?month={hub.month}")
    admin.click(".tile:has-text('Xã số 0')")
    listed = rows(admin)
    assert all("Xã số 0" in each for each in listed)
    admin.click("text=Trường Tiểu học số 0")
    assert "CHƯA ĐẠT" in admin.inner_text(".hero").upper()
    assert "I1" in admin.inner_text(".hero")
    with admin.expect_response(re.compile(r"\.json$")) as answer:
        admin.click("text=JSON >> nth=0")
    assert json.loads(answer.value.body())["format"] == "filterd.signed/1"


def test_what_to_fix_first_leads_to_the_schools_held_back(admin: Page, hub: Hub) -> None:
    admin.goto(f"{hub.url}/?month={hub.month}")
    admin.click("a:has-text('I5 ·')")
    listed = rows(admin)
    assert len(listed) == 1
    assert "Trường Tiểu học số 1" in listed[0]


def test_silent_schools_are_named(admin: Page, hub: Hub) -> None:
    admin.goto(hub.url + "/schools/?silent=yes")
    found = admin.inner_text("tbody")
    assert "Trường Tiểu học số 2" in found
    assert "Trường Tiểu học số 3" not in found


def test_a_forged_summary_is_refused_and_shown(admin: Page, hub: Hub) -> None:
    answer = httpx.post(hub.url + "/api/v1/summaries", content=hub.forged)
    assert answer.status_code == 403
    admin.goto(hub.url + "/refusals/")
    assert "unknown_device" in admin.inner_text("tbody")


def test_a_name_is_published_at_once_and_stands_in_the_signed_file(admin: Page, hub: Hub) -> None:
    admin.goto(hub.url + "/publish/")
    admin.fill("[name=name]", "lua-dao.example")
    admin.fill("[name=document]", "123/QĐ")
    admin.fill("[name=issuer]", "Công an tỉnh")
    admin.fill("[name=issued]", "2026-11-20")
    admin.click("form[action='/publish/add'] .button.main")
    assert "lua-dao.example" in admin.inner_text("tbody >> nth=0")
    bundle = httpx.get(hub.url + "/bundle/bundle.json")
    body = json.loads(bundle.json()["body"])
    assert [each["name"] for each in body["authority"]] == ["lua-dao.example"]
    known = {"If-None-Match": bundle.headers["etag"]}
    assert httpx.get(hub.url + "/bundle/bundle.json", headers=known).status_code == 304


def test_the_annual_report_prints_and_is_noted_as_handed_in(
    admin: Page, hub: Hub, tmp_path: Path
) -> None:
    admin.goto(hub.url + "/report/")
    assert "UBND" in admin.inner_text("main")
    admin.click("form[action='/report/hand-in'] button >> nth=0")
    admin.wait_for_selector("#flashes .note.ok")
    admin.emulate_media(media="print")
    admin.locator("header.side").wait_for(state="hidden")
    cookies = {c["name"]: c["value"] for c in admin.context.cookies()}  # type: ignore[typeddict-item]
    pdf = httpx.get(hub.url + "/report/bao-cao.pdf", cookies=cookies, timeout=60)
    path = tmp_path / "bao-cao.pdf"
    path.write_bytes(pdf.content)
    text = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True, timeout=30
    ).stdout.decode()
    for words in ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "BÁO CÁO", "Nơi nhận", "GIÁM ĐỐC",
                  "Toàn bộ trường trong danh bạ", "Phạm vi và giới hạn"):  # fmt: skip
        assert words in text


def test_months_are_compared_and_lists_go_out_as_files(admin: Page, hub: Hub) -> None:
    admin.goto(hub.url + "/compare/")
    assert "Trường Tiểu học số 2" in admin.inner_text("main")  # it fell silent
    cookies = {c["name"]: c["value"] for c in admin.context.cookies()}  # type: ignore[typeddict-item]
    for form, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
        file = httpx.get(f"{hub.url}/schools/export.{form}", cookies=cookies, timeout=60)
        assert file.status_code == 200
        assert file.content.startswith(start)


def test_everybody_sees_the_province_and_no_school(page: Page, hub: Hub) -> None:
    page.goto(hub.url + "/public/")
    text = page.inner_text("main")
    assert "%" in text
    assert "Trường" not in text.replace("trường", "").replace("Lọc nội dung tại Trường", "")
    page.goto(hub.url + "/schools/")
    assert "/sign-in" in page.url


def test_a_commune_viewer_sees_one_commune(admin: Page, page: Page, hub: Hub) -> None:
    admin.goto(hub.url + "/people/")
    form = admin.locator("form[action='/people/add']")
    form.locator("[name=name]").fill("xa.motmot")
    form.locator("[name=title]").fill("Cán bộ xã số 1")
    form.locator("[name=role]").select_option("viewer")
    form.locator("[name=communes]").select_option("X001")
    form.locator(".button.main").click()
    password = admin.inner_text("#flashes code")
    sign_in(page, hub, "xa.motmot", password)
    page.goto(hub.url + "/schools/")
    assert all("Xã số 1" in each for each in rows(page))
    assert page.goto(hub.url + "/schools/VN-91-000001").status == 200  # type: ignore[union-attr]
    for hidden in ("/schools/VN-91-000000", "/schools/VN-91-000000/2026-10-01.json"):
        assert page.goto(hub.url + hidden).status == 404  # type: ignore[union-attr]
    for closed in ("/register/", "/people/", "/audit/"):
        assert page.goto(hub.url + closed).status == 403  # type: ignore[union-attr]


def test_what_was_done_stands_in_the_audit_log(admin: Page, hub: Hub) -> None:
    admin.goto(hub.url + "/audit/")
    text = admin.inner_text("main")
    for action in ("register.load", "publish.release", "report.hand_in"):
        assert action in text
