"""Who has changed what."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from storage import audit as stored
from storage.users import Role
from web.access import needs
from web.desk import desk

ROWS = 100


def add_audit(console: Blueprint) -> None:
    """Its page, the newest first; it goes on by the primary key."""

    @console.get("/audit")
    @needs(Role.ADMIN)
    def audit() -> str:
        before = request.args.get("before", "")
        number = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
        found = stored.listed(desk().engine, before=number, limit=ROWS + 1)
        return render_template("audit.html", entries=found[:ROWS], has_more=len(found) > ROWS, is_first=number is None)
