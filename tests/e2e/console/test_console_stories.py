"""The stories of a school in a real browser over a real filterd, in the order of its first week."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.e2e.console.conftest import School, add_person, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LOWER, PRIMARY = "127.0.12.1", "127.0.11.1"
GAME = "games.canary.filterd.test"


@pytest.fixture(scope="module")
def admin_state(school: School, browser) -> dict:  # type: ignore[no-untyped-def,type-arg]
    """The administrator after the first sign-in: own password, second step turned on."""
    context = browser.new_context(locale="vi-VN")
    page = context.new_page()
    sign_in(page, school, "admin", school.password)
    assert "Tổng quan" in page.inner_text("h1")
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture
def admin(browser, school: School, admin_state: dict) -> Page:  # type: ignore[no-untyped-def,type-arg]
    context: BrowserContext = browser.new_context(
        storage_state=admin_state, viewport={"width": 1280, "height": 900}, locale="vi-VN"
    )
    page = context.new_page()
    yield page
    context.close()


def apply(page: Page, reason: str) -> None:
    page.fill("[name=reason]", reason)
    page.click("text=Áp dụng ngay")
    page.wait_for_selector("#flashes .note.ok")


def test_first_visit_ends_in_a_guided_set_up(admin: Page, school: School) -> None:
    admin.goto(school.console)
    deadline = time.monotonic() + 60  # the first proof that it filters comes after the first page
    while "Trường đang được bảo vệ" not in admin.inner_text("#state"):
        assert time.monotonic() < deadline, admin.inner_text("#state")
        admin.goto(school.console)
    admin.click("text=Bắt đầu cài đặt")
    admin.fill("[name=name]", "THCS Nguyễn Trãi")
    admin.click("li:has([name=name]) button")
    admin.goto(school.console + "/preview/")
    assert "Sửa thông tin trường" in admin.inner_text(".diff")
    apply(admin, "Đặt tên trường")
    admin.goto(school.console + "/setup/")
    admin.click("text=Hoàn tất cài đặt")
    admin.wait_for_selector("#state")
    assert admin.locator("text=Bắt đầu cài đặt").count() == 0


def test_one_time_password_is_worth_nothing_afterwards(page: Page, school: School) -> None:
    page.goto(school.console + "/sign-in/")
    page.fill("[name=account]", "admin")
    page.fill("[name=password]", school.password)
    page.click("form .button.main")
    page.wait_for_selector("#flashes .note.bad")


def test_stricter_change_runs_within_a_second_and_is_undone(admin: Page, school: School) -> None:
    assert school.dig("shopee.vn", LOWER) == "open"
    admin.goto(school.console + "/tiers/")
    admin.click("[name=toggle][value=shopping]")
    admin.select_option("[name='service:lower_secondary:shopee']", "block")
    admin.click("text=Xem trước thay đổi")
    assert "Trung học cơ sở: chặn dịch vụ: thêm Shopee" in admin.inner_text(".diff >> nth=0")
    apply(admin, "Giờ học không mua sắm")
    school.until("shopee.vn", LOWER, "blocked", 1.0)
    admin.click("text=Xem hoặc hoàn tác")
    admin.click("text=Hoàn tác phiên bản này")
    admin.wait_for_selector("#flashes .note")
    assert school.dig("shopee.vn", LOWER) == "blocked", "undoing it weakens: a second person"


def test_opening_games_at_lunch_needs_a_second_person_and_is_undone(
    admin: Page, page: Page, school: School
) -> None:
    one_time = add_person(school, "hieu.truong", "approver")
    assert school.dig(GAME, LOWER) == "blocked"
    admin.goto(school.console + "/schedule/?tier=lower_secondary")
    admin.fill("form:has([name=start0]) [name=name]", "Giờ nghỉ thử")
    for day in ("5", "6"):
        admin.check(f"[name=weekdays][value='{day}']")
    admin.fill("[name=start0]", "00:00")
    admin.fill("[name=end0]", "00:00")
    admin.check("[name=allow][value=games]")
    admin.click("form:has([name=start0]) .button.main")
    assert "Giờ nghỉ thử" in admin.inner_text("#week")
    admin.goto(school.console + "/preview/")
    told = admin.inner_text(".diff >> nth=0")
    assert "«Giờ nghỉ thử» T2–CN 00:00–00:00: mở Trò chơi trực tuyến" in told
    assert "làm yếu bảo vệ" in told
    assert admin.locator("[name=reason]").count() == 0, "the tier asserts that games are closed"
    admin.click("text=Bỏ điều kiện này")
    admin.fill("[name=reason]", "Giờ nghỉ trưa")
    admin.click("text=Gửi duyệt")
    admin.wait_for_selector("#flashes .note.ok")
    assert school.dig(GAME, LOWER) == "blocked"
    admin.goto(school.console + "/approvals/")
    assert admin.locator("text=Đồng ý và áp dụng").count() == 0
    sign_in(page, school, "hieu.truong", one_time)
    page.goto(school.console + "/approvals/")
    request = page.locator("section.card", has_text="Giờ nghỉ trưa")
    request.locator("[name=reason]").fill("Đồng ý")
    request.locator("text=Đồng ý và áp dụng").click()
    page.wait_for_selector("#flashes .note.ok")
    school.until(GAME, LOWER, "open", 1.0)
    page.goto(school.console + "/history/")
    page.click("tbody a >> nth=0")
    page.click("text=Hoàn tác phiên bản này")
    page.wait_for_selector("#flashes .note.ok")
    school.until(GAME, LOWER, "blocked", 1.0)


def test_exam_mode_for_a_network_begins_and_ends(admin: Page, school: School) -> None:
    school.until("example.com", LOWER, "open", 3.0)
    admin.goto(school.console + "/now/")
    form = admin.locator("form:has([name=allowed])")
    form.locator("[value=thu-thcs]").check()
    form.locator("[name=reason]").fill("Thi giữa kỳ")
    form.locator("button").click()
    admin.wait_for_selector("#flashes .note.ok")
    school.until("example.com", LOWER, "blocked", 1.0)
    admin.click("#running button:has-text('Kết thúc ngay')")
    admin.wait_for_selector("#flashes .note")
    school.until("example.com", LOWER, "open", 1.0)


def test_teacher_opens_a_name_for_a_lesson(page: Page, school: School) -> None:
    one_time = add_person(school, "co.lan", "teacher", segments=["thu-thcs"])
    sign_in(page, school, "co.lan", one_time)
    page.goto(school.console + "/now/")
    page.fill("[name=name]", GAME)
    page.select_option("[name=minutes]", "45")
    form = page.locator("form:has([name=allow])")
    form.locator("[name=segments]").first.check()
    form.locator("[name=reason]").fill("Bài giảng")
    form.locator("button.main").click()
    page.wait_for_selector("#flashes .note")
    assert page.goto(school.console + "/people/").status == 403


def test_request_goes_from_the_portal_to_a_decision(
    admin: Page, page: Page, school: School
) -> None:
    page.goto(school.portal + "/vi-sao?ten=" + GAME)
    page.click("text=Xin mở trang này")
    page.fill("[name=ghi_chu]", "Em cần cho bài tập <img src=x onerror=alert(1)>")
    page.click("text=Gửi")
    number = re.search(r"Số của bạn là (\d+)", page.inner_text("main"))
    assert number
    admin.goto(school.console + "/tickets/")
    admin.click(f"text=#{number[1]}")
    assert "Em cần cho bài tập <img" in admin.inner_text(".facts >> nth=0")
    admin.check("[value=refused]")
    admin.locator("form:has([name=decision]) [name=reason]").fill("Chơi ở nhà nhé")
    admin.click("text=Đóng yêu cầu")
    admin.wait_for_selector("#flashes .note.ok")
    assert "đã xoá khi đóng" in admin.inner_text(".facts >> nth=0")


def test_name_test_shows_all_tiers_side_by_side(admin: Page, school: School) -> None:
    admin.goto(school.console + "/test/")
    admin.fill("[name=name]", "https://www.youtube.com/watch?v=x")
    admin.click("form .button.main")
    admin.wait_for_selector("#result .card")
    assert admin.locator("#result .card").count() == 5


def test_language_and_colours_are_remembered(page: Page, school: School) -> None:
    page.goto(school.portal)
    page.click("[value=en]")
    assert page.get_attribute("html", "lang") == "en"
    page.click("[value=dark]")
    page.goto(school.portal + "/kiem-tra")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert "This device" in page.inner_text("h1")


def test_everything_works_without_javascript(browser, school: School, admin_state: dict) -> None:  # type: ignore[no-untyped-def,type-arg]
    context = browser.new_context(storage_state=admin_state, java_script_enabled=False)
    page = context.new_page()
    page.goto(school.console + "/tiers/")
    page.click("[name=toggle][value=games]")
    page.wait_for_selector("tr.service >> nth=11")
    page.check("[name='block:upper_secondary:shopping']", force=True)
    page.click(".sticky .button.main")
    assert "Mua sắm" in page.inner_text(".diff >> nth=0")
    page.click("main >> text=Bỏ bản nháp")
    context.close()


def test_signing_out_ends_the_session(browser, school: School) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context()
    page = context.new_page()
    one_time = add_person(school, "nguoi.xem", "viewer")
    sign_in(page, school, "nguoi.xem", one_time)
    state = context.storage_state()
    page.click(".side >> text=Đăng xuất")
    page.wait_for_url("**/sign-in/")
    context.close()
    stolen = browser.new_context(storage_state=state)
    again = stolen.new_page()
    again.goto(school.console + "/tiers/")
    assert "/sign-in/" in again.url
    stolen.close()
