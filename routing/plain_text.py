"""What others wrote, made fit to be shown in one line. Knows nothing of where it is shown."""

from __future__ import annotations

import re

# Control characters, line and paragraph separators, halves of surrogate pairs, bidirectional overrides, the byte order mark.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff]")


def one_line(text: str) -> str:
    """Without line breaks, control characters and bidirectional overrides, which could make it read as something else."""
    return " ".join(_HIDDEN.sub(" ", text).split())
