"""Tables of dashboards: on a page and as CSV the same."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from flask import current_app, url_for

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a formula of a cell: https://owasp.org/www-community/attacks/CSV_Injection."""


class Link(NamedTuple):
    """A text that leads somewhere; nowhere without an address."""

    text: str
    address: str

    def __str__(self) -> str:
        return self.text


class Badge(NamedTuple):
    """A word in its colour."""

    word: str

    def __str__(self) -> str:
        return self.word


class Part(NamedTuple):
    """A part of a whole, from 0 to 1."""

    share: float

    def __str__(self) -> str:
        return f"{self.share:.4f}"

    @property
    def percent(self) -> str:
        """As people read it."""
        return f"{self.share * 100:.0f} %"


Cell: TypeAlias = "str | int | float | datetime | Link | Badge | Part | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table."""

    name: str
    """As its address has it."""
    title: str
    said: str
    """What is counted."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[str] = frozenset()
    """The columns that are numbers."""
    is_folded: bool = False
    """Whether a page shows it only to who asks: a picture says the same."""


def as_csv(sheet: Sheet) -> str:
    """For spreadsheets: no cell that an alert has filled is a formula there."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(_written, sheet.columns))
    writer.writerows([*map(_written, row)] for row in sheet.rows)
    return text.getvalue()


def address_of_alert(event_id: int) -> str:
    """Of its page; none where this console has no such pages."""
    return url_for("console.alert", event_id=event_id) if "console.alert" in current_app.view_functions else ""


def address_of_incident(id_: int) -> str:
    """Of its page; none where this console has no such pages."""
    return url_for("console.incident", id_=id_) if "console.incident" in current_app.view_functions else ""


def _written(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, int | float):
        return cell
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
