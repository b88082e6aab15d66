"""A real browser for tests: headless Chromium, what it asks of the network and says in its console, and axe-core.

Pages are opened from the disk, and no name of a host is ever found: what a page would fetch is seen and not fetched.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

webdriver = pytest.importorskip("selenium.webdriver", reason="the tests in a browser need selenium")

_ARGUMENTS = """
--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu --no-first-run --hide-scrollbars
--disable-background-networking --disable-component-update --disable-default-apps --disable-extensions --disable-sync
--window-size=1400,1000 --force-device-scale-factor=1 --lang=en
""".split()
_NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND"
_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(
  (found) => done({violations: found.violations, incomplete: found.incomplete, passes: found.passes.length}),
  (error) => done({error: String(error)}),
);
"""


@contextmanager
def started() -> Iterator[Browser]:
    """Start a browser for the length of a block; skip the test where something is missing."""
    paths = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    for name, path in paths.items():
        if path is None:
            pytest.skip(f"{name} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = paths["chromium"]
    for argument in (*_ARGUMENTS, _NO_HOST):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # The path of the driver is given: selenium would look for one in the network.
    driver = webdriver.Chrome(options, webdriver.ChromeService(paths["chromedriver"]))
    try:
        driver.set_script_timeout(120)
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """One browser with one tab; everything that a test asks is about the page that was opened last."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._events: list[dict[str, Any]] = []
        self._said: list[dict[str, Any]] = []
        self._url = ""

    def open(self, path: Path, *, dark: bool = False, reduced_motion: bool = False) -> None:
        """Open a file, with nothing left over from the page before."""
        self.media(dark=dark, reduced_motion=reduced_motion)
        self.driver.get("about:blank")
        self._drain()
        self._events, self._said = [], []
        self._url = path.as_uri()
        self.driver.get(self._url)

    def media(self, *, dark: bool = False, reduced_motion: bool = False) -> None:
        """Say what the user prefers; a page that is open hears of it at once."""
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if reduced_motion else "no-preference",
        }
        given = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})

    def resize(self, width: int, height: int) -> None:
        """Give the page a viewport of so many pixels of CSS; ``restore`` takes it back."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def restore(self) -> None:
        """Take back what ``resize`` did."""
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    # --- what the page did ----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Collect what has happened; the browser tells of it a moment later."""
        self.driver.execute_async_script("setTimeout(arguments[0], 100)")
        self._drain()

    def _drain(self) -> None:
        for entry in self.driver.get_log("performance"):
            self._events.append(json.loads(entry["message"])["message"])
        self._said += self.driver.get_log("browser")

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, the document itself left out; sockets too."""
        self._settle()
        asked = []
        for event in self._events:
            parameters = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked.append(str(parameters["request"]["url"]))
            elif event["method"] in ("Network.webSocketCreated", "Network.webTransportCreated"):
                asked.append(str(parameters["url"]))
        if self._url in asked:
            asked.remove(self._url)  # once: a page that asks for itself again is a page that asks
        return asked

    def refused(self) -> list[str]:
        """Return those of the addresses that the page's own policy did not let it ask for."""
        self._settle()
        sent = {
            event["params"]["requestId"]: str(event["params"]["request"]["url"])
            for event in self._events
            if event["method"] == "Network.requestWillBeSent"
        }
        failed = [event["params"] for event in self._events if event["method"] == "Network.loadingFailed"]
        return [sent[event["requestId"]] for event in failed if event.get("blockedReason") == "csp"]

    def console(self) -> list[str]:
        """Return the warnings and errors in the console, uncaught exceptions among them: ``"SEVERE: ..."``."""
        self._settle()
        return self._complaints()

    def _complaints(self) -> list[str]:
        return [f"{x['level']}: {x['message']}" for x in self._said if x["level"] in ("WARNING", "SEVERE")]

    def expect_quiet(self) -> None:
        """Fail where the page asked for something, or complained about something."""
        assert (self.requests(), self._complaints()) == ([], [])

    # --- asking and acting ----------------------------------------------------------------------------------------

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what the body of a function returns in the page; ``arguments[0]`` is its first argument."""
        return self.driver.execute_script(script, *arguments)

    def element(self, selector: str) -> WebElement:
        """Return the one element of a CSS selector."""
        (found,) = self.elements(selector)
        return found

    def elements(self, selector: str) -> list[WebElement]:
        """Return the elements of a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def wait(self, script: str, *arguments: Any, seconds: float = 20.0) -> None:
        """Wait until ``script`` returns something true."""
        until = time.monotonic() + seconds
        while not self.run(script, *arguments):
            assert time.monotonic() < until, f"waited in vain: {script}"
            time.sleep(0.05)

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys one after the other, as a user without a mouse does; ``holding`` is held down meanwhile."""
        chain = webdriver.ActionChains(self.driver, duration=0)
        if holding:
            chain.key_down(holding)
        for key in keys:
            chain.send_keys(key)
        if holding:
            chain.key_up(holding)
        chain.perform()

    def focused(self) -> WebElement:
        """Return the element that has the focus."""
        found: WebElement = self.driver.switch_to.active_element
        return found

    # --- accessibility --------------------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it stands: the rule, and where."""
        if not self.run("return typeof axe === 'object'"):
            self.run(_axe_source())
        found = self.driver.execute_async_script(_AXE)
        assert "error" not in found, found["error"]
        assert found["passes"] > 0
        return [
            f"{rule['id']} ({rule['help']}): {' '.join(map(str, node['target']))}: {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


def _axe_source() -> str:
    """Return axe-core's JavaScript; the package around it is not loaded, so what that needs need not be there."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-core is not installed (it comes with axe-playwright-python)")
    return (Path(next(iter(found.submodule_search_locations))) / "axe.min.js").read_text(encoding="utf-8")
