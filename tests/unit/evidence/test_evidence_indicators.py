"""I1–I14 and the decision rule, told as months a school could have had."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from filterd.evidence.decision import Status, decide
from filterd.evidence.indicators import Efficacy, Facts, Period, Proof, Verdict, compute
from filterd.evidence.records import Summary
from tests.lab.school_month import HASH, METHOD, perfect_month

LAB: Efficacy = {
    "index": HASH,
    "recall": {"porn": [296, 300], "gambling": [290, 300], "phishing": [285, 300]},
    "vietnamese": {"porn": [98, 100], "gambling": [95, 100], "phishing": [95, 100]},
    "false_block": [2, 2500],
}
Month = list[Summary]
PROVEN = Proof(4, 4)


def facts(month: Month, proof: Proof | None = PROVEN, lab: Efficacy | None = LAB) -> Facts:
    period = Period.month("2026-11", as_of=date(2026, 11, 30))
    return Facts.gather(period, month, efficacy=lab, proof=proof)


def status(month: Month, **given: object) -> tuple[Status, list[str]]:
    found = compute(facts(month, **given), METHOD)  # type: ignore[arg-type]
    actions = month[-1]["governance"]["actions"] if month else []
    decision = decide(found, METHOD, actions, date(2026, 12, 1))
    return decision.status, [reason.indicator for reason in decision.reasons]


def test_everything_measured_and_right_is_met() -> None:
    assert status(perfect_month()) == (Status.MET, [])


def exposed(month: Month) -> None:
    for day in month:
        day["time"].update(enforcing_s=35_000, exposed_s=1_000)


def slightly_exposed(month: Month) -> None:
    for day in month:
        day["time"].update(enforcing_s=35_700, exposed_s=300)


def silent_telemetry(month: Month) -> None:
    for day in month:
        day["time"].update(enforcing_s=30_000)


def power_cuts(month: Month) -> None:
    for day in month:
        day["time"].update(enforcing_s=20_000, offline_s=16_000)


def one_locked_canary(month: Month) -> None:
    month[9]["selftest"]["block"]["staff"]["phishing"] = [11, 12]


def one_other_canary(month: Month) -> None:
    month[9]["selftest"]["block"]["primary"]["games"] = [11, 12]


def every_games_canary(month: Month) -> None:
    for day in month:
        for cells in day["selftest"]["block"].values():
            if "games" in cells:
                cells["games"] = [0, 12]


def half_the_selftests(month: Month) -> None:
    for day in month:
        day["selftest"]["executed"] = 500


def stale_phishing(month: Month) -> None:
    for fact in month[3]["lists"]:
        if fact["category"] == "phishing":
            fact["checked_h"] = 49


def dead_feed(month: Month) -> None:
    for fact in month[3]["lists"]:
        if fact["category"] == "porn":
            fact["changed_h"] = 1681


def shrunk_list(month: Month) -> None:
    for fact in month[3]["lists"]:
        if fact["category"] == "porn":
            fact["entries"] = 9_999


def unlocked_category(month: Month) -> None:
    month[3]["tiers"]["primary"]["blocked"].remove("violence")


def segment_unbound(month: Month) -> None:
    month[5]["segments"] = {"seen": 5, "bound": 4}


def not_inline(month: Month) -> None:
    for day in month:
        day["facility"]["deployment"] = "dns_only"
        day["path"] = day["flows"] = None


def bypass_hole(month: Month) -> None:
    month[20]["bypass"]["dot_dropped"] = {"passed": 0, "executed": 1}


def bypass_never_ran(month: Month) -> None:
    for day in month:
        day["bypass"]["doh_hosts"] = {"passed": 0, "executed": 0}


def bypass_excused(month: Month) -> None:
    for day in month:
        day["bypass"]["doh_hosts"] = {"passed": 0, "executed": 0, "not_applicable": "not_inline"}


def safe_search_broken(month: Month) -> None:
    month[2]["safesearch"]["primary"]["google"] = [1, 2]


def late_tickets(month: Month) -> None:
    for day in month:
        day["tickets"].update(decided=10, within=6)


def amber_tickets(month: Month) -> None:
    for day in month:
        day["tickets"].update(decided=10, within=8)


def amber_tickets_with_action(month: Month) -> None:
    amber_tickets(month)
    month[-1]["governance"]["actions"] = [{"indicator": "I9", "due": "2026-12-15", "text": ""}]


def amber_tickets_with_old_action(month: Month) -> None:
    amber_tickets(month)
    month[-1]["governance"]["actions"] = [{"indicator": "I9", "due": "2026-11-15", "text": ""}]


def no_tickets(month: Month) -> None:
    for day in month:
        day["tickets"].update(decided=0, within=0, buckets=[0] * 9)


def broken_chain(month: Month) -> None:
    month[4]["changes"]["chain_ok"] = False


def weakened_alone(month: Month) -> None:
    month[4]["changes"]["weakening_alone"] = 1


def override_outlived(month: Month) -> None:
    month[4]["changes"]["expired_overrides"] = 1


def nameless_roles(month: Month) -> None:
    month[-1]["governance"]["roles"] = ["head", "it"]


def new_tool_unreviewed(month: Month) -> None:
    month[-1]["governance"].update(
        review_due_since="2026-10-01",
        actions=[{"indicator": "I11", "due": "2026-12-20", "text": "rà soát công cụ AI mới"}],
    )


def old_records(month: Month) -> None:
    month[7]["privacy"]["oldest_record_s"] = 604_801


def three_days_missing(month: Month) -> None:
    del month[10:13]


def one_day_missing(month: Month) -> None:
    del month[10]


def missing_days_and_a_failure(month: Month) -> None:
    one_locked_canary(month)
    three_days_missing(month)


def nothing_at_all(month: Month) -> None:
    month.clear()


@pytest.mark.parametrize(
    ("story", "expected", "because"),
    [
        (exposed, Status.NOT_MET, ["I1"]),
        (slightly_exposed, Status.NOT_MET, ["I1"]),  # amber, and nobody promised a date
        (silent_telemetry, Status.INSUFFICIENT, ["I1"]),
        (power_cuts, Status.MET, []),
        (one_locked_canary, Status.NOT_MET, ["I5"]),
        (one_other_canary, Status.MET, []),
        (every_games_canary, Status.NOT_MET, ["I5"]),
        (half_the_selftests, Status.INSUFFICIENT, ["I5"]),
        (stale_phishing, Status.NOT_MET, ["I4"]),
        (dead_feed, Status.NOT_MET, ["I4"]),
        (shrunk_list, Status.NOT_MET, ["I4"]),
        (unlocked_category, Status.MET, []),  # one day of one tier: above 95 %
        (segment_unbound, Status.NOT_MET, ["I3"]),
        (not_inline, Status.CONDITIONAL, ["I2", "I2b"]),
        (bypass_hole, Status.NOT_MET, ["I7"]),
        (bypass_never_ran, Status.NOT_MET, ["I7"]),
        (bypass_excused, Status.MET, []),
        (safe_search_broken, Status.NOT_MET, ["I8"]),
        (late_tickets, Status.NOT_MET, ["I9"]),
        (amber_tickets, Status.NOT_MET, ["I9"]),
        (amber_tickets_with_action, Status.CONDITIONAL, ["I9"]),
        (amber_tickets_with_old_action, Status.NOT_MET, ["I9"]),
        (no_tickets, Status.MET, []),
        (broken_chain, Status.NOT_MET, ["I10"]),
        (weakened_alone, Status.NOT_MET, ["I10"]),
        (override_outlived, Status.NOT_MET, ["I10"]),
        (nameless_roles, Status.NOT_MET, ["I11"]),
        (new_tool_unreviewed, Status.CONDITIONAL, ["I11"]),
        (old_records, Status.NOT_MET, ["I13"]),
        (three_days_missing, Status.INSUFFICIENT, ["I14"]),
        (one_day_missing, Status.MET, []),
        (missing_days_and_a_failure, Status.NOT_MET, ["I5"]),
        (nothing_at_all, Status.INSUFFICIENT, ["I14"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_month(story: Callable[[Month], None], expected: Status, because: list[str]) -> None:
    month = perfect_month()
    story(month)
    assert status(month) == (expected, because)


def test_what_the_school_cannot_measure_itself_is_a_limit_not_a_pass() -> None:
    assert status(perfect_month(), proof=None, lab=None) == (Status.CONDITIONAL, ["I5b", "I6"])


def test_independent_proof_that_caught_a_fake() -> None:
    assert status(perfect_month(), proof=Proof(4, 3)) == (Status.NOT_MET, ["I5b"])


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"recall": {**LAB["recall"], "porn": [293, 300]}}, Verdict.PASS),
        ({"recall": {**LAB["recall"], "porn": [292, 300]}}, Verdict.FAIL),
        ({"recall": {**LAB["recall"], "gambling": [268, 300]}}, Verdict.PASS),
        ({"recall": {**LAB["recall"], "gambling": [267, 300]}}, Verdict.FAIL),
        ({"false_block": [3, 2000]}, Verdict.PASS),
        ({"false_block": [4, 2000]}, Verdict.FAIL),
        ({"false_block": [1, 1000]}, Verdict.UNMEASURED),
        ({"vietnamese": {}}, Verdict.UNMEASURED),
        ({"index": "cd" * 32}, Verdict.UNMEASURED),
    ],
)
def test_efficacy_bounds_of_the_method_paper(change: Efficacy, verdict: Verdict) -> None:
    """The numbers of requirements §4 I6: 293/300, 268/300, 3 errors in 2,000."""
    lab: Efficacy = {**LAB, **change}
    assert compute(facts(perfect_month(), lab=lab), METHOD)["I6"].verdict is verdict


def test_a_day_lived_twice_gives_no_uptime() -> None:
    month = perfect_month()
    for day in month:
        day["time"].update(enforcing_s=60_000, exposed_s=20_000)
    found = compute(facts(month), METHOD)["I1"]
    assert found.parts["enforcing_s"] + found.parts["exposed_s"] <= found.parts["service_s"]
    assert found.verdict is Verdict.FAIL


def test_exposure_is_compared_exactly_and_printed_against_the_school() -> None:
    month = perfect_month()
    for day in month:
        day["time"].update(enforcing_s=35_819, exposed_s=181)  # 99.4972 %
    found = compute(facts(month), METHOD)["I1"]
    assert (found.value, found.verdict) == (9949, Verdict.WARN)


def test_partial_month_counts_only_days_that_are_due() -> None:
    period = Period.month("2026-11", as_of=date(2026, 11, 21))
    found = compute(Facts.gather(period, perfect_month()[:21]), METHOD)
    assert period.partial
    assert (found["I14"].n, found["I14"].value) == (21, 10_000)


def test_the_last_summary_of_a_day_counts() -> None:
    month = perfect_month()
    first = dict(month[3])
    first["counter"], first["closed"] = 1, False
    found = compute(facts([*month, first]), METHOD)  # type: ignore[list-item]
    assert found["I14"].value == 10_000
