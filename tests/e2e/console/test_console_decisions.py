"""Decisions of two people in a real browser, each with its outcome asked over DNS."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.console.conftest import School, add_person, sign_in
from tests.e2e.console.lived_in import GOES, HELD, STAYS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
LOWER, STAFF = "127.0.12.1", "127.0.14.1"
GAME = "www.roblox.com"


def person(browser: Browser, school: School, name: str, role: str) -> Page:
    """Somebody signed in, in a window of their own."""
    page = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(15_000)
    sign_in(page, school, name, add_person(school, name, role))
    return page


@pytest.fixture(scope="module")
def lan(browser: Browser, school: School) -> Iterator[Page]:
    page = person(browser, school, "co.lan.qt", "administrator")
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def hoa(browser: Browser, school: School) -> Iterator[Page]:
    page = person(browser, school, "thay.hoa.ht", "approver")
    yield page
    page.context.close()


def told(page: Page) -> str:
    """What the page says after a button."""
    page.wait_for_selector("#flashes .note")
    return page.inner_text("#flashes")


def agree(hoa: Page, school: School, about: str) -> str:
    """The second person finds the wish by its words and agrees; the words of its card."""
    hoa.goto(school.console + "/approvals/")
    card = hoa.locator("section.card", has_text=about).filter(has=hoa.locator("[name=reason]"))
    words = card.first.inner_text()
    card.first.locator("[name=reason]").fill("Đã xem, đồng ý")
    card.first.locator("text=Đồng ý và áp dụng").click()
    assert "Đã đồng ý" in told(hoa), told(hoa)
    return words


def test_a_shorter_list_waits_for_two_people(lan: Page, hoa: Page, school: School) -> None:
    for name in (STAYS, GOES):
        assert school.dig(name, LOWER) == "blocked"
    lan.goto(school.console + f"/lists/{HELD}")
    held = lan.inner_text("#quarantine")
    assert "−48" in held and GOES in held and "người thứ hai" in held
    lan.fill("#q-reason", "Nguồn đã dọn danh sách")
    lan.click("text=Cho áp dụng")
    assert "người thứ hai" in told(lan)
    assert school.dig(GOES, LOWER) == "blocked"
    words = agree(hoa, school, "Nhận bản cập nhật")
    assert "bớt 48 tên (60 → 12)" in words and GOES in words
    school.until(GOES, LOWER, "open", 10)
    assert school.dig(STAYS, LOWER) == "blocked"
    lan.goto(school.console + f"/lists/{HELD}")
    assert lan.locator("#quarantine").count() == 0
    row = lan.locator("tr", has_text="60")
    row.locator("[name=reason]").fill("Quay lại bản cũ")
    row.locator("button").click()
    assert "người thứ hai" in told(lan)
    agree(hoa, school, "Quay lại bản cũ")
    school.until(GOES, LOWER, "blocked", 10)


def test_turning_a_list_off_needs_two_people(lan: Page, hoa: Page, school: School) -> None:
    lan.goto(school.console + f"/lists/{HELD}")
    lan.fill("#e-reason", "Thử tắt")
    lan.click("button[name=enabled][value=no]")
    assert "người thứ hai" in told(lan)
    assert school.dig(STAYS, LOWER) == "blocked"
    agree(hoa, school, "Tắt danh sách")
    school.until(STAYS, LOWER, "open", 10)
    lan.goto(school.console + f"/lists/{HELD}")
    lan.fill("#e-reason", "Bật lại")
    lan.click("button[name=enabled][value=yes]")
    told(lan)
    school.until(STAYS, LOWER, "blocked", 10)


def test_own_names_act_at_once_and_are_taken_away_by_two(
    lan: Page, hoa: Page, school: School
) -> None:
    lan.goto(school.console + "/own-lists/?category=games")
    lan.fill("[name=names]", "mot.game.example\nhai.game.example")
    lan.fill("#o-reason", "Trường quyết định")
    lan.click("form:has([name=names]) .button.main")
    told(lan)
    school.until("hai.game.example", LOWER, "blocked", 3)
    lan.goto(school.console + "/own-lists/?category=games")
    lan.fill("[name=names]", "mot.game.example")
    lan.fill("#o-reason", "Ghi nhầm một tên")
    lan.click("form:has([name=names]) .button.main")
    assert "người thứ hai" in told(lan)
    assert school.dig("hai.game.example", LOWER) == "blocked"
    assert "Bỏ dòng hai.game.example" in agree(hoa, school, "Danh sách của trường")
    school.until("hai.game.example", LOWER, "open", 3)
    assert school.dig("mot.game.example", LOWER) == "blocked"


def test_a_wrongly_listed_floor_name_is_excepted_by_two(
    lan: Page, hoa: Page, school: School
) -> None:
    school.control.call("lists.local_set", category="phishing", text="nham.example", reason="báo")
    school.until("nham.example", STAFF, "blocked", 3)
    lan.goto(school.console + "/test/?name=nham.example")
    form = lan.locator("#exception")
    form.locator("[value=staff]").check()
    form.locator("[name=reason]").fill("Trang của nhà cung cấp, bị liệt kê nhầm")
    form.locator("button").click()
    assert "người thứ hai" in told(lan)
    assert school.dig("nham.example", STAFF) == "blocked"
    agree(hoa, school, "Ngoại lệ mức sàn")
    school.until("nham.example", STAFF, "open", 3)
    assert school.dig("nham.example", LOWER) == "blocked"
    lan.goto(school.console + "/test/?name=csam.canary.filterd.test")
    assert lan.locator("#exception").count() == 0


def test_a_pause_is_for_staff_shown_on_every_page_and_ended(
    lan: Page, hoa: Page, school: School
) -> None:
    school.control.call("lists.local_set", category="porn", text="nguoilon.example", reason="thử")
    school.until("nguoilon.example", STAFF, "blocked", 3)
    lan.goto(school.console + "/")
    lan.click("text=Tạm dừng lọc (khi khẩn cấp)")
    lan.fill("[name=minutes]", "5")
    lan.locator("form:has([name=minutes]) [name=reason]").fill("Hệ thống thi của Sở không vào được")
    lan.click("text=Xin tạm dừng")
    assert "người thứ hai" in told(lan)
    assert school.dig("nguoilon.example", STAFF) == "blocked"
    agree(hoa, school, "Tạm dừng lọc")
    school.until("nguoilon.example", STAFF, "open", 3)
    assert school.dig("nguoilon.example", LOWER) == "blocked", "never for pupils"
    lan.goto(school.console + "/")
    assert "Bộ lọc đang tạm dừng" in lan.inner_text("#state") or "tạm dừng" in lan.inner_text(
        "#state"
    )
    lan.goto(school.console + "/tiers/")
    assert "tạm dừng" in lan.inner_text("main .note.warn >> nth=0")
    lan.goto(school.console + "/")
    lan.click("text=Bật lọc ngay")
    told(lan)
    school.until("nguoilon.example", STAFF, "blocked", 3)


def test_the_debug_view_needs_two_shows_a_banner_and_forgets(
    lan: Page, hoa: Page, school: School
) -> None:
    lan.goto(school.console + "/debug/")
    lan.fill("[name=minutes]", "5")
    lan.fill("[name=reason]", "Phòng 3 báo không vào được mạng")
    lan.click("form:has([name=minutes]) .button.main")
    assert "người thứ hai" in told(lan)
    agree(hoa, school, "Xem truy vấn trực tiếp")
    hoa.goto(school.console + "/tiers/")
    assert "Chế độ xem để dò lỗi đang bật đến" in hoa.inner_text("main")
    school.dig("chi-de-do-loi.example", LOWER)
    deadline = time.monotonic() + 20
    lan.goto(school.console + "/debug/")
    while "chi-de-do-loi.example" not in lan.inner_text("main"):
        assert time.monotonic() < deadline, lan.inner_text("main")
        lan.wait_for_timeout(500)
        lan.goto(school.console + "/debug/")
    state = lan.inner_text("main .note.warn >> nth=1")
    assert "Phòng 3" in state and "co.lan.qt" in state and "thay.hoa.ht" in state
    assert LOWER in lan.inner_text("#tail")
    lan.click("text=Kết thúc ngay")
    told(lan)
    lan.goto(school.console + "/debug/")
    assert "chi-de-do-loi.example" not in lan.content()
    audit = school.control.call("audit.list", limit=50)["items"]
    assert {item["action"] for item in audit} >= {"tail.start", "tail.stop"}
    assert not any("chi-de-do-loi" in str(item) for item in audit)


def test_a_backup_shows_its_difference_and_is_restored_by_two(
    lan: Page, hoa: Page, school: School, tmp_path: Path
) -> None:
    lan.goto(school.console + "/backup/")
    lan.fill("#b-make", "mot mat khau that dai")
    with lan.expect_download() as download:
        lan.click("text=Tạo và tải xuống")
    kept = tmp_path / "truong.backup"
    download.value.save_as(kept)
    assert kept.read_bytes().startswith(b"filterd backup 1\n") and b"school.yaml" not in (
        kept.read_bytes()
    )
    school.control.call(
        "overrides.add", name="sau-luu.example", allow=False, tiers=["staff"], reason="sau sao lưu"
    )
    school.until("sau-luu.example", STAFF, "blocked", 3)
    lan.goto(school.console + "/backup/")
    lan.set_input_files("#b-file", kept)
    lan.fill("#b-open", "mot mat khau that dai")
    lan.click("text=Mở tệp")
    assert "Bỏ chặn sau-luu.example" in lan.inner_text(".diff")
    assert school.dig("sau-luu.example", STAFF) == "blocked", "looking restores nothing"
    for part in ("accounts", "lists", "contacts"):
        lan.uncheck(f"form:has(#b-again) [value={part}]")
    lan.fill("#b-again", "mot mat khau that dai")
    lan.fill("form:has(#b-again) [name=reason]", "Quay lại bản sao lưu")
    lan.click("text=Khôi phục các phần đã chọn")
    assert "người thứ hai" in told(lan)
    assert "sau-luu.example" in agree(hoa, school, "Khôi phục từ tệp sao lưu")
    school.until("sau-luu.example", STAFF, "open", 3)


def test_a_request_from_the_portal_ends_in_an_answer_of_dns(
    lan: Page, page: Page, school: School
) -> None:
    assert school.dig(GAME, LOWER) == "blocked"
    page.goto(school.portal + "/vi-sao?ten=" + GAME)
    page.click("text=Xin mở trang này")
    page.fill("[name=ghi_chu]", "Câu lạc bộ lập trình")
    page.click("text=Gửi")
    number = re.search(r"Số của bạn là (\d+)", page.inner_text("main"))
    assert number
    lan.goto(school.console + f"/tickets/{number[1]}")
    lan.check("[value=accepted]")
    lan.locator("form:has([name=decision]) [name=reason]").fill("Cho câu lạc bộ")
    lan.click("text=Đóng yêu cầu")
    told(lan)
    assert school.dig(GAME, LOWER) == "blocked", "a decision opens nothing by itself"
    lan.goto(school.console + f"/now/?name={GAME}")
    form = lan.locator("form:has([name=allow])")
    form.locator("[value=thu-thcs]").check()
    form.locator("[name=reason]").fill(f"Yêu cầu {number[1]}")
    form.locator("button.main").click()
    told(lan)
    school.until(GAME, LOWER, "open", 1.0)
    lan.locator("#running tr", has_text=GAME).locator("button").click()
    told(lan)
    school.until(GAME, LOWER, "blocked", 1.0)


def test_on_a_phone_the_menu_leads_to_the_lesson_form(browser: Browser, school: School) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True,
                                  color_scheme="dark", locale="vi-VN")  # fmt: skip
    page = context.new_page()
    name = "co.phone"
    sign_in(page, school, name, add_person(school, name, "teacher", segments=["thu-thcs"]))
    page.tap("header.top summary")
    page.locator("header.top").get_by_text("Mở hoặc đóng ngay").tap()
    page.fill("[name=name]", GAME)
    form = page.locator("form:has([name=allow])")
    form.locator("[value=thu-thcs]").check()
    form.locator("[name=reason]").fill("Bài giảng")
    form.locator("button.main").tap()
    told(page)
    school.until(GAME, LOWER, "open", 1.0)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    page.locator("#running tr", has_text=GAME).locator("button").tap()
    told(page)
    school.until(GAME, LOWER, "blocked", 1.0)
    context.close()


@pytest.mark.slow
def test_pause_and_debug_view_end_by_themselves(lan: Page, hoa: Page, school: School) -> None:
    school.control.call("lists.local_set", category="porn", text="nguoilon.example", reason="thử")
    school.until("nguoilon.example", STAFF, "blocked", 3)
    for path, about in (("/", "Tạm dừng lọc"), ("/debug/", "Xem truy vấn trực tiếp")):
        lan.goto(school.console + path)
        if path == "/":
            lan.click("text=Tạm dừng lọc (khi khẩn cấp)")
        lan.fill("[name=minutes]", "1")
        lan.locator("form:has([name=minutes]) [name=reason]").fill("Thử một phút")
        lan.locator("form:has([name=minutes]) button").click()
        told(lan)
        agree(hoa, school, about)
    status = school.control.call("status.get")
    assert status["state"] == "paused" and status["tail"]
    deadline = time.monotonic() + 90
    while status["state"] == "paused" or status["tail"]:
        assert time.monotonic() < deadline
        time.sleep(1)
        status = school.control.call("status.get")
    school.until("nguoilon.example", STAFF, "blocked", 3)
    lan.goto(school.console + "/debug/")
    assert lan.locator("#tail").count() == 0
