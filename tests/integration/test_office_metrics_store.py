"""The office's metrics in a real Prometheus, which writes them on into Debian's VictoriaMetrics."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from waitress import create_server

from admin_ui.office import assess, create_app, register
from admin_ui.office.accounts import Accounts
from admin_ui.office.ingest import Gathering
from filterd.evidence.records import Summary
from tests.lab.office_school import Box, Clock, entry, fresh_office, laboratory, pin, prove
from tests.lab.running import free_ports, until

PACKAGE = files("admin_ui.office")
RULES = [Path(str(PACKAGE.joinpath("rules", name))) for name in ("recording.yaml", "alerts.yaml")]
BOARDS = ("office-vi", "office-en")
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Debian's prometheus is not installed",
)
needs_victoria = pytest.mark.skipif(
    shutil.which("victoria-metrics") is None, reason="Debian's victoria-metrics is not installed"
)


def board(name: str) -> dict[str, Any]:
    text = PACKAGE.joinpath("dashboards", f"{name}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_of_the_office_is_what_grafana_reads(name: str) -> None:
    found = board(name)
    assert found["schemaVersion"] >= 36
    assert {"uid", "title", "panels", "templating", "time", "version"} <= set(found)
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids) >= 8
    for panel in found["panels"]:
        assert {"type", "title", "gridPos", "datasource", "fieldConfig", "targets"} <= set(panel)
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_both_languages_of_the_office_show_the_same() -> None:
    first, second = (board(name)["panels"] for name in BOARDS)
    assert [[t["expr"] for t in p["targets"]] for p in first] == [
        [t["expr"] for t in p["targets"]] for p in second
    ]
    assert not {p["title"] for p in first} & {p["title"] for p in second}


@needs_prometheus
def test_the_offices_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    """promtool's own unit tests: two processes of one office, a forgery, silence."""
    both = ('{instance="a"%s}', '{instance="b"%s}')
    series = [
        {"series": name + each % labels, "values": values}
        for each in both
        for name, labels, values in (
            ("filterd_office_register_schools", "", "100x3000"),
            ("filterd_office_schools", ',month="current",status="met"', "60x3000"),
            ("filterd_office_schools", ',month="current",status="not_met"', "20x3000"),
            ("filterd_office_schools", ',month="current",status="not_deployed"', "20x3000"),
            ("filterd_office_silent_schools", "", "0x1500 7x1500"),
            ("filterd_office_refused_total", ',code="signature"', "2x1500 3x1500"),
            ("filterd_office_refused_total", ',code="too_old"', "0x1500 9x1500"),
        )
    ]
    fired = 'count by (alertname) (ALERTS{alertstate="firing"})'
    cases = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": "filterd:office_met_of_deployed:ratio", "eval_time": "10m",
                     "exp_samples": [{"labels": "filterd:office_met_of_deployed:ratio",
                                      "value": 0.75}]},
                    {"expr": "filterd:office_met_of_register:ratio", "eval_time": "10m",
                     "exp_samples": [{"labels": "filterd:office_met_of_register:ratio",
                                      "value": 0.6}]},
                    {"expr": fired, "eval_time": "1490m", "exp_samples": []},
                    {"expr": fired, "eval_time": "1600m", "exp_samples": [
                        {"labels": '{alertname="FilterdOfficeSilentSchools"}', "value": 1},
                        {"labels": '{alertname="FilterdOfficeForgeries"}', "value": 1}]},
                ],
            }
        ],
    }  # fmt: skip
    file = tmp_path / "cases.yaml"
    file.write_text(json.dumps(cases), "utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def exposed(record: Summary) -> None:
    record["time"].update(exposed_s=6000, enforcing_s=30_000)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[int]:
    """The port of an office with six schools, one of them not in order, one without a box."""
    today = datetime.now(UTC).date()
    clock = Clock(datetime.now(UTC))
    office = fresh_office(tmp_path, clock)
    register.load(office, [entry(n, n % 2) for n in range(6)], date(2026, 1, 1))
    boxes = [Box(entry(n).id) for n in range(5)]
    month = today.replace(day=1)
    pin(office, boxes, f"{month}T00:00:00+00:00")
    gathering = Gathering(office)
    for n, box in enumerate(boxes):
        for number in range(1, max(2, today.day)):
            change = exposed if n == 0 else None
            gathering.take(box.day(month.replace(day=number), change))
    laboratory(office)
    prove(office, month.isoformat()[:7], {box.school: 4 for box in boxes})
    assess.sweep_all(office)
    accounts = Accounts(office)
    server = create_server(create_app(office, accounts), host="127.0.0.1", port=0, threads=2)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    yield int(server.effective_port)
    server.close()
    thread.join(5)
    accounts.close()
    office.engine.dispose()


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def query(port: int, expression: str) -> list[Any]:
    """Samples of an instant query; none while the server is not up yet."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return list(json.loads(reply.read())["data"]["result"])
    except OSError:
        return []


@needs_prometheus
@needs_victoria
@pytest.mark.timeout(240)
def test_remote_write_carries_the_office_into_a_cluster_store(hub: int, tmp_path: Path) -> None:
    """Prometheus scrapes, evaluates the rules, draws every panel, and writes on; the store has the
    same numbers and answers the dashboard's questions too."""
    prometheus, victoria = free_ports(2)
    config = tmp_path / "prometheus.yml"
    rules = tmp_path / "recording.yaml"  # the same rules, evaluated each second
    rules.write_text(RULES[0].read_text("utf-8").replace("interval: 1m", "interval: 1s"), "utf-8")
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(rules), str(RULES[1])],
                "scrape_configs": [
                    {"job_name": "office", "static_configs": [{"targets": [f"127.0.0.1:{hub}"]}]}
                ],
                "remote_write": [{"url": f"http://127.0.0.1:{victoria}/api/v1/write"}],
            }
        ),
        "utf-8",
    )
    store = ["victoria-metrics", f"-httpListenAddr=127.0.0.1:{victoria}",
             f"-storageDataPath={tmp_path / 'vm'}", "-search.latencyOffset=0s"]  # fmt: skip
    scraper = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
               f"--web.listen-address=127.0.0.1:{prometheus}"]  # fmt: skip
    wanted = {"met": "4", "not_met": "1", "not_deployed": "1"}
    asked = 'filterd_office_schools{month="current"} > 0'
    with running(store, tmp_path / "vm.log"), running(scraper, tmp_path / "prometheus.log"):
        for port in (prometheus, victoria):
            until(lambda port=port: query(port, "filterd:office_commune_met:ratio"), 120, "rules")  # type: ignore[misc]
            found = {row["metric"]["status"]: row["value"][1] for row in query(port, asked)}
            assert found == wanted
        empty = [
            target["expr"]
            for panel in board("office-vi")["panels"]
            for target in panel["targets"]
            for port in (prometheus, victoria)
            if not query(port, target["expr"])
        ]
        assert set(empty) <= {"max by (code) (delta(filterd_office_refused_total[1d]))"}
