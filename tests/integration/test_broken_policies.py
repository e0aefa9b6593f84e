"""Policies that cannot go live: each is refused with its problems, and the one in force stays."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from filterd.control.client import CallError
from tests.conformance.beside import good_questions
from tests.lab.quick_upstream import quick_upstream
from tests.lab.running import RunningFilterd, until

pytestmark = pytest.mark.slow
CANARY, BLOCKED = "allowed.canary.filterd.test", "porn.canary.filterd.test"
SCHOOL = {
    "not YAML": "identity: [",
    "a list": "- a\n",
    "a tab": "identity:\n\tname: x\n",
    "a NUL": "identity: {name: '\0'}\n",
    "an unknown key": "segmnets: []\n",
    "a key twice": "time_zone: Asia/Bangkok\ntime_zone: Asia/Bangkok\n",
    "brackets without end": "segments: " + "[" * 2000,
    "a billion laughs": "a: &a [x,x]\n" + "".join(
        f"{chr(c)}: &{chr(c)} [{','.join([f'*{chr(c - 1)}'] * 9)}]\n" for c in range(98, 110)
    ),
    "a map that holds itself": "identity: &a {name: *a}\n",
    "an object of Python's": "identity: !!python/object/apply:os.system ['true']\n",
    "a time zone that is none": "time_zone: Asia/Saigonn\n",
    "a path for a time zone": "time_zone: ../../etc/passwd\n",
    "a segment without a tier": "segments: [{id: a, network: 10.1.0.0/16}]\n",
    "a tier that nobody wrote": "segments: [{id: a, network: 10.1.0.0/16, tier: pupils}]\n",
    "one network twice": "segments: [{id: a, network: 10.1.0.0/16, tier: primary},"
                         " {id: b, network: 10.1.0.0/16, tier: staff}]\n",
    "two segments of one id": "segments: [{id: a, network: 10.1.0.0/16, tier: primary},"
                              " {id: a, network: 10.2.0.0/16, tier: staff}]\n",
    "a network with host bits": "segments: [{id: a, network: 10.1.0.1/16, tier: primary}]\n",
    "a device without an address": "devices: [{tier: primary}]\n",
    "a device's address": "devices: [{mac: zz, tier: primary}]\n",
    "an exception without a reason": "overrides: [{name: a.vn, action: allow}]\n",
    "an exception for all": "overrides: [{name: '*', action: allow, reason: r, author: a}]\n",
    "terms that overlap": "calendar: {terms: [{name: a, first: 2026-09-01, last: 2026-12-31},"
                          " {name: b, first: 2026-12-31, last: 2027-05-31}]}\n",
    "a day that is none": "calendar: {terms: [{name: t, first: 2026-13-01, last: 2026-12-31}]}\n",
    "a portal that is no address": "portal: [10.0.0.300]\n",
    "an address of the wrong kind":
        "local: {records: [{name: a.lan, type: AAAA, value: 10.0.0.1}]}\n",
}  # fmt: skip
TIER = {
    "an unknown category": "block: {categories: [pron]}\n",
    "an action that is none": "action: nxdomian\n",
    "a lifetime too long": "block_ttl: 61\n",
    "a floor opened by the hour": "schedule: [{name: s, hours: ['07:00-09:00'],"
                                  " allow: {categories: [porn]}}]\n",
    "hours that are none": "schedule: [{name: s, hours: ['07:00-25:00'],"
                           " allow: {categories: [games]}}]\n",
    "an expectation that fails": f"expect: {{{BLOCKED}: allowed}}\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def filterd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    with quick_upstream() as upstream:
        made = RunningFilterd(tmp_path_factory.mktemp("run"), {"upstreams": [upstream.url]})
        yield made.start()
        made.stop(signal.SIGKILL)


def test_every_one_is_refused_and_no_question_is_lost(filterd: RunningFilterd) -> None:
    """One after the other, while a pupil asks for what is blocked."""
    current = filterd.control.call("policy.get")
    files = dict(current["files"])
    accepted = []
    cases = [(wrong, "school.yaml", text) for wrong, text in SCHOOL.items()] + [
        (wrong, "lower_secondary.yaml", f"id: lower_secondary\n{text}")
        for wrong, text in TIER.items()
    ]
    with good_questions(filterd.port, BLOCKED, 200) as stream:
        for wrong, file, text in cases:
            try:
                filterd.control.call(
                    "policy.apply", files={**files, file: text}, base=current["revision"],
                    reason=wrong,
                )  # fmt: skip
                accepted.append(wrong)
            except CallError as error:
                problems = error.body["problems"]
                assert problems and all(each["message"] for each in problems), wrong
                assert any(file in each["file"] for each in problems), (wrong, problems)
    assert accepted == []
    assert stream.lost == 0
    assert filterd.control.call("policy.get")["revision"] == current["revision"]
    assert "Traceback" not in filterd.text()


def test_a_hundred_reloads_under_load_fail_no_question(filterd: RunningFilterd) -> None:
    assert filterd.process is not None
    with good_questions(filterd.port, CANARY, 300) as stream:
        for _ in range(100):
            filterd.process.send_signal(signal.SIGHUP)
            until(lambda: filterd.outcome(BLOCKED).startswith("NXDOMAIN"), 5)
            time.sleep(0.03)  # a hundred within one reload would be two reloads
    print(f"asked {len(stream.times) + stream.lost}, lost {stream.lost} over 100 reloads")
    assert stream.lost == 0
