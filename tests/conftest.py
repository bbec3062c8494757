"""Settings for all tests."""

import pytest
from hypothesis import settings

# Same code, same examples: a failure is repeatable, and a loaded machine is no failure.
# Look for new examples with: pytest --hypothesis-profile=explore
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden texts anew; then read the diff"
    )
