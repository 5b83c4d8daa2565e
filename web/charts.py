"""Small charts as pictures: they need no script, and follow the colours of the system."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pygal
from pygal.style import Style

COLOURS = ("#0d6efd", "#198754", "#6c757d", "#dc3545", "#fd7e14", "#6f42c1", "#20c997", "#d63384")
BLUE, GREEN, GREY, RED, ORANGE, *_ = COLOURS

Series: TypeAlias = Mapping[str, Sequence[float | None]]
"""By name a value for each label."""


def bars(series: Series, labels: Sequence[str], *, height: int = 160, stacked: bool = False, colours: Sequence[str] = COLOURS) -> str:
    """Bars side by side or upon each other, as the address of a picture."""
    kind = pygal.StackedBar if stacked else pygal.Bar
    return _picture(kind, series, labels, height, colours)


def lines(series: Series, labels: Sequence[str], *, height: int = 220, colours: Sequence[str] = COLOURS) -> str:
    """Lines, as the address of a picture."""
    return _picture(pygal.Line, series, labels, height, colours)


def _picture(kind: type[pygal.Bar], series: Series, labels: Sequence[str], height: int, colours: Sequence[str]) -> str:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="#6c757d",
        foreground_strong="#6c757d",
        foreground_subtle="#adb5bd55",
        opacity="1",
        opacity_hover="1",
        colors=tuple(colours),
        guide_stroke_color="#adb5bd88",
        major_guide_stroke_color="#adb5bd88",
        font_family="system-ui, sans-serif",
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=14,
    )
    chart = kind(
        style=style,
        width=720,
        height=height,
        js=(),
        pretty_print=False,
        disable_xml_declaration=False,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        margin=6,
        margin_bottom=26 if len(series) > 1 else 6,  # pygal leaves no room of its own for a legend below
        spacing=6,
        show_minor_x_labels=False,
        x_labels_major_every=max(1, len(labels) // 6),
        truncate_label=-1,
        min_scale=2,
        max_scale=4,
        no_data_text="nothing",
    )
    chart.x_labels = list(labels)
    for name, values in series.items():
        chart.add(name, list(values))
    return "data:image/svg+xml;base64," + base64.b64encode(chart.render()).decode("ascii")
