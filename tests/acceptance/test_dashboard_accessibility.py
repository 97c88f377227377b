"""axe-core on every page, light and dark: no finding but those in Streamlit's own navigation.

axe-core comes from npm once and stays in the user's cache; it is checked against a fingerprint and never shipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.browsing import BIG, SMALL, Served, Watched

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "axe-core" / VERSION / "axe.min.js"
#: Rules that Streamlit's sidebar breaks: it puts its groups straight into a list.
STREAMLIT = ("list", "listitem")
PAGES = ("Overview", "Coverage", "Precision", "Cost", "Compare", "Problems", "Samples", "SQL", "Workers", "Data health")
FIND = """() => axe.run(document, {resultTypes: ["violations"], preload: false}).then(found =>
  found.violations.flatMap(rule => rule.nodes.map(node => ({
    rule: rule.id,
    text: `${rule.help}: ${node.html.slice(0, 200)} (${node.failureSummary.slice(0, 300)})`,
    nav: !!document.querySelector("[data-testid=stSidebarNav]")
         && node.target.flat().some(at => document.querySelector(at)?.closest("[data-testid=stSidebarNav]")),
  }))))"""


def fetch(to: Path) -> None:
    """Ask npm for the package and keep the one file."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", f"axe-core@{VERSION}"], cwd=folder, check=True, capture_output=True, text=True, timeout=120
        )
        with tarfile.open(Path(folder) / f"axe-core-{VERSION}.tgz") as package:
            member = package.extractfile("package/axe.min.js")
            assert member
            to.parent.mkdir(parents=True, exist_ok=True)
            part = to.with_suffix(f".{os.getpid()}")
            part.write_bytes(member.read())
            part.replace(to)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if not CACHE.exists():
        if not shutil.which("npm"):
            pytest.skip("npm is not installed, so axe-core cannot be fetched: accessibility is NOT checked")
        try:
            fetch(CACHE)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm could not fetch axe-core {VERSION}: accessibility is NOT checked ({error})")
    source = CACHE.read_bytes()
    assert hashlib.sha256(source).hexdigest() == SHA256, f"{CACHE} is not axe-core {VERSION}: delete it"
    return source.decode()


def findings(watched: Watched) -> list[str]:
    """What axe finds that is ours to mend."""
    found: list[dict[str, Any]] = watched.page.evaluate(FIND)
    return [f"{one['rule']}: {one['text']}" for one in found if not (one["nav"] and one["rule"] in STREAMLIT)]


def test_axe_finds_nothing_of_ours_on_any_page(watched: Watched, served: Served, axe: str, mode: str) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run={SMALL}")
    watched.chart()
    watched.page.evaluate(axe)  # stays: the navigation changes pages without loading a document
    found = {}
    for page in PAGES:
        watched.follow(page)
        found[page] = findings(watched)
    assert {page: said for page, said in found.items() if said} == {}


def test_axe_would_find_a_fault(watched: Watched, served: Served, axe: str) -> None:
    watched.go(served.url)
    watched.page.evaluate(axe)
    watched.page.evaluate("document.querySelector('[data-testid=stMain]').appendChild(new Image())")
    assert any(one.startswith("image-alt") for one in findings(watched))
