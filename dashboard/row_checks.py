"""Checks that look through rows: each is one query whose text also runs in `passatk sql`. No Streamlit here."""

from __future__ import annotations

from dataclasses import dataclass

from store.analytics.literals import quoted


@dataclass(frozen=True)
class RowCheck:
    """A named question to the rows; the query returns what is odd, and nothing where all is well."""

    name: str
    why: str
    sql: str

    def of(self, run: str | None) -> str:
        """The query, of one run when it is named."""
        if run is None:
            return self.sql
        return f"SELECT * FROM (\n{self.sql}\n) WHERE run = {quoted(run)}"  # noqa: S608 - quoted


_RUN = "FROM {table} JOIN runs USING (run_id) JOIN problems USING (problem_id)"
_SAMPLES = _RUN.format(table="samples")
_VERDICTS = _RUN.format(table="verdicts")

ROW_CHECKS = (
    RowCheck(
        "Gaps in sample_index",
        "Samples were lost between the first and the last of a problem.",
        "SELECT run, problem, count(*) AS samples, max(sample_index) + 1 AS expected\n"
        f"{_SAMPLES}\nGROUP BY ALL HAVING count(*) <> max(sample_index) + 1\nORDER BY run, problem",
    ),
    RowCheck(
        "The same completion twice at a temperature above 0",
        "Few distinct completions: equal seeds, or a model that is sure of itself.",
        "SELECT run, problem, count(*) AS samples, count(DISTINCT completion_hash) AS distinct_completions\n"
        f"{_SAMPLES}\nWHERE temperature > 0\nGROUP BY ALL HAVING count(DISTINCT completion_hash) < count(*)\n"
        "ORDER BY run, problem",
    ),
    RowCheck(
        "Empty completions",
        "The model ended at once: a stop string or a prompt template may be wrong.",
        f"SELECT run, problem, sample_index, finish_reason\n{_SAMPLES}\nWHERE completion_tokens = 0\n"
        "ORDER BY run, problem, sample_index",
    ),
    RowCheck(
        "Samples without token counts",
        "Their cost is not known.",
        f"SELECT run, count(*) AS samples\n{_SAMPLES}\nWHERE completion_tokens IS NULL OR prompt_tokens IS NULL\n"
        "GROUP BY run ORDER BY run",
    ),
    RowCheck(
        "Prompts that changed within a run",
        "Samples of one problem answer different prompts and are not draws from one distribution.",
        f"SELECT run, problem, count(DISTINCT prompt_hash) AS prompts\n{_RUN.format(table='prompts')}\n"
        "GROUP BY ALL HAVING count(DISTINCT prompt_hash) > 1\nORDER BY run, problem",
    ),
    RowCheck(
        "Verdicts without their sample",
        "A verdict is kept, and what it judged is not.",
        f"SELECT run, problem, sample_index, verifier_id\n{_VERDICTS}\n"
        "ANTI JOIN samples USING (run_id, problem_id, sample_index)\nORDER BY run, problem, sample_index",
    ),
    RowCheck(
        "Several versions of a verifier in one run",
        "Their verdicts are kept apart: choose which one judges under `Judged by`.",
        "SELECT run, verifier, count(DISTINCT version) AS versions, string_agg(DISTINCT version, ', ') AS which\n"
        "FROM verifier_uses JOIN runs USING (run_id) JOIN verifiers USING (verifier_id)\n"
        "GROUP BY run, verifier HAVING count(DISTINCT version) > 1\nORDER BY run, verifier",
    ),
    RowCheck(
        "Verdicts older than their sample",
        "The clocks of two machines disagree, so rates and latencies cannot be trusted.",
        "SELECT run, problem, sample_index, verdicts.created_at - samples.created_at AS skew\n"
        f"{_VERDICTS}\nJOIN samples USING (run_id, problem_id, sample_index)\n"
        "WHERE verdicts.created_at < samples.created_at\nORDER BY skew, run, problem, sample_index",
    ),
    RowCheck(
        "Verifiers that disagree",
        "One found correct what another found incorrect.",
        "SELECT run, problem, sample_index, count(DISTINCT verifier_id) AS verifiers\n"
        f"{_VERDICTS}\nWHERE outcome IN ('correct', 'incorrect')\n"
        "GROUP BY ALL HAVING count(DISTINCT outcome) > 1 AND count(DISTINCT verifier_id) > 1\n"
        "ORDER BY run, problem, sample_index",
    ),
    RowCheck(
        "Weak verdicts",
        "They rest on weaker evidence than the verifier's rule asks for, or were made without a sandbox.",
        "SELECT run, verifier_id, coalesce(tier, 'unknown') AS tier, count(*) AS verdicts\n"
        f"{_VERDICTS} LEFT JOIN environments USING (environment_id)\nWHERE weak OR tier = 'none'\n"
        "GROUP BY ALL ORDER BY run, verifier_id",
    ),
)
