"""T1's second half and T6, by people at a running school: nobody unlocks, a pause needs two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from filterd.policy.taxonomy import FLOOR
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.running import RunningFilterd, until
from tests.lab.staff import Person, sign_in

EVERYONE = sorted(str(each) for each, floor in FLOOR.items() if floor.value == "everyone")
PUPILS = sorted(str(each) for each, floor in FLOOR.items() if floor.value == "pupils")
TIER = "lower_secondary"


@dataclass(frozen=True, slots=True)
class Box:
    running: RunningFilterd
    admin: Person
    head: Person

    def newest_act(self) -> dict[str, object]:
        return dict(self.running.control.call("audit.list", limit=1)["items"][0])

    def blocked(self, category: str) -> bool:
        name = f"{category}.canary.filterd.test"
        return self.running.outcome(name, TIER).startswith("NXDOMAIN")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with LyingUpstream() as upstream:
        settings = {"upstreams": [upstream.url], "workers": 1}
        running = RunningFilterd(tmp_path_factory.mktemp("people"), settings).start()
        try:
            yield Box(
                running, sign_in(running.control, "quan.tri", "administrator"),
                sign_in(running.control, "hieu.truong", "approver"),
            )  # fmt: skip
        finally:
            running.stop()


@pytest.mark.parametrize("category", [*EVERYONE, *PUPILS])
def test_T1_a_tier_that_opens_a_locked_category_is_refused_and_the_attempt_written_down(
    box: Box, category: str
) -> None:
    """Not even with the head's word: the document itself is refused, by name of the category."""
    now = box.admin.call("policy.get")
    name = f"{TIER}.yaml"
    text = now["files"][name]
    listed = rf"(?m)(^\s*-\s*{category}\s*$\n|\b{category}\b,\s*|,\s*{category}\b)"
    opened, n = re.subn(listed, "", text)
    if not n:  # locked for everyone: no document names it, so it is opened in so many words
        opened = f"{text}\nallow: ['{category}.canary.filterd.test']\n"
    before = box.newest_act()
    body = box.admin.refused("policy.apply", files={**now["files"], name: opened},
                             base=now["revision"], reason="thử mở khóa")  # fmt: skip
    assert body["code"] in ("invalid", "denied"), body
    assert box.blocked(category)
    act = box.newest_act()
    assert act != before and (act["action"], act["actor"]) == ("policy.refused", "quan.tri"), act


def test_T6_a_pause_waits_for_a_second_person_and_nobody_is_his_own(box: Box) -> None:
    wish = box.admin.waits("pause.start", minutes=10, reason="sửa mạng")
    assert box.running.control.call("status.get")["state"] != "paused"
    assert box.admin.refused("approvals.decide", id=wish, approve=True, reason="tự duyệt")
    assert box.running.control.call("status.get")["state"] != "paused"
    box.head.agree(wish)
    until(lambda: box.running.control.call("status.get")["state"] == "paused", what="the pause")
    box.admin.call("pause.stop")
    until(lambda: box.running.control.call("status.get")["state"] != "paused", what="its end")


@pytest.mark.slow  # a pause is a whole minute at least
@pytest.mark.timeout(200)
def test_T6_a_pause_ends_by_itself_and_all_of_it_is_exposure(box: Box) -> None:
    def exposed() -> int:
        return int(box.running.control.call("evidence.exposure", days=2)["total"]["exposed_s"])

    before = exposed()
    box.head.agree(box.admin.waits("pause.start", minutes=1, reason="sửa mạng"))
    until(lambda: box.running.control.call("status.get")["state"] == "paused", what="the pause")
    until(lambda: box.running.control.call("status.get")["state"] != "paused", 120, "its own end")
    until(lambda: 58 <= exposed() - before <= 75, 30, "a minute of exposure")
