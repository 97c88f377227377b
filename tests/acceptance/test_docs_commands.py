"""The tutorial's commands run as printed, and the SQL cookbook's queries run on the store they leave behind."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from store.analytics import run_sql

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECIPES = re.findall(
    r"^```sql( mirror)?\n(.*?)^```",
    (DOCS / "sql" / "cookbook.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)
#: Steps of the tutorial that a test cannot take: the installation it runs in, and a server that stays.
LEFT_OUT = ("make install", "export PATH", "passatk dashboard start")


@dataclass(frozen=True)
class Followed:
    """The store of somebody who followed the tutorial, and what was printed on the way."""

    reader_url: str
    mirror: Path
    printed: str


def _script(text: str) -> str:
    """The commands of a page's console blocks, without their prompts."""
    lines = [line for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    commands = [line.removeprefix("$ ") for line in lines]
    return "\n".join(["set -e", *(line for line in commands if not line.startswith(LEFT_OUT))])


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("tutorial")
    folder.chmod(0o755)
    home = folder / "home"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PASSATK_HOME": str(home), "PYTHONWARNINGS": "error"}
    for name in ("PASSATK_DATABASE_URL", "PASSATK_MIRROR", "PASSATK_BROKER_URL"):
        environment.pop(name, None)

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    try:
        printed = run(_script((DOCS / "tutorial.md").read_text(encoding="utf-8")))
        yield Followed(run("passatk store url --reader").strip(), home / "mirror", printed)
    finally:
        run("passatk store down")


def test_the_tutorial_ends_in_a_decision(followed: Followed) -> None:
    rows = [line.split() for line in followed.printed.splitlines() if " answer@1 " in f" {line} " and "60.00" in line]
    cheapest = {row[0]: row[row.index("yes") :] for row in rows}
    assert set(cheapest) == {"small", "large"}, followed.printed
    assert "Run small: 150 samples" in followed.printed


def test_the_cookbook_has_recipes() -> None:
    assert len(RECIPES) >= 15
    assert sum(1 for only, _ in RECIPES if not only) >= 12


@pytest.mark.parametrize(("only_mirror", "text"), RECIPES, ids=[f"recipe{n}" for n in range(len(RECIPES))])
def test_recipe_gives_the_same_on_both_engines(followed: Followed, only_mirror: str, text: str) -> None:
    mirrored = run_sql(text, followed.mirror).table
    of_mirror = _plain(list(zip(*mirrored.to_pydict().values(), strict=True)))
    if only_mirror:
        assert of_mirror is not None
        return
    with psycopg.connect(followed.reader_url) as reader:
        of_store = _plain(reader.execute(text.encode()).fetchall())
    assert of_mirror == of_store
    assert of_store or "HAVING" in text or "WHERE" in text, "a recipe that shows nothing teaches nothing"


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(_value(value) for value in row) for row in rows]


def _value(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    number = float(value)
    return number if math.isnan(number) else float(f"{number:.10g}")
