"""docs/support.md says what the backends say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikec.errors import MissingDependency
from tests.conformance.support import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "support.md"


@pytest.mark.slow
def test_the_page_of_supported_ops_is_up_to_date() -> None:
    try:
        wanted = page()
    except MissingDependency as error:
        pytest.skip(str(error))
    found = PAGE.read_text("utf-8")
    assert found == wanted, "write it anew: make support"
