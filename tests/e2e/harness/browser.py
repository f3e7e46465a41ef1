"""A real headless Chromium, driven by its own chromedriver over W3C WebDriver (w3.org/TR/webdriver2). Standard library alone.

Both are Debian's (chromium, chromium-driver). The browser has a profile of its own, resolves no name, and keeps a list of every
request that it makes.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .programs import free_port, installed, running_program

MISSING = "chromium and chromedriver are not installed; on Debian: apt-get install chromium chromium-driver"

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--no-default-browser-check", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key that WebDriver has for a reference to an element."""
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Down": "\ue015", "Up": "\ue013", "Space": " "}


def chromium_programs() -> tuple[Path, Path] | None:
    """Where the browser and its driver are; ``None`` where one of them is not installed."""
    browser, driver = installed("chromium", "/usr/bin"), installed("chromedriver", "/usr/bin")
    return None if browser is None or driver is None else (browser, driver)


class Browser:
    """One window."""

    def __init__(self, driver_url: str, browser: Path, profile: Path) -> None:
        self._driver_url = driver_url
        options = {"binary": str(browser), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{session['sessionId']}"

    def open(self, url: str) -> None:
        self._do("POST", "/url", {"url": url})

    def close(self) -> None:
        self._do("DELETE", "")

    def run(self, script: str, *arguments: object) -> Any:
        """What a script (the body of a function) returns."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_until(self, script: str, *arguments: object, seconds: float = 30) -> Any:
        """The first true value of a script. Raises TimeoutError."""
        return self.wait_for(lambda: self.run(script, *arguments), script, seconds)

    def wait_for(self, wanted: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        until = time.monotonic() + seconds
        while not (found := wanted()):
            if time.monotonic() > until:
                message = f"not within {seconds} s: {what}\n{self.text('body')}"
                raise TimeoutError(message)
            time.sleep(0.05)
        return found

    def text(self, selector: str) -> str:
        """What a person reads of the first element."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)", selector))

    def click(self, selector: str) -> None:
        found = self._do("POST", "/element", {"using": "css selector", "value": selector})
        self._do("POST", f"/element/{found[ELEMENT]}/click", {})

    def choose(self, selector: str, value: str) -> None:
        """Choose in a list, as a person would: the page hears of it."""
        self.run(
            "const list = document.querySelector(arguments[0]); list.value = arguments[1];"
            "for (const kind of ['input', 'change']) list.dispatchEvent(new Event(kind, {bubbles: true}));",
            selector,
            value,
        )

    def press(self, *keys: str) -> None:
        """Keys of the keyboard, one after another."""
        strokes = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def show_as(self, *, width: int, height: int, scheme: str) -> None:
        """A window of that size, on a machine whose owner prefers ``light`` or ``dark``."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        return base64.b64decode(self._do("GET", "/screenshot"))

    def requested(self) -> list[str]:
        """Every URL that the window has asked for since this was asked last."""
        entries = self._do("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [told["params"]["request"]["url"] for told in messages if told["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the console says: errors of scripts, and what the page's policy has refused."""
        return [entry["message"] for entry in self._do("POST", "/se/log", {"type": "browser"})]

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _do(self, method: str, path: str, content: object = None) -> Any:
        return self._ask(method, self._session + path, content)

    def _ask(self, method: str, path: str, content: object) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._driver_url + path, body, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None


@contextmanager
def running_browser(directory: Path) -> Iterator[Browser]:
    """A browser with one window, until the block is left."""
    programs = chromium_programs()
    assert programs is not None, MISSING
    browser, driver = programs
    port = free_port()
    with running_program([driver, f"--port={port}"], ("127.0.0.1", port), directory):
        window = Browser(f"http://127.0.0.1:{port}", browser, directory / "profile")
        try:
            yield window
        finally:
            window.close()
