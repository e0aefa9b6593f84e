"""What the console shows of other rooms' words has words of its own in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

from admin_ui.school.acts import act_titles
from admin_ui.school.held import reason_in_words
from filterd.lists import gate

ROOT = Path(__file__).parents[3] / "filterd"
WRITTEN = re.compile(r'audit\(\s*\w+,\s*"([a-z_.]+)"')
FIGURES = {"before": 60, "entries": 60, "removed": 0, "mistakes": 0, "lines": 10, "protected": ()}


def test_every_act_that_is_audited_has_words(console: Flask) -> None:
    written = {
        found
        for path in (ROOT / "control").glob("*.py")
        for found in WRITTEN.findall(path.read_text("utf-8"))
    }
    assert len(written) > 25
    with console.test_request_context():
        assert written <= act_titles().keys(), written - act_titles().keys()


def test_every_reason_of_the_gate_has_words(console: Flask) -> None:
    limits = gate.Thresholds(floor=0)
    cases = (
        {"before": 1000, "entries": 12, "removed": 988},
        {"before": 10, "entries": 4000},
        {"before": 1000, "entries": 1000, "removed": 900},
        {"mistakes": 9},
        {"protected": tuple(f"n{i}.example" for i in range(9))},
    )
    with console.test_request_context(headers={"Accept-Language": "vi"}):
        for changed in cases:
            [reason] = gate.reasons({**FIGURES, **changed}, (), limits)
            said = reason_in_words(reason)
            assert said != reason and set(re.findall(r"\d+", reason)[:1]) <= set(
                re.findall(r"\d+", said)
            ), (reason, said)
