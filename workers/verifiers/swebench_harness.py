"""The official SWE-bench harness, driven where Docker is: predictions out, reports back, each patch a run key."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.errors import PassatkError
from store.swebench_reports import InstanceReport, read_report, report_path, sample_key
from workers.errors import VerifierBroken
from workers.verifiers.in_sandbox import clean
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason
from workers.verifiers.repository_source import patch_of


class HarnessMissing(PassatkError):
    """The SWE-bench harness or Docker is not installed."""


class SwebenchHarness:
    """Verifier `swebench`: correct when the harness reports the issue resolved.

    `dataset` and `split` name the published set, `folder` is where the harness works and leaves its logs (default: a
    folder `swebench` in the current one), `python` has the package `swebench` (default: the worker's own), `arguments`
    go to the harness as they are. The harness keys results by `model_name_or_path`: each patch gets a key of its own,
    `passatk-HASH__s00000`, so that none overwrites another. What fails in Docker or the harness is `undecided`.
    """

    name = "swebench"
    expensive = True

    def __init__(
        self,
        dataset: str = "princeton-nlp/SWE-bench_Lite",
        split: str = "test",
        folder: str = "swebench",
        python: str | None = None,
        timeout: int = 1800,
        max_workers: int = 4,
        arguments: Sequence[str] = (),
    ) -> None:
        self._python = python or sys.executable
        if shutil.which("docker") is None:
            raise HarnessMissing(
                "verifier swebench needs Docker, which is not installed: see https://docs.docker.com/engine/install; "
                "plain Python repositories are judged without it by verifier repository"
            )
        if python is None and find_spec("swebench") is None:
            raise HarnessMissing("verifier swebench needs the harness: pip install swebench")
        self._folder = Path(folder).expanduser().resolve()
        self._dataset, self._split, self._timeout, self._max_workers = dataset, split, timeout, max_workers
        self._arguments = list(map(str, arguments))
        self.version = f"1+swebench{_harness_version(self._python)}"
        self.options = {
            "dataset": dataset, "split": split, "folder": str(self._folder), "python": python, "timeout": timeout,
            "max_workers": max_workers, "arguments": self._arguments,
        }  # fmt: skip

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical patches are one run of the harness. Raises VerifierBroken."""
        instance = str(problem.metadata.get("instance_id") or problem.key)
        patches = [patch_of(completion) for completion in completions]
        distinct = list(dict.fromkeys(patch for patch in patches if patch is not None))
        started = time.perf_counter()
        reports = self._reports(instance, distinct) if distinct else {}
        seconds = (time.perf_counter() - started) / max(1, len(distinct))
        return [
            Judgement(Outcome.INCORRECT, Reason.NO_ANSWER) if patch is None else _judgement(reports[patch], seconds)
            for patch in patches
        ]

    def environment(self) -> Environment:
        """Docker containers of the harness."""
        return Environment("docker", {"swebench": self.version.partition("+swebench")[2]})

    def close(self) -> None:
        """Nothing is held open."""

    def _reports(self, instance: str, patches: Sequence[str]) -> Mapping[str, InstanceReport]:
        keys = {patch: sample_key(f"passatk-{_hash(instance + patch)}", 0) for patch in patches}
        run_id = f"passatk-{_hash(instance + ''.join(sorted(keys.values())))}"
        self._folder.mkdir(parents=True, exist_ok=True)
        said = ""
        # One run a patch: the harness knows an instance by its id, and takes one prediction for each.
        for patch, key in keys.items():
            if not _is_decided(report_path(self._folder, run_id, key, instance), instance):
                said = self._run(instance, run_id, key, patch)
        return {patch: self._report(run_id, key, instance, said) for patch, key in keys.items()}

    def _run(self, instance: str, run_id: str, key: str, patch: str) -> str:
        predictions = self._folder / f"{key}.jsonl"
        row = {"instance_id": instance, "model_name_or_path": key, "model_patch": patch}
        predictions.write_text(json.dumps(row) + "\n", encoding="utf-8")
        command = [
            self._python, "-m", "swebench.harness.run_evaluation", "--dataset_name", self._dataset,
            "--split", self._split, "--instance_ids", instance, "--predictions_path", str(predictions),
            "--run_id", run_id, "--timeout", str(self._timeout), "--max_workers", str(self._max_workers),
            *self._arguments,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=self._folder, capture_output=True, text=True, check=False, timeout=2 * self._timeout + 3600
            )
        except subprocess.TimeoutExpired:
            raise VerifierBroken(f"the SWE-bench harness hangs on {instance}; is Docker well?") from None
        return (done.stderr or done.stdout).strip()[-400:]

    def _report(self, run_id: str, key: str, instance: str, said: str) -> InstanceReport:
        """The instance's report. A harness that leaves none has failed, not the patch: raises VerifierBroken."""
        path = report_path(self._folder, run_id, key, instance)
        if not path.exists():
            log = path.with_name("run_instance.log")
            if log.exists() and "Patch Apply Failed" in log.read_text(encoding="utf-8", errors="replace"):
                return InstanceReport(instance, patch_exists=True, patch_applied=False, resolved=False)
            raise VerifierBroken(f"the SWE-bench harness left no report for {instance} ({path}): {said or 'no word'}")
        return next(one for one in read_report(path) if one.instance_id == instance)


def _judgement(report: InstanceReport, seconds: float) -> Judgement:
    outcome, reason = report.verdict
    detail: dict[str, Any] = {"report": {report.instance_id: report.as_report()}, "integrity": "weak"}
    found = None if reason is None else Reason(reason)
    return Judgement(Outcome(outcome), found, seconds=seconds, detail=clean(detail), weak=True)


def _is_decided(path: Path, instance: str) -> bool:
    """Whether a report is there that says something: one of a failed host is made again."""
    return path.exists() and any(one.instance_id == instance and not one.infra_failure for one in read_report(path))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _harness_version(python: str) -> str:
    asked = "from importlib.metadata import version; print(version('swebench'))"
    try:
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    except OSError as error:
        raise HarnessMissing(f"{python} does not run: {error}") from None
    if done.returncode:
        raise HarnessMissing(f"{python} has no package swebench: pip install swebench")
    return done.stdout.strip()
