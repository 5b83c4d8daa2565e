"""A real Chromium in front of the real web server, for tests of what people see and do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.service import ROOT, Service

SHOTS = ROOT / "build" / "screenshots"
SIZES: Mapping[str, ViewportSize] = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ZOOMED: Mapping[str, int] = {"200 %": 640, "400 %": 320}
"""How wide a desktop is for whoever needs large letters (WCAG 2.2, 1.4.4 and 1.4.10)."""
LOOKED_AT = {("light", "desktop"), ("dark", "phone")}
"""In which axe-core looks: each colour and each size once, for it takes a second."""
SERIOUS = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's. Without it the tests of a browser are skipped here, and fail where CI runs."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        message = "there is no Chromium: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@dataclass(slots=True)
class Visitor:
    """Somebody at a page. What the browser complains of is kept in `complaints`; a test that ends with any has failed."""

    browser: Browser
    base: str
    complaints: list[str] = field(default_factory=list)

    def page(self, *, size: str = "desktop", scheme: str = "light", has_script: bool = True) -> Page:
        """A new one, of nobody else's cookies."""
        context = self.browser.new_context(
            viewport=SIZES[size],
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=has_script,
            reduced_motion="reduce",  # no picture is taken while something fades
            base_url=self.base,
        )
        page = context.new_page()
        page.on("console", lambda message: self._hear(message))  # noqa: PLW0108 - Playwright would write into the instance
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def shoot(self, path: str, name: str) -> None:
        """Screenshots of a page, light and dark, large and small; and nothing on it may hinder whoever uses other senses."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        page = self.page()
        page.goto(path)
        for scheme, size in product(SCHEMES, SIZES):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(SIZES[size])
            page.screenshot(path=SHOTS / f"{name}-{scheme}-{size}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is wider than a {size}"
            if (scheme, size) in LOOKED_AT:
                assert faults(page) == [], f"{name}, {scheme}, {size}"
        for zoom, width in ZOOMED.items():
            page.set_viewport_size({"width": width, "height": 512})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide at {zoom}"
        page.context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical, each with where it is."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


@contextmanager
def visited(service: Service) -> Iterator[Visitor]:
    """Somebody in front of a service that is up."""
    with chromium() as browser:
        visitor = Visitor(browser, f"http://127.0.0.1:{service.port}")
        yield visitor
        assert visitor.complaints == []
