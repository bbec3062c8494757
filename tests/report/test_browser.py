"""The page in a browser, as wide as a phone and as a desktop, by day and by night.

With SPIKEC_SCREENSHOTS=DIR the pictures are kept there, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import Browser, installed, started

pytestmark = pytest.mark.skipif(
    not installed(), reason="no browser is installed (apt-get install chromium)"
)
KEPT = "SPIKEC_SCREENSHOTS"
SCRIPT = """(() => {
  const style = (at) => getComputedStyle(document.querySelector(at));
  const texts = [...document.querySelectorAll('svg text')].filter((t) => t.getClientRects().length);
  const sizes = texts.map((t) =>
    parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getScreenCTM().a);
  const page = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('main *')]
    .filter((x) => !x.closest('svg, .scroll') && x.getBoundingClientRect().right > page + 0.5)
    .map((x) => x.tagName + '.' + x.className);
  return {
    overflow: document.documentElement.scrollWidth - page, out,
    smallest: Math.min(...sizes), largest: Math.max(...sizes),
    ground: style('body').backgroundColor, ink: style('h1').color, title: document.title,
    accent: style('.f-accent').fill, sections: document.querySelectorAll('section').length,
  };
})()"""
GROUND = {"light": "rgb(244, 246, 248)", "dark": "rgb(18, 22, 27)"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_without_complaint_and_fits(
    browser: Browser, page_file: Path, width: int, scheme: str
) -> None:
    seen = browser.open(page_file, width, scheme, SCRIPT)
    if folder := os.environ.get(KEPT):
        Path(folder, f"report-{width}-{scheme}.png").write_bytes(seen.picture)
    assert seen.complaints == []
    assert [url for url in seen.requests if url != "data:,"] == [page_file.as_uri()]
    facts = seen.facts
    assert facts["title"] == "digits: spikec report"
    assert facts["sections"] >= 9
    assert facts["ground"] == GROUND[scheme]
    assert (facts["overflow"], facts["out"]) == (0, [])
    assert facts["smallest"] >= 8.5  # pixels on the screen
    assert facts["largest"] <= 24


def test_the_colours_of_the_night_are_others(browser: Browser, page_file: Path) -> None:
    day, night = (browser.open(page_file, 390, scheme, SCRIPT) for scheme in ("light", "dark"))
    for what in ("ground", "ink", "accent"):
        assert day.facts[what] != night.facts[what]


def test_a_complaint_and_a_request_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/a.png"><script>lost()</script>', "utf-8")
    seen = browser.open(bad, 390, "light")
    assert "http://127.0.0.1:9/a.png" in seen.requests
    assert any("lost is not defined" in line for line in seen.complaints)
