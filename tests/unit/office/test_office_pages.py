"""The office's pages: everyone sees what is theirs, numbers agree, files open."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import date

import openpyxl
import pytest

from admin_ui.office import assess, ingest, register
from admin_ui.office.access import ACCESS
from admin_ui.office.database import Office
from tests.lab.methods import v1
from tests.lab.office_school import Box, Clock, days, enrolled_box, entry
from tests.lab.office_site import Site, signed_in

PAGES = (
    "/", "/chart.svg", "/communes/", "/schools/", "/schools/VN-91-000001", "/compare/",
    "/refusals/", "/awareness/", "/report/", "/register/", "/publish/", "/people/", "/account/",
    "/audit/", "/public/",
)  # fmt: skip


@pytest.fixture
def box(office: Office, clock: Clock) -> Box:
    """Two communes, three schools: one good, one silent, one without a device."""
    clock.to(date(2026, 11, 1))
    good = enrolled_box(office, 1, 1)
    enrolled_box(office, 2, 2)
    register.load(office, [entry(3, 2)], date(2026, 9, 1))
    for day in days(date(2026, 11, 1), 8):
        clock.to(date(2026, 11, day.day + 1))
        ingest.take(office, good.day(day))
    clock.to(date(2026, 11, 9), 3)
    assess.new_day(office)
    assess.sweep_all(office)
    return good


@pytest.fixture
def site(office: Office, box: Box) -> Iterator[Site]:
    opened = signed_in(office)
    yield opened
    opened.accounts.close()


def test_every_page_opens_in_both_languages_and_every_endpoint_has_its_permission(
    site: Site,
) -> None:
    for language in ("vi", "en"):
        site.client.set_cookie("filterd_language", language)
        for path in PAGES:
            assert ">None<" not in site.get(path), path
    assert set(site.app.view_functions) - set(ACCESS) == {"shared.static", "shared.preferences"}


def test_both_denominators_stand_together(site: Site) -> None:
    site.client.set_cookie("filterd_language", "en")
    text = site.get("/?month=2026-11")
    assert "of the 2 schools with a device" in text
    assert "of all 3 schools in the register" in text
    assert "50.0 %" in text
    assert "33.3 %" in text
    site.client.set_cookie("filterd_language", "vi")
    assert "50,0 %" in site.get("/?month=2026-11")


def test_search_and_filters(site: Site) -> None:
    assert "VN-91-000003" in site.get("/schools/?text=tieu+hoc+3&month=2026-11")
    text = site.get("/schools/?status=insufficient&month=2026-11")
    assert "VN-91-000002" in text
    assert "VN-91-000001" not in text
    assert "VN-91-000002" in site.get("/schools/?silent=yes&month=2026-11")
    assert "VN-91-000002" in site.get("/schools/?gate=I14&month=2026-11")


def test_exports_open_and_no_cell_is_a_formula(site: Site, office: Office) -> None:
    evil = register.Entry("=1+1", "=cmd|' /C calc'!A0", "X001", "Xã số 1")
    register.load(office, [evil], date(2026, 9, 1))
    sheet = openpyxl.load_workbook(io.BytesIO(site.client.get("/schools/export.xlsx").data)).active
    assert sheet is not None
    cells = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value]
    assert "'=1+1" in cells
    assert not any(cell.startswith("=") for cell in cells)
    assert "\n=" not in site.client.get("/schools/export.csv").text
    assert site.client.get("/schools/export.pdf").data.startswith(b"%PDF")
    assert site.client.get("/schools/export.exe").status_code == 404
    assert site.client.get("/report/bao-cao.pdf?year=2026").data.startswith(b"%PDF")


def test_the_annual_report_shows_an_expired_basis_as_expired(site: Site) -> None:
    """Acceptance T11, last part: an expired legal basis is shown as expired."""
    site.client.set_cookie("filterd_language", "en")
    text = site.get("/report/?year=2026")
    assert "Decision 830/QĐ-TTg" in text
    assert text.count("expired") >= 3


def test_a_commune_viewer_sees_its_communes_only(site: Site) -> None:
    site.post("/people/add", "/people/", name="xa.mot", title="Xã một", role="viewer",
              communes=["X001"])  # fmt: skip
    made = next(i for i in site.accounts.call("people.list", _token(site), {})["items"]
                if i["name"] == "xa.mot")  # fmt: skip
    fresh = site.accounts.call("people.reset", _token(site), {"id": made["id"]})
    begun = site.accounts.call(
        "sessions.start", "@guest", {"account": "xa.mot", "password": fresh["password"]}
    )
    new = {"old": fresh["password"], "new": "một mật khẩu khác hẳn"}
    token = site.accounts.call("people.password", begun["token"], new)["token"]
    viewer = site.app.test_client()
    viewer.set_cookie("filterd_session", token)
    assert "VN-91-000001" in viewer.get("/schools/").text
    assert "VN-91-000002" not in viewer.get("/schools/").text
    assert "VN-91-000003" not in viewer.get("/schools/?commune=X002").text
    assert "VN-91-000002" not in viewer.get("/schools/export.csv").text
    assert viewer.get("/schools/VN-91-000001").status_code == 200
    assert viewer.get("/schools/VN-91-000002").status_code == 404
    for closed in ("/register/", "/people/", "/audit/"):
        assert viewer.get(closed).status_code == 403, closed


def test_strangers_see_the_province_only(site: Site) -> None:
    stranger = site.app.test_client()
    text = stranger.get("/public/").text
    assert "VN-91" not in text
    assert "số 1" not in text
    for path in PAGES:
        if path != "/public/":
            answer = stranger.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/sign-in/")
    assert stranger.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 403


def test_a_form_from_elsewhere_is_refused(site: Site) -> None:
    answer = site.client.post("/publish/release", data={}, headers={"Origin": "http://evil"})
    assert answer.status_code == 403


def test_acts_are_audited(site: Site) -> None:
    site.post("/schools/VN-91-000003/code", "/schools/VN-91-000003")
    site.post("/publish/add", "/publish/", name="Xấu.example", document="12/CV", issuer="PA05",
              issued="2026-11-01", expires="")  # fmt: skip
    site.post("/awareness/add", "/awareness/", school="VN-91-000001", day="2026-11-10",
              grades="4", participants="120", title="An toàn trên mạng")  # fmt: skip
    text = site.get("/audit/")
    for action in ("schools.code", "publish.release", "awareness.add"):
        assert action in text
    assert "xn--" in site.get("/publish/")


def test_devices_speak_to_the_api(site: Site, box: Box, office: Office, clock: Clock) -> None:
    device = site.app.test_client()
    sent = box.day(date(2026, 11, 9))
    answer = device.post("/api/v1/summaries", data=sent, content_type="application/json")
    assert (answer.status_code, answer.json) == (201, {"outcome": "accepted"})
    assert device.post("/api/v1/summaries", data=sent).status_code == 409
    forged = sent.replace(b'\\"revision\\":7', b'\\"revision\\":8')
    answer = device.post("/api/v1/summaries", data=forged)
    assert (answer.status_code, answer.json["code"]) == (422, "signature")
    assert device.post("/api/v1/summaries", data=b"x" * 2_000_000).status_code == 413
    assert device.post("/api/v1/enrol", json={"code": "?", "public": "00"}).status_code == 422
    assert device.post("/api/v1/enrol", data=b"[]").status_code == 400
    kept = site.client.get("/schools/VN-91-000001/2026-11-09.json")
    assert json.loads(kept.data) == json.loads(sent)


def _token(site: Site) -> str:
    cookie = site.client.get_cookie("filterd_session")
    assert cookie is not None
    return cookie.value


def test_days_are_written_as_people_write_them(site: Site) -> None:
    site.client.set_cookie("filterd_language", "vi")
    site.post(
        "/publish/add", "/publish/", name="x.example", document="12/CV", issuer="Sở",
        issued="2026-11-01", expires="2027-02-28",
    )  # fmt: skip
    pages = {path: re.sub(r"<[^>]*>", " ", site.get(path)) for path in PAGES}
    assert "28/02/2027" in pages["/publish/"]
    assert "08/11/2026" in pages["/schools/VN-91-000001"]
    for path, text in pages.items():
        assert not re.search(r"\b\d{4}-\d\d-\d\d\b", text), path


def test_a_version_of_the_method_is_added_on_the_page_and_its_file_is_there(site: Site) -> None:
    site.client.set_cookie("filterd_language", "vi")
    assert (
        "phương pháp hợp lệ" in site.post("/publish/method", "/publish/", text="version: v1").text
    )
    site.post("/publish/method", "/publish/", text=v1("2030-01-01"))
    assert "Phương pháp v1" in site.get("/publish/")
    kept = site.client.get("/publish/method/v1.yaml")
    assert kept.data.decode() == v1("2030-01-01").strip()
    assert site.client.get("/publish/method/v9.yaml").status_code == 404
    again = site.post("/publish/method", "/publish/", text=v1("2031-01-01"))
    assert "không được sửa" in again.text
