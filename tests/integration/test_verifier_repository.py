"""Real git repositories, real pytest in the sandbox: patches that solve an issue, that do not, and that cheat."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workers.errors import VerifierBroken
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason
from workers.verifiers.repository_issue import PythonUnusable, RepositoryIssue
from workers.verifiers.repository_source import patch_of

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bwrap: apt install bubblewrap"),
    pytest.mark.skipif(shutil.which("git") is None, reason="no git: apt install git"),
]

CODE = "def half(n):\n    return n // 3\n\n\ndef twice(n):\n    return n * 2\n"
TESTS = "from shop.sums import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n"
MORE_TESTS = (
    "from shop.sums import half, twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n\n\n"
    "def test_half():\n    assert half(9) == 4\n"
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A repository with a bug, a test patch that shows it, and how to make patches against it."""
    root = tmp_path_factory.mktemp("repository")
    _write(root, {"src/shop/__init__.py": "", "src/shop/sums.py": CODE, "tests/test_sums.py": TESTS})
    _git(root, "init", "--quiet")
    _commit(root, "one")
    commit = _git(root, "rev-parse", "HEAD").strip()
    test_patch = _diff(root, {"tests/test_sums.py": MORE_TESTS})
    _write(root, {"src/shop/sums.py": "broken later\n"})
    _commit(root, "two")  # what is judged is the commit that is named, not the newest
    _git(root, "checkout", "--quiet", commit)
    return {"root": root, "commit": commit, "test_patch": test_patch}


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _commit(root: Path, message: str) -> None:
    _git(root, "add", "-A")
    _git(root, "commit", "--quiet", "-m", message)


def _diff(root: Path, files: dict[str, str]) -> str:
    _write(root, files)
    _git(root, "add", "-A")
    patch = _git(root, "diff", "--cached", "HEAD")
    _git(root, "reset", "--quiet", "--hard", "HEAD")
    return patch


def _problem(repository: dict[str, Any], **changes: Any) -> Problem:
    metadata = {
        "repo_path": str(repository["root"]),
        "base_commit": repository["commit"],
        "test_patch": repository["test_patch"],
        "FAIL_TO_PASS": '["tests/test_sums.py::test_half"]',
        "PASS_TO_PASS": ["tests/test_sums.py::test_twice"],
    }
    return Problem("shop__shop-1", "half is wrong", metadata=metadata | changes)


@pytest.fixture(scope="module")
def judge(repository: dict[str, Any]) -> Iterator[Any]:
    verifier = RepositoryIssue(cpu_seconds=20, wall_seconds=90)
    problem = _problem(repository)

    def judge_files(files: dict[str, str], around: str = "{}") -> Judgement:
        return verifier.judge(problem, [around.replace("{}", _diff(repository["root"], files))])[0]

    yield judge_files
    verifier.close()


GOOD = CODE.replace("// 3", "// 2")


@pytest.mark.parametrize("around", ["{}", "Here:\n```diff\n{}```\nDone.", "<patch>\n{}</patch>"])
def test_a_patch_that_solves_it(judge: Any, around: str) -> None:
    judged = judge({"src/shop/sums.py": GOOD}, around)
    assert (judged.outcome, judged.weak) == (Outcome.CORRECT, True), judged.detail
    report = judged.detail["report"]["shop__shop-1"]
    assert report["resolved"]
    assert report["patch_successfully_applied"]
    assert report["tests_status"]["FAIL_TO_PASS"] == {"success": ["tests/test_sums.py::test_half"], "failure": []}
    assert report["tests_status"]["PASS_TO_PASS"] == {"success": ["tests/test_sums.py::test_twice"], "failure": []}


