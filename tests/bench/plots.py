"""Latency as pictures: one SVG for each fixed rate, one line a server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pygal

from tests.bench.load import SHARES

OUT = Path(__file__).parents[1] / ".out"


def latency(found: dict[str, Any]) -> list[Path]:
    """The pictures of a result of the part `main`; both axes logarithmic: the share of answers that
    came later, and milliseconds."""
    OUT.mkdir(exist_ok=True)
    loads = found["servers"][0]["loads"]
    return [_one(load, found["servers"]) for load in loads if "@" in load]


def _one(load: str, servers: list[dict[str, Any]]) -> Path:
    marks = [{"value": -math.log10(1 - share), "label": title} for title, share in SHARES]
    chart = pygal.XY(
        title=f"{load.replace('@', ' at ')} q/s: ms to the answer",
        x_title="answers that came sooner, %", logarithmic=True, x_labels=marks, truncate_legend=-1,
    )  # fmt: skip
    for server in servers:
        tails = server["loads"][load]
        points = [(-math.log10(1 - share), tails[f"p{title}_ms"]) for title, share in SHARES]
        chart.add(server["server"], points)
    path = OUT / f"latency-{load.replace('@', '-')}.svg"
    chart.render_to_file(str(path))
    return path
