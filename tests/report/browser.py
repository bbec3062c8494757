"""A headless Chromium, driven through a pipe by the DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LIMIT = 60.0
"""seconds for one answer, on a busy machine"""
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--remote-debugging-pipe", "--no-first-run", "--disable-extensions"),
    *("--disable-background-networking", "--disable-dev-shm-usage", "about:blank"),
)


def installed() -> str:
    """Give the path of a browser, or nothing."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


@dataclass
class Seen:
    """What a page did while it was open."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """lines in the console, exceptions, and what the browser logs about the page"""
    facts: dict[str, Any] = field(default_factory=dict)
    picture: bytes = b""


class Browser:
    """One browser, which opens pages one after another."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self.process = process
        self.write, self.read = write, read
        self.rest = b""
        self.number = 0
        self.events: list[dict[str, Any]] = []

    def open(self, path: Path, width: int, scheme: str, script: str = "({})") -> Seen:
        """Open a file; give its requests and complaints, and what ``script`` evaluates to."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        at = {"targetId": target, "flatten": True}
        session = self.call("Target.attachToTarget", **at)["sessionId"]
        self.events.clear()
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable", session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", session, **size)
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", session, features=wanted)
        self.call("Page.navigate", session, url=path.as_uri())
        self._wait("Page.loadEventFired")
        options = {"expression": script, "returnByValue": True}
        facts = self.call("Runtime.evaluate", session, **options)["result"].get("value", {})
        whole = {"format": "png", "captureBeyondViewport": True}
        shot = self.call("Page.captureScreenshot", session, **whole)["data"]
        seen = Seen(facts=facts, picture=base64.b64decode(shot))
        for event in self.events:
            _note(seen, event["method"], event["params"])
        self.call("Target.closeTarget", targetId=target)
        return seen

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + LIMIT
        while (answer := self._next(end)).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, method: str) -> None:
        end = time.monotonic() + LIMIT
        while all(event["method"] != method for event in self.events):
            self.events.append(self._next(end))

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert time.monotonic() < end, "the browser does not answer"
            part = os.read(self.read, 65536)
            assert part, "the browser has ended"
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


def _note(seen: Seen, method: str, params: dict[str, Any]) -> None:
    match method:
        case "Network.requestWillBeSent":
            seen.requests.append(params["request"]["url"])
        case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
            seen.complaints.append(json.dumps(params))


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile, and end it."""
    theirs_in, write = os.pipe()
    read, theirs_out = os.pipe()

    def places() -> None:  # the browser reads from 3 and writes to 4
        first, second = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    command = [installed(), f"--user-data-dir={profile}", *FLAGS]
    process = subprocess.Popen(
        command,
        preexec_fn=places,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(process, write, read)
    finally:
        process.terminate()
        process.wait(LIMIT)
        os.close(write)
        os.close(read)
