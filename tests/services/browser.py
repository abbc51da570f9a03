"""A real browser without a window: Chromium, driven by Debian's chromedriver."""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.services.choice import choose
from tests.services.debian import install
from tests.services.hosts import NotAvailable

PICTURES = os.environ.get("EVENTBRIDGE_TEST_PICTURES")
# Those that end: a way that events take is dashed for ever.
_SETTLED = """
    const ending = document.getAnimations().filter(each => each.effect.getComputedTiming().endTime !== Infinity);
    Promise.allSettled(ending.map(each => each.finished)).then(arguments[0]);
"""
_SIZE = "return [innerWidth, Math.max(innerHeight, document.getElementById('content').getBoundingClientRect().bottom)]"


class Window:
    """One window. `driver` is selenium's."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """As on a screen of that size; narrow ones are phones."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def picture(self, name: str, tallest: int = 740) -> None:
        """Keep what is seen as a PNG, in the folder that EVENTBRIDGE_TEST_PICTURES names, if it does."""
        if PICTURES:
            self.driver.execute_async_script(_SETTLED)  # colours change by and by
            width, height = self.driver.execute_script(_SIZE)
            clip = {"x": 0, "y": 0, "width": width, "height": min(height + 10, tallest), "scale": 1}
            shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            Path(PICTURES, f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    @property
    def overflow(self) -> int:
        """How many pixels stick out to the right: a phone would have to be pushed to and fro."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth - innerWidth"))

    @property
    def complaints(self) -> list[str]:
        """What the browser's console has to say since it was asked last."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if "favicon" not in entry["message"]]


class Browser:
    """Opens windows, each with cookies of its own."""

    url = ""  # it serves nobody

    def __init__(self, how: str) -> None:
        self.name = "Chromium"
        self.how = how
        self.version = ""
        with self.window() as window:
            self.version = str(window.driver.capabilities["browserVersion"])

    @contextmanager
    def window(self) -> Iterator[Window]:
        options = ChromeOptions()
        options.binary_location = _path("chromium")
        # Root has no sandbox, and containers a small /dev/shm.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        try:
            driver = Chrome(options=options, service=Service(_path("chromedriver")))
        except WebDriverException as error:
            raise NotAvailable(f"Chromium does not start: {error.msg}") from error
        try:
            yield Window(driver)
        finally:
            driver.quit()

    def close(self) -> None:
        """Every window was closed by whoever opened it."""


def browser() -> Browser:
    """The first to be had; NotAvailable, with every way's reason, if there is none."""
    return choose({"private": _installed, "install": _install}, forced_by="EVENTBRIDGE_TEST_BROWSER")


def _installed() -> Browser:
    return Browser("the installed program")


def _install() -> Browser:
    install("chromium-driver")
    return Browser("installed with apt-get")


def _path(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise NotAvailable(f"{program} is not installed")
    return found
