"""Small charts as pictures: they need no script, and follow the colours of the system."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pygal
from pygal.style import Style

_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#6c757d",
    foreground_strong="#6c757d",
    foreground_subtle="#adb5bd55",
    opacity="1",
    opacity_hover="1",
    colors=("#0d6efd", "#198754", "#6c757d", "#dc3545", "#fd7e14", "#6f42c1", "#20c997", "#d63384"),
    font_family="system-ui, sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=14,
)


def bars(series: Mapping[str, Sequence[float | None]], labels: Sequence[str], *, height: int = 160, stacked: bool = False) -> str:
    """Bars side by side or upon each other, as the address of a picture."""
    kind = pygal.StackedBar if stacked else pygal.Bar
    return _picture(kind, series, labels, height)


def lines(series: Mapping[str, Sequence[float | None]], labels: Sequence[str], *, height: int = 220) -> str:
    """Lines, as the address of a picture."""
    return _picture(pygal.Line, series, labels, height)


def _picture(kind: type[pygal.Bar], series: Mapping[str, Sequence[float | None]], labels: Sequence[str], height: int) -> str:
    chart = kind(
        style=_STYLE,
        width=720,
        height=height,
        js=(),
        pretty_print=False,
        disable_xml_declaration=False,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        margin=6,
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
