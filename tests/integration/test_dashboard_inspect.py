"""Pages that look into problems and rows, on a real snapshot."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from dashboard.answers import Once
from dashboard.charts.quantities import FLOPS
from dashboard.checks import CHECKS, Check
from dashboard.figures.drawn import Wanted, coverage_curves
from dashboard.figures.model_sizes import parsed
from dashboard.figures.spending import against
from dashboard.row_checks import ROW_CHECKS, RowCheck
from dashboard.wording import dollars
from store import quarantine, verifier_registry
from store.analytics import open_snapshot, run_sql
from store.benchmarks import find_benchmark
from store.connection import transaction
from store.environments import ensure_environment
from store.tables import batches
from store.verdicts import VerdictRow, write_verdicts
from tests.integration.test_dashboard_pages import BIG, SMALL, UNPRICED, filled, mirror, page, quiet, seeded, shown
from tests.integration.test_dashboard_store import HOSTILE

__all__ = ["mirror", "quiet", "seeded"]

#: What a verifier of programs notes of a failing test.
DETAIL: dict[str, Any] = {
    "limits": {"cpu_seconds": 3.0},
    "test": "assert add(2, 2) == 5",
    "expected": "5 " * 30,
    "got": "4 " * 30,
    "stderr_tail": "\n".join(f"line {number} <b>https://evil.example</b>" for number in range(300)),
}


def trouble() -> None:
    """One problem set aside; one weak verdict by a verifier of programs."""
    with transaction() as connection:
        quarantine.quarantine(connection, find_benchmark(connection, "sums"), ["sum-03"], "its answer is wrong")
        place = connection.execute(
            sa.text(
                "SELECT r.run_id, p.problem_id FROM store.runs AS r JOIN store.problems AS p USING (benchmark_id) "
                "WHERE r.name = :run AND p.key = 'sum-03'"
            ),
            {"run": BIG},
        ).one()
        verifier = verifier_registry.ensure_verifier(connection, "tests", "1", {"cpu_seconds": 3})
        verifier_registry.attach_verifier(connection, place.run_id, verifier.verifier_id)
        batch = {"run_id": place.run_id, "problem_id": place.problem_id, "verifier_id": verifier.verifier_id}
        batch_id = connection.execute(
            sa.insert(batches).values(**batch, first_index=0, end_index=1, state="done").returning(batches.c.batch_id)
        ).scalar_one()
        environment = ensure_environment(connection, "none", {"python": "3.13"})
        verdict = VerdictRow(
            **batch,
            sample_index=0,
            attempt=0,
            batch_id=batch_id,
            outcome="incorrect",
            reason="failed_test",
            answer=None,
            score=None,
            seconds=0.5,
            detail=DETAIL,
            environment_id=environment,
            weak=True,
        )
        write_verdicts(connection, [verdict])
        reward = verifier_registry.ensure_verifier(connection, "reward", "1")
        verifier_registry.attach_verifier(connection, place.run_id, reward.verifier_id)
        batch |= {"verifier_id": reward.verifier_id}
        batch_id = connection.execute(
            sa.insert(batches).values(**batch, first_index=0, end_index=5, state="done").returning(batches.c.batch_id)
        ).scalar_one()
        scores = (0.1, 0.3, 0.5, 0.7, 0.9)
        write_verdicts(
            connection,
            [
                VerdictRow(
                    **batch, sample_index=index, attempt=0, batch_id=batch_id, outcome="correct", reason=None,
                    answer=None, score=score, seconds=0.1,
                )
                for index, score in enumerate(scores)
            ],
        )  # fmt: skip


@pytest.fixture(scope="module")
def troubled_mirror(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(server, tmp_path_factory.mktemp("troubled"), trouble)


@pytest.fixture
def troubled(troubled_mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PASSATK_MIRROR", str(troubled_mirror))
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    return troubled_mirror


def permalink(test: AppTest) -> str:
    return next(str(block.value) for block in test.code if "snapshot=" in str(block.value))


@pytest.mark.parametrize("check", ROW_CHECKS, ids=lambda check: check.name)
def test_rows_of_a_check_are_the_same_in_sql(mirror: Path, check: RowCheck) -> None:
    text = check.of(BIG)
    assert run_sql(text, mirror).row_count == len(open_snapshot(mirror).rows(text))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_findings_of_a_check_are_the_same_in_sql(mirror: Path, check: Check) -> None:
    summary = open_snapshot(mirror).query("run_summary")
    found = {(one.run, one.found) for one in check.findings(summary.records())}
    assert set(zip(*run_sql(check.sql(summary.sql), mirror).table.to_pydict().values(), strict=True)) == found
    of_one = check.sql(summary.sql, BIG)
    assert run_sql(of_one, mirror).row_count == sum(run == BIG for run, _ in found)


def test_the_strip_of_samples_counts_problems(seeded: Path) -> None:
    test = page("health")
    assert not test.exception
    assert "4 of 4 runs have the same number of samples drawn for every problem" in shown(test)
    text = next(str(block.value) for block in test.code if "FROM sample_counts" in str(block.value))
    rows = run_sql(text, seeded).table.to_pylist()
    assert {(row["run"], row["samples"]): row["problems"] for row in rows if row["counted"] == "drawn"} == {
        (BIG, 200): 40, (SMALL, 50): 40, (UNPRICED, 20): 40, ("unjudged", 3): 40,
    }  # fmt: skip
    judged = Counter[str]()
    for row in rows:
        judged[row["run"]] += (row["counted"] == "judged") * row["samples"] * row["problems"]
    assert judged == {BIG: 8000, SMALL: 2000 - 7, UNPRICED: 800, "unjudged": 0}  # seven verdicts of SMALL broke


def test_health_looks_through_rows_when_asked(seeded: Path) -> None:
    test = page("health")
    assert not test.exception
    before = len(test.code)
    test.toggle(key="look through rows").set_value(True).run()
    assert not test.exception
    assert len(test.code) == before + len(ROW_CHECKS)


def test_problems_are_drawn_against_runs(seeded: Path) -> None:
    test = page("problems")
    assert not test.exception
    assert any("without a judged sample" in caption.value for caption in test.caption)


def test_filters_of_problems_count_what_the_query_counts(seeded: Path) -> None:
    rates = open_snapshot(seeded).query("pass_rates", run=[BIG, SMALL, UNPRICED]).records()
    solvers: dict[str, set[str]] = {}
    for row in rates:
        solvers.setdefault(row["problem"], set()).update([row["run"]] if row["c"] else [])
    alone = page("problems", run=[BIG], show="only this run")
    assert set(alone.dataframe[0].value["problem"]) == {name for name, runs in solvers.items() if runs == {BIG}}
    nobody = page("problems", run=[BIG], show="no run")
    assert set(nobody.dataframe[0].value["problem"]) == {name for name, runs in solvers.items() if not runs}


def test_a_quarantined_problem_has_a_badge_and_can_be_left_out(troubled: Path) -> None:
    test = page("problems", run=[BIG], problem="sum-03")
    assert "1 quarantined problem counted here" in shown(test)
    assert "its answer is wrong" in shown(test)
    rows = test.dataframe[0].value
    assert list(rows[rows["set aside"] == "quarantined"]["problem"]) == ["sum-03"]
    assert list(page("problems", run=[BIG], show="set aside").dataframe[0].value["problem"]) == ["sum-03"]
    without = page("problems", run=[BIG], quarantined="off")
    assert "1 quarantined problem left out" in shown(without)
    asked = open_snapshot(troubled).query("pass_rates", run=BIG, quarantined="exclude").records()
    assert set(without.dataframe[0].value["problem"]) == {row["problem"] for row in asked}
    assert len(asked) == 39
    assert "quarantined=off" in permalink(without)
    assert "quarantined" in next(option for option in page("samples").selectbox(key="control problem").options if
                                 "sum-03" in option)  # fmt: skip


def test_a_problem_leads_to_its_samples(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[Any] = []
    monkeypatch.setattr("streamlit.switch_page", lambda to: went.append(to.url_path))
    test = page("problems", run=[BIG], problem="sum-05")
    clusters = open_snapshot(seeded).query("answer_clusters", run=BIG, problem="sum-05").records()
    wrong = next(row["answer"] for row in clusters if row["correct"] == 0)
    test.button(key="open the commonest wrong answer").click().run()
    kept = test.session_state["kept values"]
    assert went == ["samples"]
    assert (kept["problem"], kept["answer"], kept["outcome"]) == ("sum-05", wrong, "incorrect")
    test = page("problems", run=[BIG], problem="sum-05")
    test.button(key="open a sample at random").click().run()
    kept = test.session_state["kept values"]
    assert kept["answer"] == "any"
    assert 0 <= int(kept["sample"]) < 200
    listed = page("samples", run=[BIG], problem="sum-05", page=str(kept["page"]), sample=kept["sample"])
    assert not listed.warning


@pytest.mark.parametrize(
    "asked",
    [{"answer": "14"}, {"reason": "wrong_answer"}, {"ending": "length"}, {"contains": "STEP 1: 14"}],
    ids=lambda asked: next(iter(asked)),
)
def test_samples_are_found_as_the_query_finds_them(seeded: Path, asked: dict[str, str]) -> None:
    test = page("samples", run=[BIG], problem="sum-05", **asked)
    named = {"finish_reason" if name == "ending" else name: value for name, value in asked.items()}
    found = open_snapshot(seeded).query("samples", run=BIG, problem="sum-05", limit=50, **named).records()
    assert 0 < found[0]["matching"] < 200
    assert f"of {found[0]['matching']:,}" in shown(test)
    assert len(test.radio(key="control sample").options) == len(found)
    name, value = next(iter(asked.items()))
    assert f"{name}={value.replace(':', '%3A').replace(' ', '+')}" in permalink(test)


def test_a_cell_of_the_confusion_table_opens_its_samples(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[Any] = []
    monkeypatch.setattr("streamlit.switch_page", lambda to: went.append(to.url_path))
    (table,) = open_snapshot(seeded).query("verifier_agreement", run=SMALL, verifier="answer@1").records()
    for cell in ("tp", "fp", "tn"):
        precision = page("precision", run=[SMALL])
        button = precision.button(key=f"{cell} answer@1")
        assert button.label == f"{table[cell]:,}"
        button.click().run()
        kept = precision.session_state["kept values"]
        asked = {name: kept[name] for name in ("by", "outcome", "also", "problem")}
        test = page("samples", run=[SMALL], **asked)
        assert not test.warning
        counted = re.findall(r"(\d+) such sample", " ".join(test.selectbox(key="control problem").options))
        assert sum(map(int, counted)) == table[cell]
        (chip,) = (one for one in test.button if one.key == "clear also")
        assert f"{table[cell]:,} sample" in chip.label.replace("\\", "")
        assert f"of {counted[0]}" in shown(test)
        assert f"also={asked['also'].replace(' ', '+').replace('@', '%40')}" in permalink(test)
    assert went == ["samples"] * 3
    assert table["fn"] == 0
    assert precision.button(key="fn answer@1").disabled
    (chip,) = (one for one in test.button if one.key == "clear also")
    chip.click().run()
    assert not any(one.key == "clear also" for one in test.button)
    assert any("also \"correct by nobody@1\", which is not" in one.value
               for one in page("samples", run=[SMALL], also="correct by nobody@1").warning)  # fmt: skip


def test_samples_of_a_range_of_scores(troubled: Path) -> None:
    asked: dict[str, str | list[str]] = {"run": [BIG], "problem": "sum-03", "by": "reward@1"}
    test = page("samples", **asked, score_from="0.3", score_to="0.7")
    assert not test.warning
    assert "1 to 3 of 3" in shown(test)
    assert "score_from=0.3&score_to=0.7" in permalink(test)
    test.number_input(key="control score_from").set_value(None).run()
    assert "1 to 4 of 4" in shown(test)
    assert "score_from=&" in permalink(test)
    assert "of 200" in shown(page("samples", run=[BIG], problem="sum-03", by="reward@1"))
    assert any("which is not a number" in one.value for one in page("samples", **asked, score_from="high").warning)
    assert not page("samples", run=[BIG], problem="sum-03").number_input
    drawer = page("problems", run=[BIG], problem="sum-03", by="reward@1")
    assert "This verifier reads no answers" in shown(drawer)
    assert not drawer.error


def test_a_sample_says_what_it_cost(seeded: Path) -> None:
    sample = open_snapshot(seeded).query("sample", run=BIG, problem="sum-05", sample_index=0).records()[0]
    assert f"cost {dollars(sample['usd'])}" in shown(page("samples", run=[BIG], problem="sum-05", sample="0"))
    assert "no price" in shown(page("samples", run=[UNPRICED], problem="sum-05", sample="0"))


def test_no_sample_matches_in_words(seeded: Path) -> None:
    assert "No sample matches" in shown(page("samples", run=[BIG], problem="sum-05", contains="nothing has this"))
    assert "3 characters" in shown(page("samples", run=[BIG], problem="sum-05", contains="ab"))


def test_samples_that_nobody_judged_are_read_all_the_same(seeded: Path) -> None:
    test = page("samples", run=["unjudged"], problem="sum-02", sample="2")
    assert not test.error
    completion = open_snapshot(seeded).query("sample", run="unjudged", problem="sum-02", sample_index=2).records()[0]
    assert any(block.value == completion["completion"] for block in test.code)


def test_a_rendered_completion_leads_nowhere(seeded: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-00", sample="0", look="rendered")
    rendered = "\n".join(str(block.value) for block in test.markdown)
    assert "evil.example" in rendered
    assert "://evil" not in rendered
    assert not any(block.value == HOSTILE for block in test.code)


def test_the_failing_test_is_read_first(troubled: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-03", sample="0", part="verdicts")
    blocks = [str(block.value) for block in test.code]
    assert blocks.index(DETAIL["test"]) < blocks.index(DETAIL["expected"]) < blocks.index(DETAIL["got"])
    tail = next(block for block in blocks if "lines above" in block)
    assert tail.startswith("… 100 lines above")
    assert tail.endswith("line 299 <b>https://evil.example</b>")
    assert any("cpu_seconds" in block for block in blocks)
    text = shown(test)
    assert "weak" in text
    assert "sandbox: none" in text
    assert "judged in none" in text


def test_another_correct_sample_can_be_compared_with(seeded: Path) -> None:
    right = open_snapshot(seeded).query("samples", run=BIG, problem="sum-05", outcome="correct").records()
    other = str(right[3]["sample_index"])
    test = page("samples", run=[BIG], problem="sum-05", sample="0", part="difference", against=other)
    assert f"From sample {other}, which is correct" in shown(test)
    assert any(":red-background[~~" in str(block.value) for block in test.markdown)
    assert f"against={other}" in permalink(test)


def test_coverage_is_drawn_against_operations_where_the_size_is_known(seeded: Path) -> None:
    test = page("coverage", run=[BIG], x="flops")
    assert "the size of sums-8m is not known" in shown(test)
    test = page("coverage", run=[BIG], x="flops", sizes="sums-8m=8e6,4,256")
    assert not test.exception
    assert not test.warning
    asker = Once(open_snapshot(seeded))
    run = next(row for row in asker.ask("run_summary").records if row["run"] == BIG)
    (drawn,), _ = coverage_curves(asker, [Wanted(run, run["reference"], BIG, 0)])
    (moved,), _ = against(asker, [drawn], FLOPS, parsed("sums-8m=8e6,4,256"))
    size = {"parameters": 8e6, "layers": 4, "width": 256}
    rows = open_snapshot(seeded).query("flops", run=BIG, k=[1, 10, 100], **size).records()
    for row in rows:
        assert moved.curve.at(row["k"]).x == pytest.approx(row["flops"])
    assert "is not a size" in page("coverage", run=[BIG], x="flops", sizes="sums-8m=many").warning[0].value
