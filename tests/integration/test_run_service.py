"""`filterd run` as a school meets it: five tiers, edits felt at once, faults."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import pytest

from filterd.control.client import CallError
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.running import TIERS, RunningFilterd, until

GOOD = "NOERROR 192.0.2.1"


@pytest.fixture(scope="module")
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def filterd(
    tmp_path_factory: pytest.TempPathFactory, upstream: LyingUpstream
) -> Iterator[RunningFilterd]:
    running = RunningFilterd(tmp_path_factory.mktemp("run"), {"upstreams": [upstream.url]})
    yield running.start()
    running.stop()


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_is_answered_by_its_own_rules(filterd: RunningFilterd, tier: str) -> None:
    assert filterd.outcome("allowed.canary.filterd.test", tier) == GOOD
    assert filterd.outcome("malware.canary.filterd.test", tier).startswith("NXDOMAIN")
    # dating is closed to pupils at every hour, games are open in some tiers' free time
    dating = filterd.outcome("dating.canary.filterd.test", tier)
    assert dating.startswith("NOERROR" if tier == "staff" else "NXDOMAIN")
    plain = filterd.outcome("www.example.com", tier)
    assert plain == ("NXDOMAIN" if tier == "preschool" else GOOD)


def test_an_unknown_source_gets_the_strictest_tier(filterd: RunningFilterd) -> None:
    assert filterd.ask("www.example.com", "127.0.99.1").rcode() == 3


def test_the_first_start_prints_what_a_person_needs_once(filterd: RunningFilterd) -> None:
    text = filterd.text()
    assert re.search(r"admin  ([a-z2-9]{5}-){3}[a-z2-9]{5}\n", text)
    assert text.count("dig -p") == 3
    assert f"http://127.0.0.1:{filterd.metrics}/metrics" in text


def test_state_is_private(filterd: RunningFilterd) -> None:
    var = filterd.folder / "var"
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    for file in (var / "filterd.db", *(var / "keys").iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    password = re.search(r"admin  (\S+)", filterd.text())
    assert password
    for file in var.rglob("*"):
        if file.is_file():
            assert password[1].encode() not in file.read_bytes(), file


def test_an_edit_is_felt_within_a_second(filterd: RunningFilterd) -> None:
    before = filterd.control.call("policy.get")
    added = filterd.control.call(
        "overrides.add", name="www.example.net", allow=False, minutes=5, reason="thử nghiệm"
    )
    began = time.monotonic()
    until(lambda: filterd.outcome("www.example.net").startswith("NXDOMAIN"), 1.0, "the block")
    assert time.monotonic() - began < 1.0
    assert filterd.outcome("www.example.org") == GOOD
    filterd.control.call("overrides.cancel", id=added["id"])
    until(lambda: filterd.outcome("www.example.net") == GOOD, 1.0, "the end of the block")
    after = filterd.control.call("policy.get")
    assert after["revision"] == before["revision"] + 2
    tiers = [name for name in before["files"] if name != "school.yaml"]
    assert all(before["files"][name] == after["files"][name] for name in tiers)


def test_an_own_list_acts_with_the_call_that_saves_it(filterd: RunningFilterd) -> None:
    """Every worker answers by it before the caller has his answer; the floor stays as it is."""
    name = "own-list.example.org"
    assert filterd.outcome(name, "staff") == GOOD
    floor = "malware.canary.filterd.test"
    answer = filterd.control.call(
        "lists.local_set", category="malware", reason="thử nghiệm",
        text=f"{name}\n@@||{floor}^$important\n",
    )  # fmt: skip
    assert answer["entries"] == 1 and answer["dropped"] == {"floor_exception": 1}
    assert all(filterd.outcome(name, "staff").startswith("NXDOMAIN") for _ in range(8))
    assert filterd.outcome(floor, "staff").startswith("NXDOMAIN")
    filterd.control.call("lists.local_set", category="malware", text="", reason="thử nghiệm")
    until(lambda: filterd.outcome(name, "staff") == GOOD, 5.0, "the end of the block")


def test_policy_apply_by_command_changes_answers(filterd: RunningFilterd, tmp_path: Path) -> None:
    assert filterd.command("policy", "export", str(tmp_path / "p")).returncode == 0
    school = tmp_path / "p" / "school.yaml"
    text = school.read_text("utf-8")
    cut = text.replace("127.0.14.0/24", "127.0.15.0/24")
    assert cut != text
    school.write_text(cut, "utf-8")
    assert filterd.command("policy", "diff", str(tmp_path / "p")).returncode == 1
    applied = filterd.command("policy", "apply", str(tmp_path / "p"), "--reason", "đổi mạng")
    assert applied.returncode == 0, applied.stderr
    until(lambda: filterd.outcome("www.example.com", "staff") == "NXDOMAIN", 1.0, "the change")
    number = int(applied.stdout.split()[1])
    back = filterd.command("policy", "rollback", str(number - 1))
    assert back.returncode == 0, back.stderr
    until(lambda: filterd.outcome("www.example.com", "staff") == GOOD, 1.0, "the way back")
    history = filterd.command("policy", "history").stdout
    assert "đổi mạng" in history and f"* {number + 1:>4}" in history


def test_a_broken_policy_changes_nothing(filterd: RunningFilterd) -> None:
    current = filterd.control.call("policy.get")
    broken = {**current["files"], "primary.yaml": "id: primary\nbocked: [porn]\n"}
    with pytest.raises(CallError) as caught:
        filterd.control.call(
            "policy.apply", files=broken, base=current["revision"], reason="lỗi gõ phím"
        )
    assert any("bocked" in problem["key"] for problem in caught.value.body["problems"])
    assert filterd.control.call("policy.get")["revision"] == current["revision"]
    assert filterd.outcome("porn.canary.filterd.test", "primary").startswith("NXDOMAIN")


def test_a_policy_whose_own_expectation_fails_is_refused(filterd: RunningFilterd) -> None:
    current = filterd.control.call("policy.get")
    files = dict(current["files"])
    files["staff.yaml"] += '\nexpect: {"malware.canary.filterd.test": allowed}\n'
    if files["staff.yaml"].count("\nexpect:") > 1:
        files["staff.yaml"] = re.sub(
            r"\nexpect:\n", '\nexpect:\n  "malware.canary.filterd.test": allowed\n',
            current["files"]["staff.yaml"],
        )  # fmt: skip
    with pytest.raises(CallError) as caught:
        filterd.control.call(
            "policy.apply", files=files, base=current["revision"], reason="kỳ vọng sai"
        )
    assert "malware.canary" in str(caught.value.body["problems"])


def test_an_edit_of_an_old_revision_is_a_conflict(filterd: RunningFilterd) -> None:
    current = filterd.control.call("policy.get")
    with pytest.raises(CallError) as caught:
        filterd.control.call(
            "policy.apply", files=current["files"], base=current["revision"] - 1, reason="cũ rồi"
        )
    assert caught.value.code == "conflict"


def test_preview_says_what_would_change(filterd: RunningFilterd) -> None:
    current = filterd.control.call("policy.get")
    files = {**current["files"]}
    files["school.yaml"] = files["school.yaml"].replace("127.0.14.0/24", "127.0.15.0/24")
    seen = filterd.control.call("policy.preview", files=files, base=current["revision"])
    assert seen["problems"] == [] and seen["failures"] == []
    assert seen["changes"] and {"vi", "en", "weakens"} <= set(seen["changes"][0])
    assert seen["blast"]["k"] == 10


def test_killing_a_worker_under_load_loses_next_to_nothing(filterd: RunningFilterd) -> None:
    def ask(number: int) -> bool:
        try:
            filterd.ask("allowed.canary.filterd.test", f"127.0.12.{number % 200 + 1}", seconds=5)
        except dns.exception.Timeout:
            return False
        return True

    before = {worker["pid"] for worker in filterd.control.call("status.get")["workers"]}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number) for number in range(600)]
        until(lambda: sum(each.done() for each in asked) > 200)
        os.kill(next(iter(before)), signal.SIGKILL)
        lost = sum(not each.result() for each in asked)
    assert lost <= 3

    def replaced() -> bool:
        workers = filterd.control.call("status.get")["workers"]
        return all(w["alive"] for w in workers) and {w["pid"] for w in workers} != before

    until(replaced, what="the replacement")
    assert "filterd_worker_restarts_total 1.0" in metrics(filterd, "/metrics")


def test_workers_have_room_for_their_sockets_from_the_start(filterd: RunningFilterd) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for worker in filterd.control.call("status.get")["workers"]:
        status = Path(f"/proc/{worker['pid']}/status").read_text()
        assert int(status.partition("FDSize:")[2].split()[0]) >= min(hard, 16_384)


def test_a_storm_of_sighup_loses_nothing(filterd: RunningFilterd) -> None:
    assert filterd.process is not None
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(filterd.outcome, "porn.canary.filterd.test", "primary") for _ in range(200)
        ]
        for _ in range(50):
            filterd.process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        assert {each.result() for each in asked} == {"NXDOMAIN"}
    assert filterd.control.call("status.get")["state"] == "enforcing"


def metrics(filterd: RunningFilterd, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{filterd.metrics}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_metrics_count_what_was_asked(filterd: RunningFilterd) -> None:
    for _ in range(3):
        filterd.outcome("porn.canary.filterd.test", "primary")
    local = metrics(filterd, "/metrics/local")
    found = re.search(r'filterd_blocked_total{category="porn",tier="primary"} (\d+)', local)
    assert found and int(found[1]) >= 3
    safe = metrics(filterd, "/metrics")
    assert "filterd_policy_revision" in safe
    # A canary's result names a tier and tells of the filter; nothing here tells of traffic.
    assert "filterd_blocked" not in safe and "filterd_queries" not in safe
    for family in ("entries", "unique_entries", "dropped_lines", "intact"):
        assert f'filterd_list_{family}{{list="own_gambling"}}' in safe, family
    assert 'filterd_list_category_entries{category="gambling"}' in safe
    with pytest.raises(urllib.error.HTTPError):
        metrics(filterd, "/else")


def test_doctor_finds_nothing_wrong(filterd: RunningFilterd) -> None:
    found = filterd.command("doctor")
    assert found.returncode == 0, found.stdout
    assert "enforcing" in found.stdout


def test_every_act_is_in_the_audit_chain(filterd: RunningFilterd) -> None:
    assert filterd.control.call("audit.verify")["ok"]
    items = filterd.control.call("audit.list", limit=200)["items"]
    assert {"policy.apply", "policy.weaken"} <= {item["action"] for item in items}
    assert all(item["actor"] for item in items)


def test_a_second_filterd_is_told_who_has_the_state(
    filterd: RunningFilterd, tmp_path: Path
) -> None:
    other = RunningFilterd(tmp_path, {"state_dir": str(filterd.folder / "var")})
    assert other.spawn().wait(30) == 78
    assert filterd.process is not None
    assert f"(pid {filterd.process.pid})" in other.text()


def test_a_taken_port_names_its_holder(tmp_path: Path) -> None:
    other = RunningFilterd(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", other.port))
        assert other.spawn().wait(30) == 78
    assert f"UDP 127.0.0.1:{other.port} is taken by" in other.text()
    assert f"(pid {os.getpid()})" in other.text()
