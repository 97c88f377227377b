"""The documentation builds as a site, and every link in it leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    # Not --quiet: a warning that is not said is not counted either, and --strict would let everything pass.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis.com" not in home, "opening a page asks nobody else for anything"


def test_no_page_is_empty() -> None:
    pages = list((ROOT / "docs").rglob("*.md"))
    assert len(pages) >= 8
    assert [str(page) for page in pages if len(page.read_text(encoding="utf-8").split()) < 10] == []
