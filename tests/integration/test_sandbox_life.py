"""How the sandbox lives and dies: restarts, leaves nothing behind, refuses where it cannot hold, repeats itself."""

from __future__ import annotations

import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from workers.errors import SandboxUnavailable, VerifierBroken
from workers.sandbox import sandbox as sandbox_module
from workers.sandbox import tiers
from workers.sandbox.launch import Walls
from workers.sandbox.limits import Limits, TestPlan
from workers.sandbox.sandbox import Sandbox
from workers.verifiers.protocol import Problem, Reason
from workers.verifiers.unit_tests import UnitTests

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

ROOT = Path(__file__).parents[2]
LIMITS = Limits(cpu_seconds=0.5, wall_seconds=2.0, memory_bytes=256 << 20)
PLAN = TestPlan("def check(candidate):\n    assert candidate(2) == 4\n", "f")
SQUARE, WRONG, SLEEP = "def f(x): return x * x\n", "def f(x): return 0\n", "import time\ndef f(x): time.sleep(60)\n"
PROBLEM = Problem("p", "def f(x):\n", tests=PLAN.tests, entry_point="f")


@pytest.fixture(params=["bwrap", "flat"])
def tier(request: pytest.FixtureRequest) -> str:
    """Each tier that this machine can have."""
    try:
        tiers.open_sandbox(LIMITS, request.param).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
def sandbox(tier: str) -> Iterator[Sandbox]:
    """A sandbox of the tier."""
    sandbox = tiers.open_sandbox(LIMITS, tier)
    yield sandbox
    sandbox.close()


