"""The container of tier `bwrap`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

#: What programs and the processes around them find in their environment, in every tier. Numerical libraries would
#: start a thread for each core at import.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
#: Where installed packages lie inside.
PACKAGES = "/packages"


def bwrap_command(bwrap: str, inner: list[str], packages: Iterable[str]) -> list[str]:
    """The command that runs `inner` in a container of its own; `{prefix}` stands for the interpreter's place.

    `packages`: names of folders, each of which stands in braces for its own place.

    Nothing of the host is in it but the interpreter, shared libraries, time zones and a few devices; no `/proc`. The
    capability is one over the container's own namespaces: the zygote makes each batch's with it and gives it up there.
    """
    command = [
        bwrap, "--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN",
        "--clearenv", "--new-session", "--hostname", "sandbox", "--dir", "/dev", "--dir", "/tmp",
    ]  # fmt: skip
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    for device in ("null", "zero", "full", "random", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for place in ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"):
        command += ["--ro-bind-try", place, place]
    for place in ("/lib", "/lib64"):
        link = ["--symlink", os.readlink(place), place] if os.path.islink(place) else ["--ro-bind-try", place, place]
        command += link
    for place in ("lib", "bin"):
        inside = os.path.join(sys.base_prefix, place)
        command += ["--ro-bind", f"{{prefix}}/{place}", inside]
    for folder in packages:
        command += ["--ro-bind", f"{{{folder}}}", f"{PACKAGES}/{folder}"]
    return [*command, "--remount-ro", "/", "--chdir", "/", *inner]
