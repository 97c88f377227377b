"""The house's tools are started when the tests are, and have mostly ended when their tests ask."""

from __future__ import annotations

import pytest

from tests.unit.house_tools import TOOLS, Running

_RUNNING = pytest.StashKey[Running]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the tools whose tests will run."""
    chosen = {item.name for item in session.items}
    names = [name for name in TOOLS if f"test_tool_has_no_complaint[{name}]" in chosen]
    if names and not session.config.option.collectonly:
        session.config.stash[_RUNNING] = Running(names)


def pytest_unconfigure(config: pytest.Config) -> None:
    """An interrupted session waits for no tool."""
    running = config.stash.get(_RUNNING, None)
    if running is not None:
        running.stop()


@pytest.fixture
def tools(pytestconfig: pytest.Config) -> Running:
    """The tools that were started with the session."""
    return pytestconfig.stash[_RUNNING]
