"""The first lines that run in the child: become unprivileged and step into the container, or serve at once."""

from __future__ import annotations

import os
from typing import Any

from workers.sandbox.inside import kernel, zygote

_STAGE = 2
_BIND_OVER = "/run"


def main(arguments: list[str], payload: dict[str, Any]) -> None:
    """Stage `start` (as the worker started it) or stage `zygote` (inside the container)."""
    command = payload["exec"]
    if arguments[_STAGE] == "start" and command is not None:
        _enter_container(command, payload.get("drop_to"), payload)
    zygote.main(payload["zygote"])


def _enter_container(command: list[str], uid: int | None, payload: dict[str, Any]) -> None:
    """Replace this process by the container's; as root only after becoming somebody else.

    A container that root builds is no wall: its user namespace holds every capability over files of the host's root.
    """
    descriptor = int(command[-2])
    prefix = os.path.dirname(os.path.dirname(os.path.dirname(os.__file__)))
    if uid is not None:
        prefix = _reachable(prefix)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.set_inheritable(descriptor, True)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.execv(command[0], [argument.replace("{prefix}", prefix) for argument in command])


def _reachable(prefix: str) -> str:
    """The interpreter's place, bound where everybody may go, in a mount namespace of this process alone."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
    except OSError:
        # A root without that right; where everybody may read the interpreter nothing is lost.
        return prefix
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount(prefix, _BIND_OVER, None, kernel.MS_BIND | kernel.MS_REC)
    return _BIND_OVER
