"""The harness's driver against FAKE_HARNESS: Docker and the real harness are not here.

Tested is this side: the command line, a run key of its own for each patch, how reports and failures are read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.errors import VerifierBroken
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason
from workers.verifiers.swebench_harness import HarnessMissing, SwebenchHarness

#: Stands for `python`: answers for the version, and writes what the harness would for the one prediction it is given.
FAKE_HARNESS = f"""#!{sys.executable} -S
import json, pathlib, sys
if sys.argv[1] == "-c":
    print("9.9.9-fake"); sys.exit(0)
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
with open("calls.jsonl", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
row = json.loads(pathlib.Path(options["--predictions_path"]).read_text())
model, instance, patch = row["model_name_or_path"], row["instance_id"], row["model_patch"]
folder = pathlib.Path("logs/run_evaluation") / options["--run_id"] / model.replace("/", "__") / instance
folder.mkdir(parents=True, exist_ok=True)
if "dies" in patch:
    print("docker: cannot connect", file=sys.stderr); sys.exit(1)
if "stale" in patch:
    (folder / "run_instance.log").write_text(">>>>> Patch Apply Failed"); sys.exit(0)
report = {{"patch_is_None": False, "patch_exists": True, "patch_successfully_applied": True,
    "resolved": "good" in patch, "infra_failure": "image" in patch,
    "infra_failure_reason": "image pull", "tests_status": {{}}}}
(folder / "report.json").write_text(json.dumps({{instance: report}}))
"""


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwebenchHarness:
    (tmp_path / "bin").mkdir()
    for name, text in ("python", FAKE_HARNESS), ("docker", "#!/bin/sh\n"):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return SwebenchHarness(
        dataset="org/Set",
        folder=str(tmp_path / "work"),
        python=str(tmp_path / "bin" / "python"),
        arguments=["--clean", "1"],
    )


def _patch(word: str) -> str:
    return f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{word}\n"


def _judge(harness: SwebenchHarness, *words: str) -> list[Judgement]:
    return harness.judge(Problem("django__django-1", ""), [_patch(word) for word in words])


def _calls(harness: SwebenchHarness) -> list[list[str]]:
    lines = Path(str(harness.options["folder"]), "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_reports_become_verdicts(harness: SwebenchHarness) -> None:
    judged = _judge(harness, "good", "bad", "stale", "image", "good")
    assert [(one.outcome, one.reason) for one in judged] == [
        (Outcome.CORRECT, None),
        (Outcome.INCORRECT, Reason.WRONG_ANSWER),
        (Outcome.INCORRECT, Reason.COMPILE_ERROR),
        (Outcome.UNDECIDED, Reason.VERIFIER_ERROR),
        (Outcome.CORRECT, None),
    ]
    detail: Any = judged[0].detail
    assert detail["report"]["django__django-1"]["resolved"] is True
    assert harness.version == "1+swebench9.9.9-fake"


def test_each_patch_has_a_run_key_of_its_own(harness: SwebenchHarness) -> None:
    _judge(harness, "good", "bad", "good")
    calls = _calls(harness)
    assert len(calls) == 2
    predictions = [Path(call[call.index("--predictions_path") + 1]) for call in calls]
    keys = [json.loads(path.read_text())["model_name_or_path"] for path in predictions]
    assert len(set(keys)) == 2
    assert all(key.startswith("passatk-") and key.endswith("__s00000") for key in keys)
    assert calls[0][:8] == [
        "-m", "swebench.harness.run_evaluation", "--dataset_name", "org/Set", "--split", "test",
        "--instance_ids", "django__django-1",
    ]  # fmt: skip
    assert calls[0][-2:] == ["--clean", "1"]


def test_what_is_reported_already_is_not_run_again(harness: SwebenchHarness) -> None:
    assert _judge(harness, "good") != []
    assert _judge(harness, "good")[0].outcome is Outcome.CORRECT
    assert len(_calls(harness)) == 1
    for _ in range(2):  # but a failure of the host is
        assert _judge(harness, "image")[0].outcome is Outcome.UNDECIDED
    assert len(_calls(harness)) == 3


def test_a_harness_that_fails_is_broken(harness: SwebenchHarness) -> None:
    with pytest.raises(VerifierBroken, match="docker: cannot connect"):
        _judge(harness, "dies")


def test_no_patch_needs_no_harness(harness: SwebenchHarness) -> None:
    [one] = harness.judge(Problem("p", ""), ["I do not know."])
    assert (one.outcome, one.reason) == (Outcome.INCORRECT, Reason.NO_ANSWER)


def test_without_docker_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HarnessMissing, match="needs Docker") as error:
        SwebenchHarness()
    assert "\n" not in str(error.value)
