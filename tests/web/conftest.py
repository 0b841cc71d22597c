import pytest
from tests.web.chromium import chromium


@pytest.fixture(scope="session")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="session")
def tab(browser):
    """One tab that all tests share; each leaves it light and 1000 pixels wide."""
    return browser.tab()
