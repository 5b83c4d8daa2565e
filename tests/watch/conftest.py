"""What the tests of the watch share."""

from __future__ import annotations

from tests.web.conftest import closed_at_the_end

__all__ = ["closed_at_the_end"]
