"""When a wall clock is believed: 1970, last night, a clock set back, a box with a battery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.app.clock import RELEASED, awaited, plausible, seen_by

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "latest", "believed"),
    [
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), None, False, id="no battery"),
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), NOW, False, id="no battery, known box"),
        pytest.param(RELEASED - timedelta(seconds=1), None, False, id="before this release"),
        pytest.param(NOW, None, True, id="first start"),
        pytest.param(NOW, NOW - timedelta(days=40), True, id="after the holidays"),
        pytest.param(NOW, NOW + timedelta(hours=23), True, id="set back a little"),
        pytest.param(NOW, NOW + timedelta(hours=25), False, id="set back a day"),
    ],
)
def test_a_clock_that_cannot_be_right_is_not_believed(
    shown: datetime, latest: datetime | None, believed: bool
) -> None:
    assert plausible(shown, latest) is believed


def test_the_last_policy_tells_when_this_box_last_ran(tmp_path: Path) -> None:
    assert seen_by(tmp_path / "none") is None
    (tmp_path / "policy-last.json").write_text("{}")
    seen = seen_by(tmp_path / "policy-last.json")
    assert seen is not None and abs(seen - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("there", "waits"),
    [
        ((), False),
        (("sys/class/rtc/rtc0",), False),
        (("run/systemd/timesync",), True),
        (("run/systemd/timesync", "sys/class/rtc"), True),
        (("run/systemd/timesync", "sys/class/rtc/rtc0"), False),
        (("run/systemd/timesync/synchronized",), False),
    ],
)
def test_a_box_without_a_battery_waits_for_timesyncd(
    tmp_path: Path, there: tuple[str, ...], waits: bool
) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    assert awaited(tmp_path) is waits
