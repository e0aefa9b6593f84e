"""Rules and dashboards in the real promtool and Prometheus, over what a real filterd exposes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.lab import plain_upstream
from tests.lab.running import RunningFilterd, free_ports, until

PACKAGE = files("filterd.metrics")
RULES = [Path(str(PACKAGE.joinpath("rules", name))) for name in ("recording.yaml", "alerts.yaml")]
DASHBOARDS = ["school-vi", "school-en", "local-vi", "local-en"]
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Debian's prometheus is not installed",
)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    with plain_upstream.serve() as upstream:
        settings = {"workers": 1, "upstreams": [upstream]}
        running = RunningFilterd(tmp_path_factory.mktemp("scraped"), settings)
        try:
            running.start()
            running.control.call("evidence.selftest", whole=False)
            for name in ('a"b', "x{y}", "ba\\nd", "ok.example"):
                running.ask(name.replace(" ", "") + ".example", "127.0.11.1")
            yield running
        finally:
            running.stop()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


@needs_prometheus
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_takes_the_rules(path: Path) -> None:
    subprocess.run(["promtool", "check", "rules", str(path)], check=True, timeout=60)


@needs_prometheus
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    """promtool's own unit tests: exposure, a leaking locked canary, a silent list."""
    cases = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'filterd_exposure_state{state="exposed",instance="s"}',
                     "values": "0x10 1x10"},
                    {"series": 'filterd_canary_pass{category="malware",tier="staff",instance="s"}',
                     "values": "1x10 0x10"},
                    {"series": 'filterd_canary_pass{category="games",tier="primary",instance="s"}',
                     "values": "1x20"},
                ],
                "alert_rule_test": [
                    {"eval_time": "9m", "alertname": "FilterdExposed", "exp_alerts": []},
                    {"eval_time": "9m", "alertname": "FilterdLockedCanaryFailed", "exp_alerts": []},
                    {"eval_time": "15m", "alertname": "FilterdCanaryFailed", "exp_alerts": []},
                ],
                "promql_expr_test": [
                    {"expr": 'ALERTS{alertname="FilterdExposed",alertstate="firing"}',
                     "eval_time": "15m",
                     "exp_samples": [{"labels": 'ALERTS{alertname="FilterdExposed",'
                                      'alertstate="firing",instance="s",severity="critical",'
                                      'state="exposed"}', "value": 1}]},
                    {"expr": 'count(ALERTS{alertname="FilterdLockedCanaryFailed"})',
                     "eval_time": "15m", "exp_samples": [{"labels": "{}", "value": 1}]},
                    {"expr": "filterd:locked_canary_pass:min", "eval_time": "15m",
                     "exp_samples": [{"labels": 'filterd:locked_canary_pass:min{instance="s"}',
                                      "value": 0}]},
                ],
            }
        ],
    }  # fmt: skip
    file = tmp_path / "cases.yaml"
    file.write_text(json.dumps(cases), "utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
@pytest.mark.parametrize("page", ["/metrics", "/metrics/local"])
def test_the_exposition_is_valid_whatever_was_asked(school: RunningFilterd, page: str) -> None:
    text = get(f"http://127.0.0.1:{school.metrics}{page}")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "example" not in text
    assert "127.0.11" not in text


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_what_grafana_reads(name: str) -> None:
    board: dict[str, Any] = json.loads(
        PACKAGE.joinpath("dashboards", f"{name}.json").read_text("utf-8")
    )
    assert board["schemaVersion"] >= 36
    assert {"uid", "title", "panels", "templating", "time", "version"} <= set(board)
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) >= 4
    for panel in board["panels"]:
        assert {"type", "title", "gridPos", "datasource", "fieldConfig", "targets"} <= set(panel)
        grid = panel["gridPos"]
        assert grid["x"] >= 0 and grid["x"] + grid["w"] <= 24


def test_both_languages_show_the_same() -> None:
    for kind in ("school", "local"):
        boards = [
            json.loads(PACKAGE.joinpath("dashboards", f"{kind}-{lang}.json").read_text("utf-8"))
            for lang in ("vi", "en")
        ]
        shown = [[t["expr"] for p in b["panels"] for t in p["targets"]] for b in boards]
        titles = [{p["title"] for p in b["panels"]} for b in boards]
        assert shown[0] == shown[1]
        assert not titles[0] & titles[1]


@pytest.mark.timeout(240)
@needs_prometheus
def test_a_real_prometheus_scrapes_evaluates_and_draws(
    school: RunningFilterd, tmp_path: Path
) -> None:
    """Every expression of every dashboard runs; those of what was measured give samples."""
    port = free_ports(1)[0]
    config = tmp_path / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in RULES],
                "scrape_configs": [
                    {"job_name": "filterd", "metrics_path": "/metrics/local",
                     "static_configs": [{"targets": [f"127.0.0.1:{school.metrics}"]}]}
                ],
            }
        ),
        "utf-8",
    )  # fmt: skip
    log = (tmp_path / "log").open("wb")
    prometheus = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        base = f"http://127.0.0.1:{port}/api/v1"

        def query(expression: str) -> list[Any]:
            text = get(f"{base}/query?" + urllib.parse.urlencode({"query": expression}))
            return list(json.loads(text)["data"]["result"])

        def ready() -> bool:
            try:
                return bool(query("filterd:canary_pass:min"))
            except OSError:
                return False

        # a group starts at its own offset within its interval, drawn from the path of its file
        until(ready, 150, "the first evaluation")
        assert query('up{job="filterd"} == 1')
        assert query("filterd_canary_pass == 1")
        rules = json.loads(get(f"{base}/rules"))["data"]["groups"]
        assert all(rule["health"] != "err" for group in rules for rule in group["rules"])
        empty = []
        for name in DASHBOARDS:
            board = json.loads(PACKAGE.joinpath("dashboards", f"{name}.json").read_text("utf-8"))
            for panel in board["panels"]:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$instance", ".*")
                    if not query(re.sub(r"\[\d+[mh]\]", "[1m]", expression)):
                        empty.append(target["expr"])
        assert len(empty) <= 4, empty  # rates of what did not happen in these seconds
    finally:
        prometheus.terminate()
        prometheus.wait(20)
        log.close()
