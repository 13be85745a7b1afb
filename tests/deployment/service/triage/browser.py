"""A real browser on a real socket, and what a reader does with the page."""

import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, Response, sync_playwright
from starlette.types import ASGIApp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PATIENCE = 60_000
"""Milliseconds: a busy machine is no failure."""


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a headless chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Yield the address at which an app answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@dataclass
class Reading:
    """A reader at the page.

    Attributes:
        page: of the browser.
        address: of the service.
        troubles: errors of the page, and what it asked of anybody else.
        expected: beginnings of troubles that the test provokes.
    """

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: ["Canvas2D: Multiple readback"])

    def watch(self) -> None:
        """Note whatever should not be."""
        page = self.page
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda one: self._note(one.type in ("error", "warning"), one.text))
        page.on("pageerror", lambda one: self._note(True, str(one)))
        page.on("request", lambda one: self._note(not one.url.startswith(self.address), one.url))

    def _note(self, is_trouble: bool, words: str) -> None:
        if is_trouble and not any(part in words for part in self.expected):
            self.troubles.append(words)

    def start(self, reader: str = "A", path: str = "") -> None:
        """Open the page and say who is reading."""
        self.page.goto(f"{self.address}/triage/{path}")
        self.page.fill("#who-name", reader)
        self.page.keyboard.press("Enter")
        self.settled()

    def until(self, code: str) -> None:
        """Wait until an expression is true. (Playwright's own way needs `eval` in the page.)"""
        give_up = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(f"() => Boolean({code})"):
            assert time.monotonic() < give_up, f"never came true: {code}"
            self.page.wait_for_timeout(20)

    def settled(self) -> None:
        """Wait until the image that is selected is shown."""
        self.page.wait_for_selector("#viewer[data-shown]")
        self.until(
            "document.getElementById('viewer').dataset.shown === "
            "document.querySelector('#rows [aria-selected=true]')?.dataset.id"
        )

    def opened(self, image: str) -> None:
        """Wait until an image is shown."""
        self.until(f"document.getElementById('viewer').dataset.shown === '{image}'")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def open(self, image: str) -> None:
        """Open an image of the list by a click."""
        self.page.click(f"#rows [data-id='{image}']")
        self.opened(image)

    def save(self) -> Response:
        """Press s, and return the service's answer."""
        with self.page.expect_response(lambda one: one.url.endswith("/reviews")) as answer:
            self.press("s")
        response = answer.value
        response.finished()
        return response

    def marks(self) -> list[str]:
        """Return what the marks on the film are called, those that are shown."""
        found = self.page.query_selector_all("#drawings .mark")
        return sorted(one.get_attribute("aria-label") or "" for one in found)

    def grey(self, x: float, y: float) -> tuple[int, int, int]:
        """Return red, green and blue of the film's canvas at shares of its width and height."""
        self.frame()
        code = (
            "([x, y]) => { const c = document.getElementById('film'); return [...c.getContext('2d')"
            ".getImageData(Math.floor(x * c.width), Math.floor(y * c.height), 1, 1).data]; }"
        )
        red, green, blue, _ = self.page.evaluate(code, [x, y])
        return red, green, blue

    def frame(self) -> None:
        """Wait until what was asked for is painted."""
        self.page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def readout(self) -> str:
        return self.page.inner_text("#readout")

    def picture(self) -> tuple[NDArray[np.uint8], tuple[float, float]]:
        """Return (H, W) greys of the stage as a screen shows it, and where it lies on the page."""
        self.frame()
        stage = self.page.locator("#stage")
        shot = Image.open(io.BytesIO(stage.screenshot())).convert("L")
        box: Any = stage.bounding_box()
        return np.asarray(shot), (box["x"], box["y"])

    def bright_box(self) -> tuple[float, float, float, float]:
        """Return where the only bright thing on the stage lies on the page: left, top, right,
        bottom in CSS pixels.
        """
        picture, (left, top) = self.picture()
        rows, columns = np.nonzero(picture > 127)
        return (
            left + columns.min(),
            top + rows.min(),
            left + columns.max() + 1,
            top + rows.max() + 1,
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mouse.move(*end)
        mouse.up()
