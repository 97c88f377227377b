"""A long run of the sandbox, a tenth of its programs hostile: what the worker holds at the end beside the beginning.

    python benchmarks/sandbox_long_run.py [--programs 10000] [--tier bwrap]

Prints memory, descriptors, mounts, processes below the worker and shared-memory files after warming up and at the end,
and ends with status 1 where one of them grew (memory: by more than a tenth) or a harmless program got a wrong verdict.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from workers.sandbox.launch import sandbox_uid
from workers.sandbox.limits import InputPlan, Limits, TestPlan
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.tiers import open_sandbox

PLAN = TestPlan("def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n", "f")
RIGHT = "def f(x):\n    return x * x\n"
HOSTILE = [
    "import os\nos._exit(0)\n",
    "import os\nwhile True: os.fork()\n",
    "held = []\nwhile True: held.append(bytearray(10_000_000))\n",
    "while True: print('x' * 10_000)\n",
    "import os\nfor n in range(10_000):\n    open(f'/tmp/{n}', 'w').write('x' * 100)\n",
    "import os\nheld = [os.pipe() for _ in range(10_000)]\n",
    "import threading, time\nfor _ in range(10_000):\n"
    "    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
    "import os\nos.closerange(0, 256)\ndef f(x): return x * x\n",
    "import os, struct\nfor fd in range(64):\n    try: os.write(fd, struct.pack('<IB', 2, 1) + b'{}')\n"
    "    except OSError: pass\n",
    "import ctypes\nctypes.string_at(0)\n",
]
INPUTS = InputPlan(["2\n", "3\n"], lambda at, output: None if output.strip() == b"%d" % (at + 2) ** 2 else {})
WHOLE = "n = int(input())\nprint(n * n)\n"


def main() -> None:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description="what a long run leaves behind")
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--tier", choices=["bwrap", "flat"], default=None)
    arguments = parser.parse_args()
    sandbox = open_sandbox(Limits(cpu_seconds=0.3, wall_seconds=3.0, memory_bytes=256 << 20), arguments.tier)
    _work(sandbox, 0, 200)
    first = held(sandbox)
    print(f"tier {sandbox.tier}\nafter 200     {first}")
    begun, wrong = time.monotonic(), 0
    for start in range(200, arguments.programs, 200):
        wrong += _work(sandbox, start, min(200, arguments.programs - start))
    last = held(sandbox)
    print(f"after {arguments.programs:<7} {last}   {time.monotonic() - begun:.0f} s, {wrong} wrong verdicts")
    grown = [name for name, value in last.items() if value > first[name] * (1.1 if name.endswith("kB") else 1.0)]
    sandbox.close()
    if grown or wrong:
        sys.exit(f"grown: {', '.join(grown) or 'nothing'}; wrong verdicts: {wrong}")


def _work(sandbox: Sandbox, start: int, count: int) -> int:
    """Judge `count` programs, nine of ten harmless, half of them as whole programs; those judged wrong."""
    wrong = 0
    for at in range(start, start + count, 20):
        hostile = HOSTILE[at // 20 % len(HOSTILE)]
        reports = sandbox.run(PLAN, [*(f"{RIGHT}# {at + n}\n" for n in range(9)), hostile])
        wrong += _misjudged([report.outcome for report in reports])
        reports = sandbox.run_inputs(INPUTS, [*(f"{WHOLE}# {at + n}\n" for n in range(9)), hostile])
        wrong += _misjudged([report.outcome for report in reports])
    return wrong


def _misjudged(outcomes: list[str]) -> int:
    """Of nine harmless programs and a hostile one."""
    return sum(outcome != "correct" for outcome in outcomes[:9]) + (outcomes[9] == "correct")


def held(sandbox: Sandbox) -> dict[str, int]:
    """What this worker and its sandbox hold between batches."""
    sandbox.cpu_seconds()  # ends the batch in work
    below = _below(os.getpid())
    return {
        "worker kB": _resident(os.getpid()),
        "zygote kB": sum(_resident(pid) for pid in below),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
        "processes": len(below),
        "shared memory": _left_in_shared_memory(),
    }


def _left_in_shared_memory() -> int:
    """Files of the sandbox's user."""
    owner = sandbox_uid() or os.getuid()
    return sum(entry.stat().st_uid == owner for entry in os.scandir("/dev/shm")) if os.path.isdir("/dev/shm") else 0


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_below(int(child))]
    return found


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