def _descendants(pid: int) -> set[int]:
    """All processes below `pid`, seen from the host."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer} - found
        found |= layer
    return found


def _alive(pids: set[int]) -> set[int]:
    states = {}
    for pid in pids:
        try:
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
    return {pid for pid, state in states.items() if state not in "ZX"}


def _gone_within(pids: set[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while _alive(pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not _alive(pids)


def test_close_leaves_no_process_and_no_descriptor(sandbox: Sandbox) -> None:
    sandbox.close()
    before = len(os.listdir("/proc/self/fd"))
    sandbox.run(PLAN, [SQUARE])
    assert sandbox.pid is not None
    below = _descendants(sandbox.pid) | {sandbox.pid}
    sandbox.close()
    assert _gone_within(below, 5)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("lowest", range(26, 34))
def test_whatever_a_worker_has_open_is_in_nobodys_way(tier: str, lowest: int) -> None:
    """What it hands over may come to lie at any number: here from the lowest free one on."""
    held = [os.open("/dev/null", os.O_RDONLY)]
    while held[-1] < lowest - 1:
        held.append(os.open("/dev/null", os.O_RDONLY))
    sandbox = Sandbox(next(iter(tiers._ladder(tier))), LIMITS)
    try:
        assert [report.outcome for report in sandbox.run(PLAN, [SQUARE, WRONG])] == ["correct", "incorrect"]
    finally:
        sandbox.close()
        for descriptor in held:
            os.close(descriptor)


def test_a_closed_sandbox_starts_again(sandbox: Sandbox) -> None:
    sandbox.close()
    assert [report.outcome for report in sandbox.run(PLAN, [SQUARE, WRONG])] == ["correct", "incorrect"]


def test_a_killed_zygote_is_replaced(sandbox: Sandbox) -> None:
    sandbox.run(PLAN, [SQUARE])
    first = sandbox.pid
    assert first is not None
    for pid in _descendants(first) | {first}:
        with suppress(ProcessLookupError):  # the first to go takes others along
            os.kill(pid, signal.SIGKILL)
    assert sandbox.run(PLAN, [SQUARE] * 3)[2].outcome == "correct"
    assert sandbox.pid != first


def test_a_zygote_killed_in_the_middle_costs_no_verdict(sandbox: Sandbox) -> None:
    sandbox.run(PLAN, [SQUARE])
    assert sandbox.pid is not None
    doomed = sorted(_descendants(sandbox.pid) | {sandbox.pid})
    script = (
        f"import os, time; time.sleep(0.5); [os.kill(pid, 9) for pid in {doomed} if os.path.exists(f'/proc/{{pid}}')]"
    )
    with subprocess.Popen([sys.executable, "-c", script]):
        reports = sandbox.run(PLAN, [SQUARE, SLEEP, WRONG])
    assert [report.reason for report in reports] == [None, "wall_time", "wrong_answer"]


def test_a_zygote_that_never_lives_is_a_broken_verifier(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    sandbox.close()
    monkeypatch.setattr(sandbox_module, "_SLACK_SECONDS", 0.2)
    monkeypatch.setattr("workers.sandbox.launch.interpreter", lambda: "/bin/false")
    with pytest.raises(VerifierBroken, match="does not start"):
        sandbox.run(PLAN, [SQUARE])


def test_tests_that_do_not_run_break_the_verifier_not_the_program(sandbox: Sandbox) -> None:
    for broken in ("def check(candidate)\n", "x = 1\n"):
        with pytest.raises(VerifierBroken, match="tests do not run"):
            sandbox.run(TestPlan(broken, "f"), [SQUARE])
    assert sandbox.run(PLAN, [SQUARE])[0].outcome == "correct"


def test_nothing_survives_a_killed_worker(tier: str) -> None:
    script = (
        "from workers.sandbox.tiers import open_sandbox\nfrom workers.sandbox.limits import Limits, TestPlan\n"
        f"sandbox = open_sandbox(Limits(cpu_seconds=50), {tier!r})\nprint('up', flush=True)\n"
        f"sandbox.run(TestPlan({PLAN.tests!r}, 'f'), [{SLEEP!r}])\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert select.select([worker.stdout], [], [], 60)[0], "the worker did not come up"
        time.sleep(1.0)
        below = _descendants(worker.pid)
        assert len(below) >= 4, "zygote, batch root, judging process and candidate should be running"
        worker.kill()
        worker.wait()
        assert _gone_within(below, 5), f"left: {_alive(below)}"


def test_a_fork_of_the_worker_gets_a_sandbox_of_its_own(sandbox: Sandbox) -> None:
    sandbox.run(PLAN, [SQUARE])
    mine = sandbox.pid
    child = os.fork()
    if not child:
        try:
            right = sandbox.run(PLAN, [SQUARE])[0].outcome == "correct" and sandbox.pid != mine
            sandbox.close()
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sandbox.run(PLAN, [SQUARE])[0].outcome == "correct"
    assert sandbox.pid == mine


def test_it_is_never_root(sandbox: Sandbox) -> None:
    report = sandbox.run(TestPlan("assert f() == 'x'"), ["import os\ndef f(): return os.getresuid()\n"])[0]
    assert "0" not in str(report.detail["got"]).strip("()").split(", ")


def test_a_sandbox_that_leaks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tiers.UNSAFE_VARIABLE, raising=False)
    monkeypatch.setattr(tiers, "_ladder", lambda _tier: iter([Walls("paper", landlock=False, seccomp=False)]))
    with pytest.raises(SandboxUnavailable, match=r"paper: a program could read a file of the host.*bubblewrap"):
        tiers.open_sandbox(LIMITS)


def test_the_override_is_stamped_on_every_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "_ladder", lambda _tier: iter([]))
    monkeypatch.setenv(tiers.UNSAFE_VARIABLE, "yes")
    with pytest.raises(SandboxUnavailable):
        UnitTests().judge(PROBLEM, ["    return x * x\n"])
    monkeypatch.setenv(tiers.UNSAFE_VARIABLE, tiers.UNSAFE_VALUE)
    verifier = UnitTests()
    judgements = verifier.judge(PROBLEM, ["    return x * x\n", "    return 0\n"])
    verifier.close()
    assert [judgement.outcome for judgement in judgements] == ["correct", "incorrect"]
    assert [dict(judgement.detail or {})["sandbox"] for judgement in judgements] == ["none", "none"]


def test_a_wall_timeout_on_a_busy_machine_is_run_again_alone(monkeypatch: pytest.MonkeyPatch, tier: str) -> None:
    nap = "    import time\n    time.sleep(1.2)\n    return x * x\n"
    verifier = UnitTests(cpu_seconds=0.5, wall_seconds=0.8, tier=tier)
    monkeypatch.setattr("workers.verifiers.in_sandbox.machine_is_busy", lambda: False)
    assert verifier.judge(PROBLEM, [nap])[0].reason is Reason.WALL_TIME
    monkeypatch.setattr("workers.verifiers.in_sandbox.machine_is_busy", lambda: True)
    assert verifier.judge(PROBLEM, [nap])[0].outcome == "correct"
    verifier.close()


def test_reports_say_what_failed(sandbox: Sandbox) -> None:
    failing = "import sys\ndef f(x):\n    print('nearly', file=sys.stderr)\n    return x + 3\n"
    wrong, error, syntax = sandbox.run(PLAN, [failing, "def f(x): return {}[x]\n", "def f(x) return\n"])
    assert wrong.detail["test"] == "assert candidate(2) == 4"
    assert (wrong.detail["call"], wrong.detail["expected"], wrong.detail["got"]) == ("f(2)", "4", "5")
    assert error.detail["exception"] == "KeyError: 2"
    assert error.detail["traceback"] == "<program> line 1 in f"
    assert syntax.reason == "compile_error"
    assert "SyntaxError" in syntax.detail["exception"]


def test_the_order_of_outcomes(sandbox: Sandbox) -> None:
    flood = "import os\nfor _ in range(100): os.write(1, b'x' * 100_000)\n"
    flood = flood.replace("os.write", "(lambda *a: None if os.fstat(1).st_size >= 1 << 20 else os.write(*a))")
    greedy = "def f(x):\n    held = bytearray(1 << 40)\n"
    floods_and_loops = flood + "while True: pass\n"
    floods_and_is_right = flood + SQUARE
    reports = sandbox.run(PLAN, [floods_and_loops, floods_and_is_right, greedy])
    assert [report.reason for report in reports] == ["output_limit", "output_limit", "memory"]


def test_arguments_that_are_no_plain_data_need_the_weak_way(sandbox: Sandbox) -> None:
    plan = TestPlan("def check(candidate):\n    assert candidate(lambda n: n + 1, 3) == 4\n", "f")
    right, wrong = sandbox.run(plan, ["def f(g, x): return g(x)\n", "def f(g, x): return 0\n"])
    assert (right.outcome, right.integrity) == ("correct", "weak")
    assert (wrong.reason, wrong.integrity) == ("wrong_answer", "weak")


def test_the_reference_solution_decides_whether_tests_share_the_process(tier: str) -> None:
    whole = "class Box:\n    def __init__(self, n): self.n = n\ndef f(x):\n    return Box(x)\n"
    lie = "class Yes:\n    def __getattr__(self, name): return 2\ndef f(x):\n    return Yes()\n"
    tests = "def check(candidate):\n    assert candidate(2).n == 2\n"
    verifier = UnitTests(cpu_seconds=0.5, tier=tier)
    for metadata, expected in (
        ({}, "incorrect strong"),
        ({"canonical_solution": f"```python\n{whole}```"}, "correct weak"),
    ):
        problem = Problem("p", "def f(x):\n", tests=tests, entry_point="f", metadata=metadata)
        judgement = verifier.judge(problem, [f"```python\n{whole}```"])[0]
        assert f"{judgement.outcome} {dict(judgement.detail or {})['integrity']}" == expected
    plain = Problem(
        "q", "def f(x):\n", tests=PLAN.tests, entry_point="f", metadata={"canonical_solution": "    return x * x\n"}
    )
    judgement = verifier.judge(plain, [f"```python\n{lie}```"])[0]
    assert (judgement.outcome, dict(judgement.detail or {})["integrity"]) == ("incorrect", "strong")
    verifier.close()


def test_the_tests_may_use_the_prompts_functions_and_the_programs_names(sandbox: Sandbox) -> None:
    prompt = "import math\n\ndef double(x):\n    return 2 * x\n\ndef f(x):\n    '''Undo double.'''\n"
    plan = TestPlan("def check(c):\n    assert c(double(7)) == 7 and math.floor(g(2)) == 5\n", "f", prompt)
    program = prompt + "    return x // 2\n\ndef g(x):\n    return 5.5\n"
    assert sandbox.run(plan, [program])[0].outcome == "correct"


def test_set_order_and_unseeded_chance_are_the_same_in_every_run(sandbox: Sandbox) -> None:
    plan = TestPlan("assert f() == 'x'")
    program = "import random\ndef f(): return random.random(), list({'a', 'b', 'c', 'd', 'e'})\n"
    first = {str(report.detail["got"]) for report in sandbox.run(plan, [program] * 5)}
    sandbox.close()
    assert first == {str(sandbox.run(plan, [program])[0].detail["got"])}
    assert len(first) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_gets_the_same_sandboxes() -> None:
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None or shutil.which("setpriv") is None:
        pytest.skip("needs setpriv and a system python3 that everybody may run")
    wanted = ["bwrap", "flat"] if shutil.which("bwrap", path="/usr/bin:/bin") else ["flat"]
    script = (
        "from workers.sandbox.tiers import open_sandbox\nfrom workers.sandbox.limits import Limits, TestPlan\n"
        f"for tier in {wanted}:\n"
        "    sandbox = open_sandbox(Limits(), tier)\n"
        f"    print(tier, *[r.outcome for r in sandbox.run(TestPlan({PLAN.tests!r}, 'f'), [{SQUARE!r}, {WRONG!r}])])\n"
        "    sandbox.close()\n"
    )
    command = ["setpriv", "--reuid", "4321", "--regid", "4321", "--clear-groups", python, "-c", script]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    if subprocess.run([*command[:6], "test", "-r", str(ROOT / "workers")], check=False).returncode:
        pytest.skip("the project's folder is not readable for others")
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == [f"{tier} correct incorrect" for tier in wanted], done.stderr
