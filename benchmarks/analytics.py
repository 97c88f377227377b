"""Every speed line of the analytics beside its limit, in one run.

    python benchmarks/analytics.py [--runs 100] [--samples 10000] [--verdicts 10000000] [--recorded 500000]

Runs curves_at_scale.py, mirror_refresh.py and beside_others.py one after the other, each with a store of its own;
smaller numbers make a quick look. Exit status 1 when any limit is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the three; the worst exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--verdicts", type=int, default=10_000_000)
    parser.add_argument("--recorded", type=int, default=500_000)
    given = parser.parse_args()
    folder = Path(__file__).resolve().parent
    worst = 0
    for script, options in (
        ("curves_at_scale.py", ["--runs", given.runs, "--samples", given.samples]),
        ("mirror_refresh.py", ["--verdicts", given.verdicts]),
        ("beside_others.py", ["--verdicts", given.verdicts, "--recorded", given.recorded]),
    ):
        print(f"--- {script}", flush=True)
        command = [sys.executable, str(folder / script), *map(str, options)]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
