"""Renderings kept as files, to be reviewed by eye and compared to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goldens:
    """The files under tests/golden; with `--update-goldens` they take what is rendered instead of judging it."""

    updating: bool

    def check(self, name: str, rendered: str) -> None:
        """The file `name` (`slack/critical-error.json`) holds exactly this text and a newline."""
        path = FOLDER / name
        if self.updating:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{rendered}\n".encode())
        assert path.exists(), f"no golden {path.name}: run pytest --update-goldens and review the file"
        assert f"{rendered}\n" == path.read_bytes().decode(), (
            f"{name} differs: if it should, run pytest --update-goldens and review the diff"
        )
