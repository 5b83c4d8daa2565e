"""Writes the table of what `make faults` has measured."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from tests.faults.stage import CANARY_SECONDS, FOUND

HEAD = f"""# How soon a fault is told

Written by `make faults`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: the real web and worker processes on SQLite, real Redis and SMTP,
vendors that keep state. Each fault is put in while all is well, and the time is taken until somebody is told of it by a receiver that
it does not concern. Canaries fly every {CANARY_SECONDS} s here, and every 15 min where `watch: {{canary: …}}` says nothing else: what
they find is told so much later.

| fault | found by | told by | after s | at most |
| --- | --- | --- | --- | --- |
"""


def main() -> None:
    """To standard output."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOUND.glob("*.json"))]
    rows = [f"| {one['fault']} | `{one['check']}` | {one['told_by']} | {one['seconds']:.1f} | {one['within']:.0f} |" for one in found]
    sys.stdout.write(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
