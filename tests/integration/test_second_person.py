"""What opens more than a lesson needs waits for a second person: a running filterd, seen by DNS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.lab.lying_upstream import LyingUpstream
from tests.lab.running import RunningFilterd, until
from tests.lab.staff import Person, sign_in

GAME, PHISH = "www.roblox.com", "nham.example"
ROOM = "thu-thcs"


@dataclass(frozen=True, slots=True)
class Box:
    running: RunningFilterd
    admin: Person
    head: Person
    teacher: Person

    def seen(self, name: str, wanted: str, tier: str = "lower_secondary") -> None:
        until(lambda: self.running.outcome(name, tier).startswith(wanted), 10, f"{name} {wanted}")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with LyingUpstream() as upstream:
        settings = {"upstreams": [upstream.url], "workers": 1}
        running = RunningFilterd(tmp_path_factory.mktemp("two"), settings).start()
        control = running.control
        try:
            yield Box(
                running, sign_in(control, "quan.tri", "administrator"),
                sign_in(control, "hieu.truong", "approver"),
                sign_in(control, "co.lan", "teacher", segments=[ROOM]),
            )  # fmt: skip
        finally:
            running.stop()


def opening(**more: Any) -> dict[str, Any]:
    return {"name": "game.example", "allow": True, "reason": "bài giảng", **more}


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_a_lesson_needs_one_person(box: Box) -> None:
    for person in (box.teacher, box.admin):
        made = person.call("overrides.add", **opening(segments=[ROOM], minutes=45))
        person.call("overrides.cancel", id=made["id"])


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("the whole school", {"minutes": 45}),
        ("a whole tier", {"minutes": 45, "tiers": ["lower_secondary"]}),
        ("longer than a lesson", {"segments": [ROOM], "minutes": 8 * 60 + 1}),
        ("without an end", {"segments": [ROOM]}),
    ],
)
def test_more_than_a_lesson_waits(box: Box, why: str, fields: dict[str, Any]) -> None:
    wish = box.admin.waits("overrides.add", **opening(**fields))
    [kept] = [w for w in box.head.call("approvals.list", state="open")["items"] if w["id"] == wish]
    assert kept["method"] == "overrides.add" and kept["changes"][0]["weakens"], why
    if fields.get("segments"):
        assert box.teacher.refused("overrides.add", **opening(**fields))["code"] == "denied"
    box.head.call("approvals.decide", id=wish, approve=False, reason="không cần")


def test_what_was_agreed_to_is_done_to_the_policy_of_that_time(box: Box) -> None:
    box.seen(GAME, "NXDOMAIN")
    wish = box.admin.waits("overrides.add", **opening(name=GAME, tiers=["lower_secondary"]))
    other = box.admin.call(
        "overrides.add", name="khac.example", allow=False, minutes=60, reason="chen giữa"
    )
    done = box.head.agree(wish)
    box.seen(GAME, "NOERROR")
    names = [item["name"] for item in box.admin.call("overrides.list")["items"]]
    assert "khac.example" in names and GAME in names
    revision = box.head.call("policy.revision", revision=done["revision"])
    assert (revision["author"], revision["approved_by"]) == ("quan.tri", "hieu.truong")
    assert revision["weakens"]
    box.admin.call("overrides.cancel", id=done["id"])
    box.seen(GAME, "NXDOMAIN")
    box.admin.call("overrides.cancel", id=other["id"])


def test_a_teacher_cannot_end_a_lasting_block(box: Box) -> None:
    block = {"name": "chan.example", "allow": False, "segments": [ROOM], "reason": "trường quyết"}
    made = box.admin.call("overrides.add", **block)
    assert box.teacher.refused("overrides.cancel", id=made["id"])["code"] == "denied"
    box.seen("chan.example", "NXDOMAIN")
    box.head.agree(box.admin.waits("overrides.cancel", id=made["id"]))
    box.seen("chan.example", "NOERROR")


@pytest.mark.parametrize("name", [".", "com", "vn", "com.vn", "edu.vn"])
def test_nobody_opens_a_root_or_a_suffix(box: Box, name: str) -> None:
    for person in (box.teacher, box.admin):
        fields = opening(name=name, segments=[ROOM], minutes=45)
        assert person.refused("overrides.add", **fields)["code"] == "invalid"
    assert box.admin.call("status.get")["state"] != "paused"


def test_an_exam_where_only_listed_names_open_is_a_lesson_or_waits(box: Box) -> None:
    exam = {"segments": ["thu-mam-non"], "allowed": ["khaothi.example"], "reason": "thi"}
    box.seen("khaothi.example", "NXDOMAIN", "preschool")
    short = box.admin.call("exams.add", until=in_hours(1), **exam)
    box.seen("khaothi.example", "NOERROR", "preschool")
    box.admin.call("exams.cancel", id=short["id"])
    box.seen("khaothi.example", "NXDOMAIN", "preschool")
    wish = box.admin.waits("exams.add", until=in_hours(24 * 90), **exam)
    box.seen("khaothi.example", "NXDOMAIN", "preschool")
    box.head.agree(wish)
    box.seen("khaothi.example", "NOERROR", "preschool")


def test_an_exception_to_the_floor_needs_two_people_and_names_both(box: Box) -> None:
    asked = {"name": PHISH, "days": 7, "reason": "bị liệt kê nhầm"}
    box.admin.call("lists.local_set", category="phishing", text=PHISH, reason="có báo cáo")
    box.seen(PHISH, "NXDOMAIN", "staff")
    wish = box.admin.waits("exceptions.add", tiers=["staff"], **asked)
    assert box.head.refused("approvals.decide", id="khác", approve=True, reason="thử")
    box.head.agree(wish)
    box.seen(PHISH, "NOERROR", "staff")
    box.seen(PHISH, "NXDOMAIN", "lower_secondary")
    assert PHISH in box.admin.call("policy.get")["files"]["school.yaml"]
    [made] = [o for o in box.admin.call("overrides.list")["items"] if o["name"] == PHISH]
    assert made["author"] == "quan.tri" and made["tiers"] == ["staff"]
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "csam.canary.filterd.test"}, "denied"),
        ({"name": "authority.canary.filterd.test"}, "denied"),
        ({"name": GAME}, "invalid"),
        ({"name": "khong.co.trong.danh.sach.example"}, "invalid"),
        ({"days": 31}, "invalid"),
        ({"days": 0}, "invalid"),
        ({"tiers": ["ai đó"]}, "invalid"),
        ({"reason": ""}, "invalid"),
    ],
)
def test_exceptions_that_there_cannot_be(box: Box, fields: dict[str, Any], code: str) -> None:
    asked = {"name": PHISH, "days": 7, "reason": "bị liệt kê nhầm", **fields}
    assert box.admin.refused("exceptions.add", **asked)["code"] == code


def test_the_box_alone_makes_no_exception(box: Box) -> None:
    local = Person(box.running.control, None)  # type: ignore[arg-type]
    asked = {"name": PHISH, "days": 7, "reason": "bị liệt kê nhầm"}
    assert local.refused("exceptions.add", **asked)["code"] == "denied"
