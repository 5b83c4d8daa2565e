"""Prometheus' own tool, which says whether what we write for it is right."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def promtool(*arguments: str, text: str | None = None) -> str:
    """Its exit status and what it says. Without it the test is skipped here, and fails where CI runs."""
    program = shutil.which("promtool")
    if program is None:
        message = "there is no promtool: apt-get install --no-install-recommends prometheus"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)  # noqa: S603 - of the system
    return f"{done.returncode} {done.stdout}{done.stderr}"
