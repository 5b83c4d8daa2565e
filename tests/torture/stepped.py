"""Starts our processes with a clock that is as far from the machine's as a file says, for that one may not be stepped here.

`python -m tests.torture.stepped` is the worker, `tests.torture.stepped:serve` the factory of the web process.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

CLOCK_FILE = "TORTURE_CLOCK"
"""The variable that names the file, which holds seconds."""


class Stepped(datetime):
    """Knows another now."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # what is made of it is a plain moment
        """The machine's, and what the file says."""
        return datetime.now(tz) + timedelta(seconds=float(Path(os.environ[CLOCK_FILE]).read_text()))


def step(*modules: ModuleType) -> None:
    """Let these modules look at this clock."""
    for module in modules:
        module.datetime = Stepped  # type: ignore[attr-defined]  # each has imported it by this name


def serve() -> Flask:
    """The web process."""
    import app  # noqa: PLC0415 - nothing of it is needed by a worker
    from web import changes  # noqa: PLC0415 - the same

    step(app, changes)
    return app.serve()


if __name__ == "__main__":
    import worker

    step(worker)
    worker.main()
