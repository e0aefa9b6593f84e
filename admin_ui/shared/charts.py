"""Charts as SVG pictures, drawn on the server by pygal; every chart has a table beside it.

Pure: numbers in, bytes out. Knows no route and no noun. None is a gap (a cell kept back because
fewer than ten clients are behind it), never a zero.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from pygal.style import Style

# pygal puts a finder of the old kind into the import path, which warns at every later import.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]

COLOURS = ("#0d6cb8", "#17864f", "#b35900", "#8a3fa0", "#b3263a", "#4d5b70")
COLOURS_DARK = ("#82bdf5", "#86dba7", "#f2c871", "#d7a5ea", "#ffa3aa", "#a6b4c6")
GREYS = ("#15202f", "#4d5b70", "#d6dde8")
GREYS_DARK = ("#e7edf5", "#a6b4c6", "#2d3a4b")
FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


def _style(dark: bool) -> Style:
    text, faint, line = GREYS_DARK if dark else GREYS
    return Style(
        background="transparent",
        plot_background="transparent",
        foreground=faint,
        foreground_strong=text,
        foreground_subtle=line,
        guide_stroke_color=line,
        major_guide_stroke_color=line,
        guide_stroke_dasharray="2,4",
        opacity=".9",
        opacity_hover="1",
        transition="0s",
        colors=COLOURS_DARK if dark else COLOURS,
        font_family=FONT,
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=14,
        no_data_font_size=18,
    )


def lines(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int | None]],
    *,
    dark: bool,
    empty: str,
    every: int = 1,
) -> bytes:
    """Stacked areas over time, one per series; `every` n-th label is written."""
    chart = pygal.StackedLine(
        fill=True,
        style=_style(dark),
        width=560,
        height=330,
        show_dots=False,
        legend_at_bottom_columns=3,
        x_label_rotation=0,
        no_data_text=empty,
        **_ALIKE,
    )
    if not any(value for values in series.values() for value in values):
        chart.y_labels = [0]
    return _drawn(chart, labels, series, every)


_ALIKE: dict[str, Any] = {
    "explicit_size": False,
    "js": (),
    "legend_at_bottom": True,
    "legend_box_size": 14,
    "margin": 10,
    "margin_bottom": 40,
    "truncate_label": -1,
    "truncate_legend": -1,
    "show_minor_x_labels": False,
    "disable_xml_declaration": True,
    "min_scale": 3,
    "max_scale": 5,
    "value_formatter": lambda value: f"{value:.0f}",
}
"""What both kinds of chart have in common."""

STATUS_COLOURS = ("#1c8552", "#2f7fc4", "#c0392b", "#d99a1c", "#9aa7b8")
STATUS_COLOURS_DARK = ("#58c98a", "#7db8ee", "#f08a80", "#ecc566", "#6d7b8e")


def bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int | None]],
    *,
    dark: bool,
    empty: str,
    every: int = 1,
) -> bytes:
    """Stacked bars, one series for each of the five statuses in their own colours."""
    style = _style(dark)
    style.colors = STATUS_COLOURS_DARK if dark else STATUS_COLOURS
    chart = pygal.StackedBar(
        style=style,
        width=900,
        height=380,
        legend_at_bottom_columns=2,
        no_data_text=empty,
        **_ALIKE,
    )
    return _drawn(chart, labels, series, every)


def _drawn(
    chart: Any, labels: Sequence[str], series: Mapping[str, Sequence[int | None]], every: int
) -> bytes:
    """The chart as SVG with its labels and series in place."""
    chart.x_labels = list(labels)
    chart.x_labels_major = list(labels)[::every]
    for title, values in series.items():
        chart.add(title, list(values))
    return str(chart.render()).encode()
