"""Every program of tests/attacks behind every tier of walls, on a simulated host full of canaries."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workers.errors import SandboxUnavailable
from workers.sandbox.limits import InputPlan, Limits, Report, TestPlan
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.tiers import open_sandbox

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

ATTACKS = Path(__file__).parents[1] / "attacks"
# Where a virtual machine gets its memory from its host page by page, touching 100 MB can take half a second.
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=3.0, memory_bytes=256 << 20, output_bytes=256 << 10)
HARMLESS = "def f(x):\n    return x * x\n"
_VALUES = (
    "[None, True, 1, 1.5, 2j, 'a', b'b', bytearray(b'c'), (1,), [2], {3}, frozenset({4}), {5: 6}, range(7), "
    "collections.OrderedDict(a=1), collections.Counter('aab'), collections.deque([1]), "
    "collections.defaultdict(int, a=1), decimal.Decimal('1.5'), fractions.Fraction(1, 3), "
    "datetime.date(2020, 1, 2), datetime.timedelta(1), 2, float('inf'), 10 ** 50]"
)
TESTS = {
    "square": (
        "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
        "    assert candidate(10) == 100\n"
    ),
    "token": "def check(candidate):\n    assert candidate('') == 'TOKEN-58201937'\n",
    "listed": "def check(candidate):\n    given = [1, 2]\n    assert candidate(given) == sum(given) + 1\n",
    "walked": "def check(candidate):\n    assert [n for n in candidate([1, 2])] == [1, 4]\n",
    "nested": "def check(candidate):\n    assert candidate([candidate(1)]) == 5\n",
    "attribute": "def check(candidate):\n    assert candidate(1).name() == 5\n",
    "pair": "def check(candidate):\n    assert candidate(2) == (2, 2)\n",
    "in_place": "def check(candidate):\n    given = [3, 1, 2]\n    candidate(given)\n    assert given == [1, 2, 3]\n",
    "raises": (
        "def check(candidate):\n    try:\n        candidate(-1)\n    except ValueError:\n        return\n"
        "    assert False, 'nothing raised'\n"
    ),
    "kinds": (
        "import collections, datetime, decimal, fractions\n"
        f"def check(candidate):\n    values = {_VALUES}\n    assert candidate(1) == values\n"
        "    assert [type(v) for v in candidate(1)] == [type(v) for v in values]\n"
    ),
}


@dataclass
class Host:
    """The simulated host: things an attack would read, change or reach."""

    directory: Path
    secret: str
    servers: list[socket.socket] = field(default_factory=list)
    port: int = 0
    bystander: subprocess.Popen[bytes] | None = None

    def fill_in(self, text: str) -> str:
        """The attack with the host's places in it."""
        places = {
            "SECRET_FILE": self.directory / "secret", "SECRET": self.secret, "DIRECTORY": self.directory / "open",
            "PORT": self.port, "PID": os.getpid(),
        }  # fmt: skip
        for name, value in places.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def harm(self) -> list[str]:
        """What is no longer as it was."""
        victim = self.directory / "open" / "victim"
        found = {path.name for path in (self.directory / "open").iterdir()}
        harm = [] if found == {"victim", "server"} else [f"the open folder holds {sorted(found)}"]
        if not victim.exists() or victim.read_text() != "unharmed" or victim.stat().st_mode & 0o777 != 0o666:
            harm.append("the victim file was changed")
        if (self.directory / "secret").read_text() != self.secret:
            harm.append("the secret was changed")
        harm += [f"something reached {server.getsockname()}" for server in self.servers if _was_reached(server)]
        if self.bystander is None or self.bystander.poll() is not None:
            harm.append("the bystander died")
        if os.path.exists("/dev/shm/fill"):
            harm.append("/dev/shm was filled")
        return harm


