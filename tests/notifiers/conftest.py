"""What the notifiers' tests share."""

from __future__ import annotations

import pytest

from tests.notifiers.golden import Goldens


@pytest.fixture
def goldens(request: pytest.FixtureRequest) -> Goldens:
    return Goldens(updating=bool(request.config.getoption("--update-goldens")))
