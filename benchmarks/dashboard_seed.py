"""The store that the dashboard's speed is measured over: runs of synthetic verdicts, written by the server itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

RUNS, PROBLEMS = 9, 128


def seed(samples: int) -> None:
    """Runs whose problems have pass rates from easy to never, written by the server itself."""
    from store import model_registry, runs, verifier_registry
    from store.benchmarks import find_benchmark, import_benchmark
    from store.connection import driver, transaction

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problems.jsonl"
        lines = (json.dumps({"id": f"p{i:03d}", "prompt": f"{i}?", "answer": str(i)}) for i in range(PROBLEMS))
        file.write_text("\n".join(lines), encoding="utf-8")
        import_benchmark(file, "synthetic", "jsonl")
    for place in range(RUNS):
        with transaction() as connection:
            model = model_registry.ensure_model(connection, f"model-{place}", "none")
            verifier = verifier_registry.ensure_verifier(connection, "answer", "1")
            new = runs.NewRun(
                f"run-{place}",
                find_benchmark(connection, "synthetic"),
                model,
                {},
                reference_verifier_id=verifier.verifier_id,
            )
            run, _ = runs.create_run(connection, new)
            values = {"run": run.run_id, "verifier": verifier.verifier_id, "n": samples, "skill": 0.9 - 0.09 * place}
            for statement in _STATEMENTS:
                driver(connection).execute(statement.encode(), values)


_STATEMENTS = (
    """INSERT INTO store.batches (run_id, problem_id, first_index, end_index, state, done_at, row_count)
       SELECT %(run)s, problem_id, 0, %(n)s, 'done', now(), %(n)s FROM store.problems""",
    """INSERT INTO store.samples (run_id, problem_id, sample_index, batch_id, prompt_tokens, completion_tokens,
                                  finish_reason, completion_hash)
       SELECT b.run_id, b.problem_id, i, b.batch_id, 40, 100 + i %% 50, 'stop', i
       FROM store.batches AS b, generate_series(0, %(n)s - 1) AS i
       WHERE b.run_id = %(run)s AND b.verifier_id IS NULL""",
    """INSERT INTO store.completions (run_id, problem_id, sample_index, batch_id, completion)
       SELECT run_id, problem_id, sample_index, batch_id, 'The answer is ' || sample_index %% 9
       FROM store.samples WHERE run_id = %(run)s""",
    """INSERT INTO store.batches (run_id, problem_id, verifier_id, first_index, end_index, state, done_at, row_count)
       SELECT %(run)s, problem_id, %(verifier)s, 0, %(n)s, 'done', now(), %(n)s FROM store.problems""",
    """WITH drawn AS (
           SELECT b.run_id, b.problem_id, i, b.batch_id,
                  random() < %(skill)s * power(1 - p.position / 128.0, 4) AS correct, floor(9 * random()) AS wrong
           FROM store.batches AS b
           JOIN store.problems AS p USING (problem_id), generate_series(0, %(n)s - 1) AS i
           WHERE b.run_id = %(run)s AND b.verifier_id = %(verifier)s
       )
       INSERT INTO store.verdicts (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, outcome, reason,
                                   answer, seconds)
       SELECT run_id, problem_id, i, %(verifier)s, 0, batch_id,
              CASE WHEN correct THEN 'correct' ELSE 'incorrect' END,
              CASE WHEN correct THEN NULL ELSE 'wrong_answer' END,
              CASE WHEN correct THEN 'right' ELSE wrong::text END, 0.01
       FROM drawn""",
)
