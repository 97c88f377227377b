"""Which walls work on this machine: found by running a harmless program and real escape attempts behind each.

The ladder: `bwrap` (fresh namespaces for every batch inside one container, with Landlock where the kernel has it) and
`flat` (Landlock and a system-call filter alone, for machines that allow no namespaces). Where neither holds nothing is
run, unless PASSATK_UNSAFE_SANDBOX=i-accept is set: then tier `none` keeps resource limits and separate processes only.
"""

from __future__ import annotations

import base64
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from workers.errors import SandboxUnavailable, VerifierBroken
from workers.sandbox.inside.plain_data import decode
from workers.sandbox.launch import PACKAGE_NAMES, Walls
from workers.sandbox.limits import Limits, TestPlan
from workers.sandbox.sandbox import Sandbox

#: With UNSAFE_VALUE programs run without a sandbox where none holds, with FORCED_VALUE in any case.
UNSAFE_VARIABLE, UNSAFE_VALUE, FORCED_VALUE = "PASSATK_UNSAFE_SANDBOX", "i-accept", "no-sandbox"
TIERS = ("bwrap", "flat")
_HELP = (
    "install bubblewrap (apt install bubblewrap) and allow unprivileged user namespaces, or use a kernel with "
    "Landlock (5.13 or later); --unsafe-no-sandbox runs programs without a sandbox, at your own risk, and "
    "`worker verify --no-programs` judges only what runs none"
)

_NO_WALLS = Walls("none", landlock=False, seccomp=False)
_PLAN = TestPlan("def check(f):\n    assert f() == 'held'\n", "attempt")
_CONTROL = "import math, collections\ndef attempt():\n    return 'held' if math.isqrt(49) == 7 else 'broken'\n"

_PACKAGES_PLAN = TestPlan("def check(f):\n    global found\n    found = f()\n", "attempt", collect="found")
_PACKAGES = """
def attempt():
    found = {{}}
    for name in {names!r}:
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            pass
    return found
"""

#: Each returns 'escaped' where it got through. Braces are filled with what the host laid out for them.
_ATTEMPTS: Mapping[str, str] = {
    "read a file of the host": "    return 'escaped' if {secret!r} in open({file!r}).read() else 'held'",
    "write to the host": "    open({directory!r} + '/escaped', 'w').close()\n    return 'escaped'",
    "reach the network": (
        "    import socket\n"
        "    socket.create_connection(('127.0.0.1', {port}), timeout=2).close()\n"
        "    return 'escaped'"
    ),
    "signal the worker": "    import os\n    os.kill({pid}, 0)\n    return 'escaped'",
    "see the worker's processes": "    import os\n    return 'escaped' if os.listdir('/proc/{pid}') else 'held'",
    "start a process": "    import os\n    if os.fork() == 0:\n        os._exit(0)\n    return 'escaped'",
    "execute a program": "    import os\n    os.execv('/bin/true', ['true'])",
    "see the worker's environment": "    import os\n    return 'escaped' if {variable!r} in os.environ else 'held'",
    "be root": "    import os\n    return 'escaped' if 0 in os.getresuid() else 'held'",
    "make a namespace": (
        "    import ctypes\n    return 'escaped' if ctypes.CDLL(None).unshare(0x10000000) == 0 else 'held'"
    ),
}


@dataclass(frozen=True)
class Probe:
    """What probing one tier found: None where it holds, else what is wrong."""

    tier: str
    fault: str | None


def open_sandbox(limits: Limits, tier: str | None = None) -> Sandbox:
    """A running sandbox behind the strongest walls that hold here, or behind those of `tier`.

    Raises SandboxUnavailable with what was tried and what to install.
    """
    if platform.system() != "Linux":
        raise SandboxUnavailable("programs are judged on Linux only: the sandbox needs its namespaces or Landlock")
    accepted = os.environ.get(UNSAFE_VARIABLE)
    if tier in (None, "none") and accepted == FORCED_VALUE:
        return Sandbox(_NO_WALLS, limits)
    faults = []
    for walls in _ladder(tier):
        sandbox = Sandbox(walls, limits)
        probe = probe_sandbox(sandbox)
        if probe.fault is None:
            sandbox.packages = packages_seen(sandbox)
            return sandbox
        sandbox.close()
        faults.append(f"{probe.tier}: {probe.fault}")
    if tier in (None, "none") and accepted == UNSAFE_VALUE:
        return Sandbox(_NO_WALLS, limits)
    raise SandboxUnavailable(f"no sandbox holds on this machine ({'; '.join(faults) or 'none tried'}): {_HELP}")


def _ladder(tier: str | None) -> Iterator[Walls]:
    bwrap = shutil.which("bwrap")
    if tier in (None, "bwrap") and bwrap is not None:
        yield Walls("bwrap", landlock=True, seccomp=True, bwrap=bwrap)
    if tier in (None, "flat"):
        yield Walls("flat", landlock=True, seccomp=True)


def probe_sandbox(sandbox: Sandbox) -> Probe:
    """Run the control program and every escape attempt behind the sandbox's walls."""
    with _host() as facts:
        try:
            control = sandbox.run(_PLAN, [_CONTROL])[0]
            if control.outcome != "correct":
                return Probe(sandbox.tier, f"a harmless program fails: {control.reason} {dict(control.detail)}")
            programs = [f"def attempt():\n{body.format(**facts)}\n" for body in _ATTEMPTS.values()]
            reports = sandbox.run(_PLAN, programs)
        except VerifierBroken as error:
            return Probe(sandbox.tier, str(error))
        escaped = [
            name
            for name, report in zip(_ATTEMPTS, reports, strict=True)
            if report.outcome != "correct" and "'escaped'" in str(report.detail.get("got"))
        ]
        if Path(str(facts["directory"]), "escaped").exists() and "write to the host" not in escaped:
            escaped.append("write to the host")
    return Probe(sandbox.tier, f"a program could {', '.join(escaped)}" if escaped else None)


def packages_seen(sandbox: Sandbox) -> dict[str, str]:
    """Name -> version of the installed packages that programs can import there."""
    report = sandbox.run(_PACKAGES_PLAN, [_PACKAGES.format(names=PACKAGE_NAMES)])[0]
    return dict(decode(base64.b64decode(report.detail["collected"]))) if report.outcome == "correct" else {}


@contextmanager
def _host() -> Iterator[dict[str, object]]:
    """Things on the host that a program must not reach: a readable file, a writable folder, a listening port."""
    variable = "PASSATK_SANDBOX_CANARY"
    secret = os.urandom(8).hex()
    with tempfile.TemporaryDirectory(prefix="passatk-probe-") as name, socket.create_server(("127.0.0.1", 0)) as server:
        directory, file = Path(name), Path(name, "secret")
        directory.chmod(0o777)
        file.write_text(secret)
        file.chmod(0o644)
        os.environ[variable] = secret
        try:
            port = server.getsockname()[1]
            yield {
                "secret": secret,
                "file": str(file),
                "directory": name,
                "port": port,
                "pid": os.getpid(),
                "variable": variable,
            }
        finally:
            with suppress(KeyError):
                del os.environ[variable]
