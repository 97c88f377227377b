"""Import one JSON array of hundreds of MB, all in one line, and print peak memory beside the size of the file.

    python benchmarks/import_memory.py [--megabytes 400]

The array has the shape of the paper's released data. The same file is also loaded whole with `json`, in a process of
its own, for comparison. A store of its own is made in a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = 1000


def write_array(path: Path, megabytes: int) -> int:
    """Write an array of problems with SAMPLES samples each until the file is that large; how many problems."""
    filler = "Let us count the marbles one by one and write down what we find, step after step. " * 5
    problems = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write("[")
        while stream.tell() < megabytes * 1_000_000:
            record = {
                "prompt": f"Question: {problems} and 1?\nAnswer:",
                "question": f"{problems} and 1?",
                "samples": [f"{filler}{n}\n#### {n % 7}" for n in range(SAMPLES)],
                "is_corrects": [n % 7 == problems % 7 for n in range(SAMPLES)],
                "gt_answer": f"#### {problems % 7}",
                "orig_dset_split": "test",
                "orig_dset_idx": problems,
            }
            stream.write(("," if problems else "") + json.dumps(record))
            problems += 1
        stream.write("]")
    return problems


def child(what: str, path: str) -> None:
    """Do one of the two in this process and print its seconds and its own peak memory, in MB."""
    began = time.perf_counter()
    if what == "whole":
        loaded = json.loads(Path(path).read_text(encoding="utf-8"))
        told = f"{sum(len(record['samples']) for record in loaded):,} samples read"
    else:
        from store import schema
        from store.import_placing import SampleFile
        from store.sample_import import import_samples

        schema.ensure(embedded=True)
        began = time.perf_counter()
        imported = import_samples(SampleFile(Path(path), "monkeys-json"))
        told = f"{imported.new_samples:,} samples and {imported.new_verdicts:,} verdicts stored"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{told} in {time.perf_counter() - began:.0f} s, peak memory {peak:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--child", choices=["import", "whole"], help=argparse.SUPPRESS)
    parser.add_argument("path", nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.path)
        return
    home = Path(tempfile.mkdtemp(prefix="passatk-import-"))
    home.chmod(0o755)
    environment = {**os.environ, "PASSATK_HOME": str(home / "home")}
    try:
        path = home / "GSM8K_generated.json"
        problems = write_array(path, arguments.megabytes)
        print(f"file               {path.stat().st_size / 1e6:,.0f} MB in one line, {problems:,} problems")
        for what, label in (("import", "passatk import"), ("whole", "json.loads")):
            command = [sys.executable, __file__, "--child", what, str(path)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            print(f"{label:<19}{done.stdout.strip()}")
    finally:
        from store import embedded

        embedded.stop(home / "home")
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
