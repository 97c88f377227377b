"""axe-core on every page, light and dark: no finding but those in Streamlit's own navigation.

axe-core comes from the npm registry once, without npm, and stays in the user's cache; it is known by the fingerprint
that the registry publishes, and never shipped.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.browsing import ASKED, PATHS, Served, Watched

VERSION = "4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="  # sha512
REGISTRY = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "axe-core" / f"axe-core-{VERSION}.tgz"
#: Rules that Streamlit's sidebar breaks: it puts its groups straight into a list.
STREAMLIT = ("list", "listitem")
FIND = """() => axe.run(document, {resultTypes: ["violations"], preload: false}).then(found =>
  found.violations.flatMap(rule => rule.nodes.map(node => ({
    rule: rule.id,
    text: `${node.html.slice(0, 160)} (${node.failureSummary.slice(0, 260)})`,
    nav: !!document.querySelector("[data-testid=stSidebarNav]")
         && node.target.flat().some(at => document.querySelector(at)?.closest("[data-testid=stSidebarNav]")),
  }))))"""


def fetched() -> bytes:
    """The package as the registry gives it."""
    with urllib.request.urlopen(f"{REGISTRY.rstrip('/')}/axe-core/-/{CACHE.name}", timeout=60) as answer:
        package = bytes(answer.read())
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    part = CACHE.with_suffix(f".{os.getpid()}")
    part.write_bytes(package)
    part.replace(CACHE)
    return package


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    try:
        package = CACHE.read_bytes() if CACHE.exists() else fetched()
    except OSError as error:
        pytest.skip(f"axe-core {VERSION} could not be fetched from {REGISTRY}: accessibility is NOT checked ({error})")
    found = base64.b64encode(hashlib.sha512(package).digest()).decode()
    assert found == INTEGRITY, f"{CACHE} is not axe-core {VERSION}: delete it"
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source
        return source.read().decode()


def findings(watched: Watched, axe: str) -> list[str]:
    """What axe finds that is ours to mend."""
    watched.page.evaluate(axe)
    found: list[dict[str, Any]] = watched.page.evaluate(FIND)
    return [f"{one['rule']}: {one['text']}" for one in found if not (one["nav"] and one["rule"] in STREAMLIT)]


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_of_ours(watched: Watched, served: Served, axe: str, mode: str, path: str) -> None:
    watched.go(f"{served.url}/{path}?{ASKED.get(path, '')}")
    watched.drawn(path)
    watched.page.evaluate("document.querySelectorAll('[data-testid=stExpander] summary').forEach(one => one.click())")
    watched.idle()
    assert findings(watched, axe) == []


def test_axe_would_find_a_fault(watched: Watched, served: Served, axe: str) -> None:
    watched.go(served.url)
    watched.page.evaluate("document.querySelector('[data-testid=stMain]').appendChild(new Image())")
    assert any(one.startswith("image-alt") for one in findings(watched, axe))