CHEATS: dict[str, dict[str, str]] = {
    "tests deleted": {"tests/test_sums.py": "def test_half():\n    pass\n\n\ndef test_twice():\n    pass\n"},
    "conftest": {
        "conftest.py": "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
        "    out = yield\n    out.get_result().outcome = 'passed'\n"
    },
    "ini": {
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "tests/conftest.py": "collect_ignore = ['test_sums.py']\n",
    },
    "sitecustomize": {"sitecustomize.py": "import os\nos._exit(0)\n", "usercustomize.py": "import os\nos._exit(0)\n"},
    "exit": {"src/shop/sums.py": CODE + "import os\nos._exit(0)\n"},
    "sys.exit": {"src/shop/sums.py": CODE + "raise SystemExit(0)\n"},
    "print": {"src/shop/sums.py": CODE + "print('2 passed in 0.01s')\n"},
    "patched report": {
        "src/shop/sums.py": CODE + "from _pytest import reports\nold = reports.TestReport.from_item_and_call\n"
        "def fake(item, call):\n    report = old(item, call)\n    report.outcome = 'passed'\n    return report\n"
        "reports.TestReport.from_item_and_call = fake\n"
    },
    "skip": {"src/shop/sums.py": "import pytest\npytest.skip('no', allow_module_level=True)\n"},
    "written to the channel": {
        "src/shop/sums.py": CODE + "import os, json\nfor fd in range(3, 40):\n    try:\n"
        "        os.write(fd, json.dumps({'nonce': 'x', 'phases': {}}).encode() + b'\\n')\n"
        "    except OSError:\n        pass\n"
    },
    "shadowed pytest": {"pytest.py": "raise SystemExit(0)\n", "src/pytest.py": "def main(*a, **k): return 0\n"},
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_not_taken_for_solutions(judge: Any, name: str) -> None:
    judged = judge(CHEATS[name])
    assert judged.outcome is Outcome.INCORRECT, judged.detail
    assert not judged.detail["report"]["shop__shop-1"]["resolved"]
    if name in ("patched report", "written to the channel"):
        assert judged.reason is Reason.FORBIDDEN, judged.detail


def test_a_patch_that_breaks_what_worked(judge: Any) -> None:
    judged = judge({"src/shop/sums.py": GOOD.replace("n * 2", "n * 3")})
    assert judged.reason is Reason.WRONG_ANSWER
    status = judged.detail["report"]["shop__shop-1"]["tests_status"]
    assert status["FAIL_TO_PASS"]["success"] == ["tests/test_sums.py::test_half"]
    assert status["PASS_TO_PASS"]["failure"] == ["tests/test_sums.py::test_twice"]


def test_one_that_never_ends(repository: dict[str, Any]) -> None:
    verifier = RepositoryIssue(cpu_seconds=2, wall_seconds=60, check_before=False)
    patch = _diff(repository["root"], {"src/shop/sums.py": "while True:\n    pass\n"})
    [judged] = verifier.judge(_problem(repository), [patch])
    assert judged.outcome is Outcome.INCORRECT
    assert judged.reason in (Reason.CPU_TIME, Reason.EXCEPTION)


def test_what_is_no_patch_or_does_not_apply(repository: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = RepositoryIssue(check_before=False)
    good = _diff(repository["root"], {"src/shop/sums.py": GOOD})
    runs: list[object] = []
    tested = RepositoryIssue._tested
    monkeypatch.setattr(RepositoryIssue, "_tested", lambda *given: runs.append(given) or tested(*given))
    stale, escaping = good.replace("n // 3", "n // 9"), good.replace("src/shop/sums.py", "../../../in/order.json")
    link = "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n"
    nothing, refused, outside, linked, one, two = verifier.judge(
        _problem(repository), ["I cannot.", stale, escaping, link, good, good]
    )
    assert (nothing.reason, nothing.detail["report"]["shop__shop-1"]["patch_exists"]) == (Reason.NO_ANSWER, False)
    assert refused.reason is outside.reason is Reason.COMPILE_ERROR
    assert linked.reason is Reason.FORBIDDEN
    assert one == two
    assert one.outcome is Outcome.CORRECT
    assert len(runs) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_commit": "0" * 40}, "git"),
        ({"repo_path": "/no/such/clone"}, "git clone"),
        ({"repo_path": "django/django"}, "repositories=FOLDER"),
        ({"FAIL_TO_PASS": []}, "FAIL_TO_PASS"),
        ({"FAIL_TO_PASS": ["tests/test_sums.py::test_twice"]}, "before any patch 1 tests do not do"),
        ({"PASS_TO_PASS": ["tests/test_sums.py::test_missing"]}, "before any patch 1 tests do not do"),
    ],
)
def test_a_broken_issue_is_not_the_samples_fault(repository: dict[str, Any], changes: dict, said: str) -> None:
    with pytest.raises(VerifierBroken, match=said):
        RepositoryIssue().judge(_problem(repository, **changes), ["x"])


def test_clones_lie_in_a_folder(repository: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "shop__shop").symlink_to(repository["root"])
    verifier = RepositoryIssue(repositories=str(tmp_path))
    good = _diff(repository["root"], {"src/shop/sums.py": GOOD})
    [judged] = verifier.judge(_problem(repository, repo_path=None, repo="shop/shop"), [good])
    assert judged.outcome is Outcome.CORRECT, judged.detail


def test_an_interpreter_without_pytest_is_named(repository: dict[str, Any]) -> None:
    with pytest.raises(PythonUnusable, match="pytest"):
        RepositoryIssue(python="/bin/false").judge(_problem(repository), ["x"])


def test_conftest_of_the_repository_where_it_is_needed(tmp_path: Path) -> None:
    fixture = "import pytest\n\n\n@pytest.fixture\ndef four():\n    return 4\n"
    tests = "from mod import f\n\n\ndef test_f(four):\n    assert f() == four\n"
    _write(tmp_path, {"mod.py": "def f():\n    return 5\n", "test_mod.py": tests, "conftest.py": fixture})
    _git(tmp_path, "init", "--quiet")
    _commit(tmp_path, "one")
    cheat = _diff(tmp_path, {"conftest.py": fixture.replace("4", "5")})
    good = _diff(tmp_path, {"mod.py": "def f():\n    return 4\n"})
    metadata = {"repo": str(tmp_path), "base_commit": "HEAD", "FAIL_TO_PASS": ["test_mod.py::test_f"], "conftest": True}
    problem = Problem("mod-1", "", metadata=metadata)
    cheated, solved = RepositoryIssue().judge(problem, [cheat, good])
    assert (cheated.outcome, solved.outcome) == (Outcome.INCORRECT, Outcome.CORRECT), solved.detail
    kept = {"FAIL_TO_PASS": ["test_mod.py::test_f"], "PASS_TO_PASS": ["test_mod.py::test_f"], "conftest": False}
    with pytest.raises(VerifierBroken, match="conftest"):
        RepositoryIssue().judge(replace(problem, metadata=metadata | kept), [good])


def test_where_a_patch_is_found() -> None:
    assert patch_of("no diff here") is None
    assert patch_of("talk\ndiff --git a/x b/x\n+1") == "diff --git a/x b/x\n+1\n"
    assert patch_of("```python\nprint()\n```\n```diff\n--- a/x\n+++ b/x\n```") == "--- a/x\n+++ b/x\n"
