"""One command in a container of its own, for tools that judge: proof checkers, a repository's tests.

Nothing of the host is writable in it, nothing readable but system libraries and what is named; `/scratch` is a folder
of bounded size that ends with the command. Root builds no walls (see launch): where the worker is root, the
container belongs to the sandbox's own user.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workers.errors import SandboxUnavailable, VerifierBroken
from workers.sandbox.launch import sandbox_uid

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
_PROCESSES = 256
#: The channel goes in as standard input, since a shell knows no descriptor beyond 9 by name.
_HANDING_ON = ("/bin/sh", "-c", 'exec "$@" 3>&0 0</dev/null', "sh")
_STAGE = "/run"
_SHOW = """
stage=$1; shift
mount -t tmpfs -o mode=755 none "$stage"
number=0
while [ "$1" != -- ]; do
    mkdir "$stage/$number"; mount --rbind "$1" "$stage/$number"; number=$((number + 1)); shift
done
shift
exec "$@"
"""
Stream = int | IO[bytes]
#: What bwrap says when the kernel or an AppArmor profile does not let it build its walls.
_WALL_TROUBLE = b"bwrap: "


@dataclass(frozen=True)
class BoxLimits:
    """CPU seconds of one process, wall seconds of everything, bytes of one process, of the scratch, of what is said."""

    cpu_seconds: float = 60.0
    wall_seconds: float = 120.0
    memory_bytes: int = 2 << 30
    scratch_bytes: int = 256 << 20
    output_bytes: int = 8 << 20


@dataclass(frozen=True)
class BoxRun:
    """How a command ended. `limit`: "cpu_time", "wall_time" or None; `channel`: what came over descriptor 3."""

    returncode: int
    stdout: bytes
    stderr: bytes
    channel: bytes
    wall_seconds: float
    limit: str | None = None


@dataclass(frozen=True)
class BoxPlan:
    """A command, what it may read beside the system (host path -> path inside), its files, its environment.

    `files` (name -> content) lie in `/in`; the command starts in `/scratch`.
    """

    command: Sequence[str]
    readable: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def _bwrap() -> str:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailable(
            "proofs and repositories are judged inside bubblewrap, which is not installed: apt install bubblewrap"
        )
    return bwrap


def _command(plan: BoxPlan, limits: BoxLimits, inputs: str | None, inner: Sequence[str]) -> list[str]:
    """The whole command line: for root, a way to places that only root may enter, and the change to another user."""
    uid, hidden = sandbox_uid(), [place for place in plan.readable if not _everybody_may_enter(place)]
    seen = {place: f"{_STAGE}/{number}" for number, place in enumerate(hidden)} if uid is not None else {}
    walled = [*_prlimit(limits), _bwrap(), *_walls(plan, limits, inputs, seen), *inner, *plan.command]
    if uid is None:
        return walled
    user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
    if not seen:
        return [*user, *walled]
    # In a mount namespace of this command alone, what is hidden is bound to where everybody may go.
    stage = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-ec", _SHOW, "sh", _STAGE, *hidden]
    return [*stage, "--", *user, *walled]


def _everybody_may_enter(place: str) -> bool:
    path = Path(place)
    return all(one.stat().st_mode & 0o005 == 0o005 for one in (path, *path.parents) if one.is_dir())


def open_box(plan: BoxPlan, limits: BoxLimits) -> subprocess.Popen[bytes]:
    """Start a command that stays and is spoken to over its standard input and output. `files` are not laid out.

    The caller ends it. Raises SandboxUnavailable, or VerifierBroken where it does not start.
    """
    return _start(_command(plan, limits, None, []), subprocess.PIPE, subprocess.PIPE, subprocess.DEVNULL)


def run_in_box(plan: BoxPlan, limits: BoxLimits) -> BoxRun:
    """Run the command to its end or its limits. Raises SandboxUnavailable, or VerifierBroken where no wall stands."""
    _bwrap()
    with _folder(plan.files) as inputs, _outputs() as (stdout, stderr, channel):
        command = _command(plan, limits, inputs, _HANDING_ON)
        started = time.monotonic()
        process = _start(command, channel, stdout, stderr)
        status, limit = _await(process, limits.wall_seconds)
        wall = time.monotonic() - started
        said, told, came = (_head(stream, limits.output_bytes) for stream in (stdout, stderr, channel))
    if status != 0 and limit is None:
        _check_walls(told)
        limit = "cpu_time" if status == 128 + signal.SIGXCPU else None
    return BoxRun(status, said, told, came, wall, limit)


def _walls(plan: BoxPlan, limits: BoxLimits, inputs: str | None, seen: Mapping[str, str]) -> list[str]:
    command = [
        "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--clearenv", "--new-session",
        "--die-with-parent", "--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/scratch",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": "/scratch",
        "PYTHONHASHSEED": "0",
    }
    for name, value in (environment | dict(plan.environment)).items():
        command += ["--setenv", name, value]
    for place in _SYSTEM:
        link = os.path.islink(place)
        command += ["--symlink", os.readlink(place), place] if link else ["--ro-bind-try", place, place]
    if inputs is not None:
        command += ["--ro-bind", inputs, "/in"]
    for outside, inside in plan.readable.items():
        command += ["--ro-bind", seen.get(outside, outside), inside]
    command += ["--size", str(limits.scratch_bytes), "--tmpfs", "/scratch", "--remount-ro", "/dev", "--remount-ro", "/"]
    return [*command, "--chdir", "/scratch"]


def _prlimit(limits: BoxLimits) -> list[str]:
    cpu = int(limits.cpu_seconds) + 1
    values = {
        "cpu": f"{cpu}:{cpu + 1}",
        "as": limits.memory_bytes,
        "fsize": max(limits.output_bytes, limits.scratch_bytes),
        "core": 0,
        "nofile": 1024,
        "nproc": _PROCESSES,
    }
    return ["prlimit", *(f"--{name}={value}" for name, value in values.items()), "--"]


def _start(command: list[str], stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            bufsize=0,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise VerifierBroken(f"the sandbox does not start: {error}") from None


def _await(process: subprocess.Popen[bytes], wall_seconds: float) -> tuple[int, str | None]:
    """Exit status (a signal as 128 + its number), and "wall_time" where it had to be ended."""
    limit = None
    try:
        process.wait(wall_seconds)
    except subprocess.TimeoutExpired:
        limit = "wall_time"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return (process.returncode if process.returncode >= 0 else 128 - process.returncode), limit


def _check_walls(stderr: bytes) -> None:
    if stderr.startswith(_WALL_TROUBLE):
        said = stderr.decode("utf-8", "replace").splitlines()[0]
        raise VerifierBroken(f"the sandbox's walls do not stand: {said[:300]}; see `passatk doctor`")


@contextmanager
def _folder(files: Mapping[str, bytes]) -> Iterator[str]:
    """The files in a folder that the sandbox's user may read, and nobody else but the worker."""
    uid = sandbox_uid()
    with tempfile.TemporaryDirectory(prefix="passatk-box-") as name:
        for file, content in files.items():
            path = Path(name, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if uid is not None:
            for path in (Path(name), *Path(name).rglob("*")):
                os.chown(path, uid, uid)
        yield name


@contextmanager
def _outputs() -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    """Files, not pipes: a flood fills its file to the limit and ends there, whoever reads or not."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, tempfile.TemporaryFile() as channel:
        yield stdout, stderr, channel


def _head(stream: IO[bytes], size: int) -> bytes:
    stream.seek(0)
    return stream.read(size)
