"""Rules of the house: borders between rooms, style, types, and traps of the layout."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.house_tools import BIN, ROOT, TOOLS, Running

ROOMS = ("store", "workers", "dashboard", "migrations")


@pytest.mark.parametrize("name", TOOLS)
def test_tool_has_no_complaint(name: str, tools: Running) -> None:
    done = tools.said(name)
    assert done.returncode == 0, f"{name}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def test_the_borders_are_really_watched(tmp_path: Path) -> None:
    """A room that reaches where it may not turns the import check red."""
    for room in ("store", "workers", "dashboard"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "store" / "work.py").write_text("import workers\n")
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")[2]
    first = contracts.partition("[[tool.importlinter.contracts]]")
    only_first = first[2].partition("[[tool.importlinter.contracts]]")[0]
    (tmp_path / "pyproject.toml").write_text(f"[tool.importlinter]{first[0]}{first[1]}{only_first}", encoding="utf-8")
    done = subprocess.run(
        [str(BIN / "lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": str(BIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "store is not allowed to import workers" in done.stdout


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Top-level names of everything a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_vllm_has_one_door() -> None:
    assert [str(path.relative_to(ROOT)) for path in _modules(*ROOMS) if "vllm" in _imports(path)] == [
        "workers/engines/vllm_engine.py",
        "workers/engines/vllm_pooling.py",
    ]


def test_the_dashboard_has_no_file_that_shadows_a_room() -> None:
    # `streamlit run dashboard/app.py` puts dashboard/ first on the path.
    for room in ROOMS:
        assert not (ROOT / "dashboard" / f"{room}.py").exists()
        assert not (ROOT / "dashboard" / room).exists()


def test_tests_are_no_packages_and_have_names_of_their_own() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_module_is_called_by_what_it_is_not() -> None:
    for path in _modules(*ROOMS):
        assert path.stem not in ("utils", "helpers", "common", "manager", "misc"), path


@pytest.mark.parametrize("folder", ROOMS)
def test_the_top_level_is_as_it_was_agreed(folder: str) -> None:
    assert (ROOT / folder / "__init__.py").exists()


def test_there_is_no_other_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(ROOMS)


def _settings_read(path: Path) -> set[str]:
    """Names that are looked up: as an argument of a call, or between brackets that nothing is assigned to."""
    looked_up: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            looked_up += node.args
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            looked_up.append(node.slice)
    texts = {node.value for node in looked_up if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"PASSATK_[A-Z_]+", text)}


def test_every_setting_is_documented() -> None:
    """What the environment can say is in the README."""
    named = {name for path in _modules(*ROOMS, "examples") for name in _settings_read(path)}
    assert named >= {"PASSATK_HOME", "PASSATK_DATABASE_URL", "PASSATK_BROKER_URL", "PASSATK_LEASE_SECONDS"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", readme)] == []
