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
    places = {"{prefix}": os.path.dirname(os.path.dirname(os.path.dirname(os.__file__)))}
    places |= {f"{{{name}}}": place for name, place in payload["packages"].items()}
    if uid is not None:
        places = _reachable(places)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.set_inheritable(descriptor, True)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.execv(command[0], [_filled_in(argument, places) for argument in command])


def _filled_in(argument: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        argument = argument.replace(name, place)
    return argument


def _reachable(places: dict[str, str]) -> dict[str, str]:
    """The same places, bound where everybody may go, in a mount namespace of this process alone."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
    except OSError:
        # A root without that right; where everybody may read the interpreter nothing is lost.
        return places
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    held = {name: os.open(place, os.O_PATH | os.O_DIRECTORY) for name, place in places.items()}
    kernel.mount("tmpfs", _BIND_OVER, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64k,mode=0755")
    bound = {}
    for number, (name, descriptor) in enumerate(held.items()):
        bound[name] = f"{_BIND_OVER}/{number}"
        os.mkdir(bound[name], 0o755)
        kernel.mount(f"/proc/self/fd/{descriptor}", bound[name], None, kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)
    return bound
