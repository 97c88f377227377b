"""Starting a zygote: which interpreter, with which walls around it, and the descriptors that lead to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import Any

from workers.sandbox.container import ENVIRONMENT, PACKAGES, bwrap_command
from workers.sandbox.limits import Limits

#: Modules that programs of the usual benchmarks import: loaded once, shared by every fork.
PRELOAD = (
    "abc", "bisect", "collections", "collections.abc", "copy", "datetime", "decimal", "fractions",
    "functools", "heapq", "itertools", "math", "operator", "random", "re", "string",
    "sys", "time", "typing",
)  # fmt: skip

#: Installed packages that programs and tests may import, besides the standard library: what benchmarks' own tests
#: (EvalPlus) and many models' solutions import. Each with the folder of its shared libraries.
PACKAGE_NAMES = ("numpy",)

_BOOTSTRAP = """
import sys, os, json
from importlib.machinery import ModuleSpec
payload = json.load(os.fdopen(os.dup(int(sys.argv[1])), "rb"))
class Sources:
    def find_spec(self, name, path=None, target=None):
        if name in payload["sources"]:
            return ModuleSpec(name, self, is_package=name.endswith(("workers", "sandbox", "inside")))
    def create_module(self, spec): return None
    def exec_module(self, module):
        name = module.__name__
        exec(compile(payload["sources"][name], "<" + name + ">", "exec"), module.__dict__)
finder = Sources()
sys.meta_path.insert(0, finder)
from workers.sandbox.inside.entry import main
main(sys.argv, payload)
"""
#: The sandbox's own user where the worker is root: in a range that no distribution hands out.
_FIRST_UID, _UIDS = 60_600, 100
_READY_SECONDS = 20.0
#: Threads a program may have; and how many more each other process of the same user may start meanwhile.
_THREADS, _ROOM_FOR_OTHERS = 128, 16


@dataclass(frozen=True)
class Walls:
    """What surrounds the programs in a tier."""

    tier: str
    landlock: bool
    seccomp: bool
    bwrap: str | None = None

    @property
    def namespaces(self) -> bool:
        """Whether every batch has process, mount and IPC namespaces of its own."""
        return self.bwrap is not None


class LaunchFailed(Exception):
    """The zygote did not come up."""


@dataclass
class Zygote:
    """A running fork server and the worker's ends of its descriptors."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    data: socket.socket
    cpu_seconds: float = 0.0
    batch_open: bool = False

    def fate(self) -> str:
        """How it ended, in words; empty while it lives."""
        try:
            code = self.process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            return ""
        return f"it ended by signal {-code}" if code < 0 else f"it ended with status {code}"

    def kill(self) -> None:
        """End it and everything below it, and wait until it is gone."""
        self.control.close()
        self.data.close()
        try:
            self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


@cache
def package_folders() -> dict[str, str]:
    """Folder's name -> where it lies on the host: of the packages that are installed, and of their shared libraries."""
    found: dict[str, str] = {}
    for name in PACKAGE_NAMES:
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec is not None else []:
            candidates = (place, os.path.join(os.path.dirname(place), f"{name}.libs"))
            found |= {os.path.basename(one): os.path.realpath(one) for one in candidates if os.path.isdir(one)}
    return found


def _packages_inside(walls: Walls) -> dict[str, str]:
    return {name: f"{PACKAGES}/{name}" if walls.namespaces else place for name, place in package_folders().items()}


@cache
def _sources() -> dict[str, str]:
    inside = resources.files("workers.sandbox.inside")
    files = [file for file in inside.iterdir() if file.name.endswith(".py") and file.name != "__init__.py"]
    modules = {f"workers.sandbox.inside.{file.name[:-3]}": file.read_text() for file in files}
    return {"workers": "", "workers.sandbox": "", "workers.sandbox.inside": "", **modules}


def interpreter() -> str:
    """The real interpreter below any virtual environment: programs see the standard library and nothing else."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def sandbox_uid() -> int | None:
    """The user to become, where this process is root; None where it is ordinary already."""
    return _FIRST_UID + os.getpid() % _UIDS if os.geteuid() == 0 else None


def launch(walls: Walls, limits: Limits) -> Zygote:
    """Start a zygote and wait until it serves. Raises LaunchFailed with what it said."""
    control, theirs = socket.socketpair()
    data, their_data = socket.socketpair()
    worker = os.pidfd_open(os.getpid())
    payload = _memory_file()
    inherited = [theirs.fileno(), their_data.fileno(), worker, payload]
    try:
        settings = _settings(walls, limits, *inherited[:3])
        body: dict[str, Any] = {"sources": _sources(), "zygote": settings, "exec": None, "packages": package_folders()}
        if walls.bwrap is not None:
            inner = [interpreter(), "-S", "-s", "-P", "-c", _BOOTSTRAP, str(payload), "zygote"]
            body["exec"] = bwrap_command(walls.bwrap, inner, package_folders())
            body["drop_to"], settings["uid"] = settings["uid"], None
        os.write(payload, json.dumps(body).encode())
        os.lseek(payload, 0, os.SEEK_SET)
        process = _start([interpreter(), "-S", "-s", "-P", "-c", _BOOTSTRAP, str(payload), "start"], inherited)
    except BaseException:
        control.close()
        data.close()
        raise
    finally:
        theirs.close()
        their_data.close()
        os.close(worker)
        os.close(payload)
    zygote = Zygote(process, control, data)
    _await_ready(zygote)
    return zygote


def _memory_file() -> int:
    return os.memfd_create("sandbox", 0)


def _start(command: list[str], inherited: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT | {"PATH": "/usr/bin:/bin"},
        cwd="/",
        pass_fds=inherited,
        start_new_session=True,
    )


def _await_ready(zygote: Zygote) -> None:
    zygote.control.settimeout(_READY_SECONDS)
    try:
        ready = zygote.control.recv(1)
    except TimeoutError:
        ready = b""
    zygote.control.settimeout(None)
    if ready:
        return
    zygote.process.kill()
    said = zygote.process.stderr.read() if zygote.process.stderr is not None else b""
    zygote.kill()
    lines = said.decode("utf-8", "replace").strip().splitlines()
    raise LaunchFailed(lines[-1][:300] if lines else "it ended without a word")


def _settings(walls: Walls, limits: Limits, control: int, data: int, worker: int) -> dict[str, Any]:
    return {
        "answer_bytes": limits.answer_bytes,
        "control": control,
        "data": data,
        "worker": worker,
        "uid": sandbox_uid(),
        "landlock": walls.landlock,
        "seccomp": walls.seccomp,
        "namespaces": walls.namespaces,
        "preload": list(PRELOAD),
        "library": _library(),
        "packages": _packages_inside(walls),
        "threads": _THREADS + (0 if walls.namespaces or os.geteuid() == 0 else _threads_of_this_user()),
    }


def _threads_of_this_user() -> int:
    """The kernel counts threads by user: where programs run as the worker's own, its other ones count along."""
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if entry.stat().st_uid == os.geteuid():
                    count += len(os.listdir(f"/proc/{entry.name}/task")) + _ROOM_FOR_OTHERS
    return count


def _library() -> list[str]:
    """Where the standard library and shared objects lie."""
    places = [os.path.join(sys.base_prefix, "lib"), "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo"]
    return list(dict.fromkeys(os.path.realpath(place) for place in places if os.path.isdir(place)))