def _was_reached(server: socket.socket) -> bool:
    try:
        if server.type == socket.SOCK_DGRAM:
            return bool(server.recv(10))
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A folder anybody may write to, a secret anybody may read, servers of every family, a process to kill."""
    root = Path(tempfile.gettempdir()) / f"passatk-host-{os.getpid()}"
    opened = root / "open"
    opened.mkdir(parents=True)
    root.chmod(0o755)
    opened.chmod(0o777)
    host = Host(root, os.urandom(12).hex())
    (root / "secret").write_text(host.secret)
    (root / "secret").chmod(0o644)
    (opened / "victim").write_text("unharmed")
    (opened / "victim").chmod(0o666)
    tcp = socket.create_server(("127.0.0.1", 0))
    host.port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", host.port))
    by_path, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    by_path.bind(str(opened / "server"))
    (opened / "server").chmod(0o777)
    abstract.bind(f"\0passatk-{os.getpid()}")
    by_path.listen()
    abstract.listen()
    host.servers = [tcp, udp, by_path, abstract]
    for server in host.servers:
        server.setblocking(False)
    host.bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    os.environ["PASSATK_TEST_SECRET"] = host.secret
    yield host
    del os.environ["PASSATK_TEST_SECRET"]
    host.bystander.kill()
    host.bystander.wait()
    for server in host.servers:
        server.close()
    shutil.rmtree(root)


@pytest.fixture(scope="module", params=["bwrap", "flat"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A probed sandbox of each tier; a machine that cannot have one skips it visibly."""
    try:
        sandbox = open_sandbox(LIMITS, request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield sandbox
    sandbox.close()


@dataclass(frozen=True)
class Attack:
    """One attack file, read."""

    name: str
    head: dict[str, str]
    program: str

    def fault(self, report: Report) -> str | None:
        """Why this report is not what the file demands, or None."""
        outcome, _, reasons = self.head["must"].partition(" ")
        right = report.outcome == outcome and (not reasons or reasons == "*" or report.reason in reasons.split(","))
        return None if right else f"{report.outcome} {report.reason}, not {self.head['must']}: {report.detail}"


def _read(path: Path) -> Attack:
    text = path.read_text()
    head = {}
    for line in text.split("\n"):
        if not line.startswith("# ") or ": " not in line:
            break
        key, _, value = line[2:].partition(": ")
        head[key] = value
    return Attack(path.name.removesuffix(".py.txt"), head, text)


FILES = sorted(ATTACKS.glob("*.py.txt"))


def test_there_are_enough_attacks() -> None:
    assert len(FILES) >= 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".py.txt"))
def test_attack(path: Path, sandbox: Sandbox, host: Host) -> None:
    attack = _read(path)
    if sandbox.tier not in attack.head.get("tiers", sandbox.tier):
        pytest.skip(f"does not apply to tier {sandbox.tier}")
    if attack.head.get("machine", platform.machine()) != platform.machine():
        pytest.skip(f"system-call numbers of {attack.head['machine']}")
    program = host.fill_in(attack.program)
    times = 2 if "twice" in attack.head else 1
    tests = TESTS[attack.head.get("tests", "square")]
    zygote = sandbox.pid
    reports = sandbox.run(TestPlan(tests, "f"), [program] * times)
    assert [fault for report in reports if (fault := attack.fault(report))] == []
    reports += sandbox.run(TestPlan(TESTS["square"], "f"), [program, HARMLESS])
    assert reports[-1].outcome == "correct", f"the next program suffered: {reports[-1]}"
    assert host.harm() == []
    assert host.secret not in str(reports)
    assert "got through" not in str(reports)
    assert sandbox.pid == zygote, "the attack cost the sandbox its zygote"
    assert all(report.integrity == "strong" for report in reports)


WHOLE = sorted((ATTACKS / "whole").glob("*.py.txt"))
DOUBLES = InputPlan(
    ["2\n", "58201937\n", "3\n"],
    lambda at, output: (
        None if output.split() == [(b"4", b"116403874", b"6")[at]] else {"got": output.decode("utf-8", "replace")}
    ),
)
HARMLESS_WHOLE = "print(2 * int(input()))\n"


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name.removesuffix(".py.txt"))
def test_attack_by_a_whole_program(path: Path, sandbox: Sandbox, host: Host) -> None:
    attack = _read(path)
    program = host.fill_in(attack.program)
    zygote = sandbox.pid
    reports = sandbox.run_inputs(DOUBLES, [HARMLESS_WHOLE, program, program, HARMLESS_WHOLE + "# next\n"])
    assert [report.outcome for report in (reports[0], reports[-1])] == ["correct", "correct"], (
        "another program suffered"
    )
    assert [fault for report in reports[1:3] if (fault := attack.fault(report))] == []
    assert host.harm() == []
    assert host.secret not in str(reports)
    assert "got through" not in str(reports)
    assert sandbox.pid == zygote, "the attack cost the sandbox its zygote"


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that an ordinary user may reach and write to, whatever the rights on /tmp are."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        Path(made).chmod(0o1777)
        yield Path(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_is_as_safe(own_folder: Path) -> None:
    """The attacks that name the dangers, run by an ordinary user in a process of its own."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None or shutil.which("setpriv") is None:
        pytest.skip("needs setpriv and a system python3 that everybody may run")
    root = Path(__file__).parents[2]
    command = ["setpriv", "--reuid", "4321", "--regid", "4321", "--clear-groups", python]
    packages = [path for path in sys.path if path.endswith("-packages")]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join([str(root), *packages]), "HOME": "/tmp"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(own_folder)}
    reach = [*command, "-c", "import psycopg, pytest, workers"]
    if subprocess.run(reach, cwd="/", env=environment, capture_output=True, check=False).returncode:
        pytest.skip("the checkout and its packages are not readable for others, or of another Python")
    names = "read_secret or kill_worker or write_host or tcp or worker_environment or fork_bomb or exit_zero or disk"
    done = subprocess.run(
        [*command, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(root), __file__, "-k", names],
        cwd="/tmp",
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
