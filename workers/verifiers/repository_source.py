"""A repository at a commit, as archives: the tree, and the files that a patch may not change. Only git is asked."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.errors import VerifierBroken
from workers.verifiers.protocol import Problem
from workers.verifiers.repository_inside import RUNNER_FILES

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}|[A-Za-z0-9][\w./-]*")
_GITHUB = re.compile(r"[\w.-]+/[\w.-]+")
_DIFF_FILE = re.compile(r"^\+\+\+ b/([^\t\n]+)", re.MULTILINE)
_FENCE = re.compile(r"```(?:diff|patch)[ \t]*\r?\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)
_TAGGED = re.compile(r"<patch>\s*\n(.*?)</patch>", re.DOTALL)
_DIFF = re.compile(r"^(?:diff --git |--- a/)", re.MULTILINE)


@dataclass(frozen=True)
class Issue:
    """One issue: where its repository is, which tests it names, and what its tests need."""

    key: str
    repository: str
    commit: str
    test_patch: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    path: tuple[str, ...] = (".", "src")
    conftest: bool = False

    @property
    def tests(self) -> tuple[str, ...]:
        """Every named test, once."""
        return tuple(dict.fromkeys((*self.fail_to_pass, *self.pass_to_pass)))


@dataclass(frozen=True)
class Source:
    """Archives (tar): the whole tree at the commit, and what is laid over it again after a patch."""

    base: bytes = field(repr=False)
    guarded: bytes = field(repr=False)


def issue_of(problem: Problem, repositories: str | None = None) -> Issue:
    """The issue of a problem in SWE-bench's words; `repositories` is a folder of clones, OWNER/NAME or OWNER__NAME.

    Raises VerifierBroken, naming what is missing.
    """
    metadata = problem.metadata
    repository, commit = metadata.get("repo_path") or metadata.get("repo"), metadata.get("base_commit")
    if isinstance(repository, str) and _GITHUB.fullmatch(repository) and not Path(repository).is_dir():
        repository = _clone_in(repositories, repository, problem.key)
    fail, keep = _names(metadata.get("FAIL_TO_PASS")), _names(metadata.get("PASS_TO_PASS") or [])
    if not isinstance(repository, str) or not isinstance(commit, str) or not _COMMIT.fullmatch(commit) or not fail:
        raise VerifierBroken(
            f"problem {problem.key}: repository needs repo_path (a local clone or its address), base_commit and "
            "FAIL_TO_PASS in its metadata"
        )
    return Issue(
        key=str(metadata.get("instance_id") or problem.key),
        repository=repository,
        commit=commit,
        test_patch=str(metadata.get("test_patch") or problem.tests or ""),
        fail_to_pass=fail,
        pass_to_pass=keep,
        path=tuple(metadata.get("python_path") or (".", "src")),
        conftest=bool(metadata.get("conftest")),
    )


def _clone_in(folder: str | None, name: str, key: str) -> str:
    places = [Path(folder, name), Path(folder, name.replace("/", "__"))] if folder else []
    for place in places:
        if place.is_dir():
            return str(place)
    raise VerifierBroken(
        f"problem {key}: no clone of {name} here; clone it to FOLDER/{name.replace('/', '__')} and name the folder "
        "with the option repositories=FOLDER"
    )


def _names(value: Any) -> tuple[str, ...]:
    """A list of tests, given as one or as JSON text, as the published sets do."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def patch_of(completion: str) -> str | None:
    """The patch in a completion: a fenced diff, one in <patch> tags, or everything from where a diff begins."""
    text = completion.replace("\r\n", "\n").replace("\x00", "")
    for found in (*_TAGGED.findall(text), *_FENCE.findall(text), text):
        start = _DIFF.search(found)
        if start is not None:
            return str(found[start.start() :]).rstrip() + "\n"
    return None


def fetch(issue: Issue) -> Source:
    """The issue's archives. A clone that is not here is fetched with git. Raises VerifierBroken."""
    with tempfile.TemporaryDirectory(prefix="passatk-repository-") as name:
        clone = issue.repository
        if not Path(clone).is_dir():
            clone = str(Path(name, "clone"))
            _git(["clone", "--quiet", "--no-checkout", "--", issue.repository, clone])
        base = _git(["-C", clone, "-c", "safe.directory=*", "archive", "--format=tar", issue.commit])
        tree = Path(name, "tree")
        tree.mkdir()
        with tarfile.open(fileobj=io.BytesIO(base)) as archive:
            archive.extractall(tree, filter="tar")
        if issue.test_patch.strip():
            Path(name, "test.patch").write_text(issue.test_patch.rstrip() + "\n", encoding="utf-8")
            _git(["-C", str(tree), "apply", "--whitespace=nowarn", str(Path(name, "test.patch"))])
        return Source(base, _guarded(tree, _test_files(issue)))


def _test_files(issue: Issue) -> list[str]:
    files = [*_DIFF_FILE.findall(issue.test_patch), *(test.partition("::")[0] for test in issue.tests)]
    return list(dict.fromkeys(files))


def _guarded(tree: Path, tests: Sequence[str]) -> bytes:
    """The tests as the issue has them, and the base commit's own files that steer how they are run."""
    steering = [path for path in tree.rglob("*") if path.name in RUNNER_FILES and path.is_file()]
    names = [*tests, *(str(path.relative_to(tree)) for path in steering)]
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for name in dict.fromkeys(names):
            if (tree / name).is_file():
                archive.add(tree / name, arcname=name, recursive=False, filter=_plain)
    return memory.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _git(arguments: Sequence[str]) -> bytes:
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, check=False, env=environment | {"HOME": "/nonexistent"}
        )
    except FileNotFoundError:
        raise VerifierBroken("repositories need git, which is not installed: apt install git") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise VerifierBroken(f"git {' '.join(arguments[:4])}: {said[-1] if said else 'failed'}"[:400])
    return done.stdout
