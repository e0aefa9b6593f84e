"""Exposure accounting: restarts, power cuts, clock jumps; what is not proven is never "up"."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.evidence.exposure import Account, DayTime, Tick, advance
from filterd.evidence.service_hours import ServiceHours
from filterd.policy.model import Range, SchoolCalendar, Term

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SCHOOL = ServiceHours(
    SchoolCalendar(service_weekdays=frozenset(range(5)), service_hours=(Range(time(7), time(17)),)),
    ZONE,
)
MONDAY = date(2026, 11, 23)
EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=ZONE)


class Box:
    """A box whose clocks the test turns by hand."""

    def __init__(self, closed: bool = False) -> None:
        self.account = Account()
        self.boot, self.uptime, self.wall = "b1", 1000.0, EIGHT
        self.closed = closed
        self.trusted = True

    def tick(self, internet: bool | None = True, enforcing: bool | None = True,
             paused: bool = False) -> None:  # fmt: skip
        wall = self.wall if self.trusted else None
        self.account = advance(
            self.account,
            Tick(self.boot, self.uptime, wall, internet, enforcing, paused, self.closed),
            SCHOOL,
        )

    def live(self, seconds: int, **state: bool | None) -> None:
        """Tick every ten seconds in this state."""
        self.tick(**state)  # type: ignore[arg-type]
        for _ in range(seconds // 10):
            self.sleep(10)
            self.tick(**state)  # type: ignore[arg-type]

    def sleep(self, seconds: float) -> None:
        self.uptime += seconds
        self.wall += timedelta(seconds=seconds)

    def reboot(self, off: float) -> None:
        self.wall += timedelta(seconds=off)
        self.boot, self.uptime = self.boot + "'", 0.0

    def day(self, day: date = MONDAY) -> DayTime:
        return self.account.days.get(day, DayTime())


def test_an_hour_of_enforcing() -> None:
    box = Box()
    box.live(3600)
    assert box.day().service.enforcing == 3_600_000
    assert box.account.total.exposed == 0


def test_ten_minutes_of_pause_are_six_hundred_seconds_of_exposure() -> None:
    box = Box()
    box.live(600)
    box.live(600, enforcing=False, paused=True)
    box.live(600)
    assert box.day().service.exposed == 600_000
    assert box.day().service.paused == 600_000
    assert box.day().service.enforcing == 1_200_000


def test_a_line_that_is_down_exposes_nobody() -> None:
    box = Box()
    box.live(600, internet=False, enforcing=False)
    assert (box.day().service.offline, box.day().service.exposed) == (600_000, 0)


def test_a_restart_without_a_closed_firewall_is_exposure() -> None:
    box = Box()
    box.live(60)
    box.sleep(300)
    box.live(60)
    assert box.day().service.exposed == 300_000


def test_a_restart_behind_a_closed_firewall_is_offline() -> None:
    box = Box(closed=True)
    box.live(60)
    box.sleep(300)
    box.live(60)
    assert (box.day().service.exposed, box.day().service.offline) == (0, 300_000)


def test_a_power_cut_of_the_way_out_is_offline() -> None:
    box = Box(closed=True)
    box.live(60)
    box.reboot(off=7200)
    box.sleep(40)
    box.live(60)
    assert box.day().service.offline == 7_240_000
    assert box.day().service.exposed == 0


def test_a_power_cut_of_a_box_beside_the_way_out_proves_nothing() -> None:
    box = Box()
    box.live(60)
    box.reboot(off=7200)
    box.sleep(40)
    box.live(60)
    assert box.day().service.offline == 0
    assert box.day().service.exposed == 40_000  # its boot, while the Internet was up
    assert box.day().service.enforcing == 120_000


def test_a_power_cut_over_the_night_is_split_by_day_and_service() -> None:
    box = Box(closed=True)
    box.live(60)
    box.reboot(off=24 * 3600)
    box.tick()
    assert box.day().service.offline == (17 - 8) * 3600_000 - 60_000
    assert box.day(MONDAY + timedelta(days=1)).service.offline == 3600_000 + 60_000
    assert box.day().whole.offline == 16 * 3600_000 - 60_000


def test_unknown_is_not_up() -> None:
    box = Box()
    box.live(600, enforcing=None)
    box.live(600, internet=None)
    assert box.account.total.enforcing == 0
    assert box.account.total.exposed == 0


def test_an_untrusted_clock_counts_for_no_day() -> None:
    box = Box()
    box.trusted = False
    box.live(600)
    assert box.account.days == {}
    assert box.account.total.enforcing == 600_000


def test_a_clock_set_forward_and_back_adds_no_time() -> None:
    box = Box()
    box.live(600)
    box.wall += timedelta(days=365)
    box.live(600)
    box.wall -= timedelta(days=365)
    box.live(600)
    assert box.account.total.enforcing == 1_800_000
    assert box.day().whole.enforcing == 1_200_000
    assert sum(day.jumps for day in box.account.days.values()) == 2


def test_evenings_and_sundays_are_not_service_time() -> None:
    box = Box()
    box.wall = datetime(2026, 11, 22, 9, 0, tzinfo=ZONE)
    box.live(600)
    assert box.day(date(2026, 11, 22)).service.enforcing == 0
    assert box.day(date(2026, 11, 22)).whole.enforcing == 600_000


def test_holidays_and_terms_bound_the_service() -> None:
    calendar = SchoolCalendar(
        terms=(Term("1", date(2026, 9, 5), date(2027, 1, 16)),),
        holidays=(Term("Lễ", date(2026, 11, 24), date(2026, 11, 24)),),
        service_weekdays=frozenset(range(5)),
        service_hours=(Range(time(7), time(11)), Range(time(10), time(17))),
    )
    hours = ServiceHours(calendar, ZONE)
    assert hours.seconds(MONDAY) == 36_000
    assert hours.seconds(date(2026, 11, 24)) == 0
    assert hours.seconds(date(2027, 7, 5)) == 0


def test_a_boarding_school_over_midnight() -> None:
    hours = ServiceHours(
        SchoolCalendar(
            service_weekdays=frozenset(range(7)), service_hours=(Range(time(18), time(6)),)
        ),
        ZONE,
    )
    assert hours.seconds(MONDAY) == 12 * 3600


steps = st.lists(
    st.tuples(
        st.sampled_from(["live", "sleep", "reboot", "jump", "distrust", "trust"]),
        st.integers(0, 200_000),
        st.sampled_from([True, False, None]),
        st.sampled_from([True, False, None]),
    ),
    max_size=25,
)


@given(steps, st.booleans())
@settings(max_examples=200, deadline=None)
def test_whatever_happens_nothing_shrinks_and_no_more_is_counted_than_passed(
    story: list[tuple[str, int, bool | None, bool | None]], closed: bool
) -> None:
    box = Box(closed)
    passed = 0.0
    enforcing_at_most = 0.0
    for what, amount, internet, enforcing in story:
        before = box.account
        if what == "live":
            box.live(min(amount, 100), internet=internet, enforcing=enforcing)
            passed += min(amount, 100) // 10 * 10
            if internet and enforcing:
                enforcing_at_most += min(amount, 100) // 10 * 10
        elif what == "sleep":
            box.sleep(amount)
            passed += amount
            enforcing_at_most += amount if amount <= 30 else 0
        elif what == "reboot":
            box.reboot(amount)
            passed += amount
        elif what == "jump":
            box.wall = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=amount)
        else:
            box.trusted = what == "trust"
        after = box.account.total
        assert after.enforcing >= before.total.enforcing
        assert after.exposed >= before.total.exposed
        assert after.offline >= before.total.offline
    total = box.account.total
    # A jump across a reboot can invent "off" time at most; it can never invent enforcing time.
    assert total.enforcing <= enforcing_at_most * 1000 + 1
    assert total.enforcing + total.exposed <= passed * 1000 + 1
