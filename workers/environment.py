"""Where this process makes its verdicts: what could change one, as it is recorded beside them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from workers.sandbox.sandbox import Sandbox
from workers.verifiers.protocol import Environment, Verifier

#: The tier of verifiers that run no program.
HOST = "host"


def environment_of(verifier: Verifier) -> Environment:
    """What the verifier says of its surroundings, or the host's; ask after a judgement, when its sandbox is known."""
    own = getattr(verifier, "environment", None)
    found = own() if callable(own) else Environment(HOST)
    return Environment(found.tier, {**_host(), **found.detail})


def sandbox_environment(sandbox: Sandbox) -> Environment:
    """The surroundings of programs that run in this sandbox: its tier, which walls stand, the interpreter inside."""
    walls = sandbox.walls
    detail: dict[str, Any] = {
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "walls": {"namespaces": walls.namespaces, "landlock": walls.landlock, "seccomp": walls.seccomp},
        "packages": sandbox.packages,
        "probed": walls.tier != "none",
    }
    if walls.bwrap is not None:
        detail["bubblewrap"] = _version_of(walls.bwrap)
    return Environment(walls.tier, detail)


@cache
def _version_of(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return said.stdout.strip() or "unknown"


def library_versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version, of those that are installed: for verifiers whose verdicts hang on libraries."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def _host() -> dict[str, Any]:
    return {
        "passatk": library_versions(["passatk"]).get("passatk", "unknown"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "worker_is_root": os.geteuid() == 0,
    }
