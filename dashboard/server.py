"""The dashboard as a background process: started once, found again by its pid file, stopped by its pid."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from dashboard import access
from store.errors import PassatkError
from store.settings import StoreSettings

FIRST_PORT = 8501
LOOPBACK = "127.0.0.1"
#: Longest wait for the first answer, seconds: a cold start on a busy machine.
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_APP = Path(__file__).with_name("app.py")


class PortTaken(PassatkError):
    """Something else listens on the port."""


class DashboardFailed(PassatkError):
    """The dashboard ended before it answered."""


@dataclass(frozen=True)
class Running:
    """A dashboard in the background: its process and address."""

    pid: int
    address: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


def pid_file(home: Path) -> Path:
    return home / "dashboard.pid"


def log_file(home: Path) -> Path:
    return home / "dashboard.log"


def running(home: Path) -> Running | None:
    """The dashboard that was started from this home, if it still runs."""
    try:
        found = Running(**json.loads(pid_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if _is_ours(found.pid) else None


def _is_ours(pid: int) -> bool:
    """Whether the process is a dashboard: a pid file may outlive its process, and the number be given anew."""
    try:
        os.kill(pid, 0)
        said = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return str(_APP) in said.stdout


def free_port(address: str, port: int | None) -> int:
    """The asked port, or the first free one from 8501 up."""
    candidates = [port] if port is not None else list(range(FIRST_PORT, FIRST_PORT + 100))
    for candidate in candidates:
        if _is_free(address, candidate):
            return candidate
    if port is not None:
        raise PortTaken(f"Port {port} on {address} is taken: give another --port, or none to take the first free one.")
    raise PortTaken(f"No port from {FIRST_PORT} to {FIRST_PORT + 99} on {address} is free: give one with --port.")


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Listen:
    """Where to listen (port None: the first free one), and the host names by which readers may come.

    Without names: those of this machine on loopback, any name elsewhere.
    """

    address: str = LOOPBACK
    port: int | None = None
    hosts: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


def command(listen: Listen, port: int, secrets: str = "") -> list[str]:
    """The command line of the server, with the file of an OIDC login; everything else is configured beside app.py."""
    hosts = listen.hosts or (() if listen.is_loopback else ("*",))
    return [
        sys.executable,
        *("-m", "streamlit", "run", str(_APP)),
        f"--server.address={listen.address}",
        f"--server.port={port}",
        *(f"--server.allowedHosts={host}" for host in hosts),
        *((f"--secrets.files={secrets}",) if secrets else ()),
    ]


def environment_of(settings: StoreSettings) -> dict[str, str]:
    """What the server's process is told; an address it sees is the peer's own, never what a header says."""
    return {
        "PASSATK_HOME": str(settings.home),
        "PASSATK_MIRROR": str(settings.mirror),
        "FORWARDED_ALLOW_IPS": "nobody",
    }


def start(settings: StoreSettings, listen: Listen) -> tuple[Running, bool]:
    """Start in the background and wait for the first answer; returns it and whether it is new.

    The process has a session of its own and none of the caller's pipes, so that neither waits for the other.
    """
    known = running(settings.home)
    if known is not None and listen.port in (None, known.port):
        return known, False
    settings.home.mkdir(parents=True, exist_ok=True)
    if known is not None:
        stop(settings.home)
    chosen = free_port(listen.address, listen.port)
    environment = os.environ | environment_of(settings)
    with log_file(settings.home).open("ab") as log:
        process = subprocess.Popen(
            command(listen, chosen, access.current().secrets),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
            cwd=settings.home,
            env=environment,
        )
    begun = Running(process.pid, listen.address, chosen)
    _write(pid_file(settings.home), begun)
    _await_answer(process, begun, settings.home)
    return begun, True


def _write(path: Path, begun: Running) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(begun.__dict__), encoding="utf-8")
    beside.replace(path)


def _await_answer(process: subprocess.Popen[bytes], begun: Running, home: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            pid_file(home).unlink(missing_ok=True)
            raise DashboardFailed(f"The dashboard ended with status {process.returncode}: see {log_file(home)}.")
        if answers(begun.url):
            return
        time.sleep(0.1)
    stop(home)
    raise DashboardFailed(f"The dashboard did not answer within {_START_SECONDS:.0f} s: see {log_file(home)}.")


def answers(url: str) -> bool:
    """Whether the server at an address is healthy."""
    try:
        # No proxy from the environment: this asks the machine itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop(home: Path) -> bool:
    """Stop the background dashboard; whether there was one."""
    found = running(home)
    if found is not None:
        _end(found.pid)
    pid_file(home).unlink(missing_ok=True)
    return found is not None


def _end(pid: int) -> None:
    for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 2.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if _has_ended(pid):
                return
            time.sleep(0.05)


def _has_ended(pid: int) -> bool:
    try:
        # Reaps it when it is our own child; otherwise whoever started it does.
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not _is_ours(pid)
