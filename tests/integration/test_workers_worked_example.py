"""The worked example on real data: 8,200 completions of 82 HumanEval problems, judged here, against published counts.

The counts beside the data are those of an independent executor with a limit of 3 s. About two minutes on two cores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from store import command
from store.connection import database_url


def _passatk(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["passatk", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
    return int(ended.value.code or 0)


@pytest.mark.timeout(900)
def test_humaneval_comes_out_as_published(workshop: Any, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = str(shared_data / "humaneval_even.jsonl.gz")
    samples = str(shared_data / "humaneval_even_codegen16b_samples.jsonl.gz")
    assert _passatk("benchmark", "import", problems, "--name", "humaneval", "--format", "humaneval") == 0
    options = ("--run", "codegen", "--benchmark", "humaneval", "--model", "codegen-16b", "--format", "codet")
    assert _passatk("samples", "import", samples, *options, "--humaneval-stop-words") == 0
    assert "8,200 samples stored; it has 100 for each of 82 problems" in capsys.readouterr().out
    assert _passatk("verify", "--run", "codegen", "--verifier", "unit-tests") == 0, capsys.readouterr().err

    assert workshop.rows("SELECT outcome, count(*) FROM store.verdicts GROUP BY 1 ORDER BY 1") == [
        ("correct", 1923),
        ("incorrect", 8200 - 1923),
    ]
    with psycopg.connect(database_url()) as analyst:
        analyst.execute("SET search_path = analytics")
        counted = analyst.execute(
            "SELECT problem, n, c FROM problem_counts JOIN problems USING (problem_id) WHERE undecided = 0"
        ).fetchall()
        published = json.loads((shared_data / "humaneval_even_codegen16b_counts.json").read_text())
        assert {problem: [n, c] for problem, n, c in counted} == published
        coverage = analyst.execute(
            "SELECT k, round(avg(pass_at_k(n, c, k))::numeric, 4)::float"
            " FROM problem_counts CROSS JOIN unnest(ARRAY[1, 10, 100]) AS k GROUP BY k ORDER BY k"
        ).fetchall()
    assert coverage == [(1, 0.2345), (10, 0.5424), (100, 0.7927)]

    # Judged already: the same command again starts nothing, and every judgement says how it was held.
    assert _passatk("verify", "--run", "codegen", "--verifier", "unit-tests") == 0
    assert workshop.one("SELECT count(*) FROM store.verdicts") == 8200
    assert workshop.one("SELECT count(*) FROM store.verifier_outputs") == 8200
