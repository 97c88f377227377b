"""Runs inside the sandbox as a script: lay out the repository, apply the patch, put the tests back, run them.

Nothing of the host is here but what `/in` holds, so a patch may do what it likes to this tree. First line over
descriptor 3: whether the patch applied. The last one is the test process's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

ROOT = "/scratch/repository"
#: Files by which a patch could change how its tests are run. Those of the base commit are put back, others dropped.
RUNNER_FILES = frozenset(
    {"conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "sitecustomize.py", "usercustomize.py", "pytest.py"}
)


def main() -> None:
    """Layout, patch, tests; exits 0 unless the layout itself fails."""
    with open("/in/order.json", encoding="utf-8") as stream:
        order = json.load(stream)
    os.mkdir(ROOT)
    subprocess.run(["tar", "-xf", "/in/base.tar", "-C", ROOT], check=True)
    applied, said = _apply() if os.path.exists("/in/model.patch") else (True, "")
    _say({"applied": applied, "said": said[-2000:]})
    if applied:
        _drop_runner_files()
        subprocess.run(
            ["tar", "-xf", "/in/guarded.tar", "-C", ROOT, "--unlink-first", "--recursive-unlink"], check=True
        )
        _run_tests(order)


def _apply() -> tuple[bool, str]:
    said = ""
    for command in (["git", "apply", "--whitespace=nowarn"], ["patch", "--batch", "--fuzz=5", "-p1", "-i"]):
        try:
            done = subprocess.run([*command, "/in/model.patch"], cwd=ROOT, capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return True, ""
        said += (done.stderr or done.stdout).decode("utf-8", "replace")
    return False, said


def _drop_runner_files() -> None:
    for folder, _, files in os.walk(ROOT):
        for name in files:
            if name in RUNNER_FILES or name.endswith(".pth"):
                os.unlink(os.path.join(folder, name))


def _run_tests(order: dict[str, object]) -> None:
    """In a process of their own, told by a pipe what nobody else need know."""
    command = [sys.executable, "-I", "-B", "/in/tests.py"]
    subprocess.run(command, input=json.dumps(order).encode(), cwd=ROOT, pass_fds=[3], check=False)


def _say(value: object) -> None:
    os.write(3, json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    main()
