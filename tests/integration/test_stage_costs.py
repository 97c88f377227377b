"""`passatk price stages`: what a pipeline's stages used, from a file; CodeMonkeys' published table from stored rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from store.analytics.cli import query as query_command
from store.analytics.refresh import refresh
from store.analytics.store_address import store_address
from store.cli import price
from store.connection import transaction
from store.model_registry import ensure_model
from store.settings import StoreSettings

#: Ehrlich et al. 2025 (arXiv 2501.14723), cost by stage in US$: input, output, cache read, cache write, local model.
PUBLISHED = {
    "relevance": (0.00, 0.00, 0.00, 0.00, 334.02),
    "ranking": (0.00, 11.92, 1.10, 6.90, 0.00),
    "tests": (10.60, 295.15, 21.60, 112.64, 0.00),
    "edits": (14.67, 353.95, 636.82, 360.58, 0.00),
    "selection": (0.52, 51.12, 15.17, 65.14, 0.00),
}
TOTALS = {"relevance": 334.02, "ranking": 19.92, "tests": 439.99, "edits": 1366.02, "selection": 131.95}
#: US$ per million tokens of Claude 3.5 Sonnet at the time: input, output, cache read, cache write.
SONNET = (3.0, 15.0, 0.30, 3.75)
CLASSES = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")


@pytest.fixture
def run(workshop: Any) -> Any:
    workshop.benchmark()
    made = workshop.run(name="monkeys")
    with transaction() as connection:
        ensure_model(connection, "sonnet", "none")
        ensure_model(connection, "qwen", "none")
    return made


def _price(*arguments: str) -> Result:
    return CliRunner().invoke(price, list(arguments))


def _published(file: Path) -> Path:
    lines: list[dict[str, object]] = []
    for stage, (*api, local) in PUBLISHED.items():
        if any(api):
            tokens = {name: round(usd / each * 1e6) for name, usd, each in zip(CLASSES, api, SONNET, strict=True)}
            lines.append({"stage": stage, "model": "sonnet"} | tokens)
        if local:
            lines.append({"stage": stage, "model": "qwen", "gpu_seconds": local / 2.50 * 3600})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_the_published_table_of_stages(run: Any, workshop: Any, tmp_path: Path) -> None:
    sonnet = ["--input", "3", "--output", "15", "--cached-input", "0.30", "--cache-write", "3.75"]
    assert _price("set", "--model", "sonnet", *sonnet, "--from", "2024-06-20").exit_code == 0
    local = ["--input", "0", "--output", "0", "--gpu-hour", "2.50"]
    assert _price("set", "--model", "qwen", *local, "--from", "2024-06-20").exit_code == 0
    file = _published(tmp_path / "stages.jsonl")
    assert _price("stages", "monkeys", str(file)).output == "5 costs stored.\n"
    assert _price("stages", "monkeys", str(file)).output == "0 costs stored, 5 were there already.\n"
    settings = StoreSettings.from_environment()
    refresh(store_address(settings), settings.mirror)
    said = CliRunner().invoke(
        query_command, ["stage_costs", "--run", "monkeys", "--format", "json"], catch_exceptions=False
    )
    rows = {row["stage"]: row for row in json.loads(said.output)}
    assert {stage: round(row["usd_total"], 2) for stage, row in rows.items()} == TOTALS
    assert sum(row["usd_total"] for row in rows.values()) == pytest.approx(2291.90, abs=0.005)
    shares = {stage: round(100 * row["share"], 1) for stage, row in rows.items()}
    assert shares == {"relevance": 14.6, "ranking": 0.9, "tests": 19.2, "edits": 59.6, "selection": 5.8}
    assert sum(row["cache_read_usd"] for row in rows.values()) == pytest.approx(674.69, abs=0.005)


def test_lines_of_one_stage_add_up_and_a_table_of_commas_is_read(run: Any, workshop: Any, tmp_path: Path) -> None:
    file = tmp_path / "stages.csv"
    file.write_text("stage,problem,model,requests,usd\ncontext,,,2,1.5\ncontext,,,3,\nselection,p0,sonnet,,4.25\n")
    assert _price("stages", "monkeys", str(file)).output == "2 costs stored.\n"
    rows = workshop.rows("SELECT stage, problem_id IS NULL, requests, usd FROM store.stage_costs ORDER BY stage")
    assert [(stage, shared, requests, float(usd)) for stage, shared, requests, usd in rows] == [
        ("context", True, 5, 1.5),
        ("selection", False, None, 4.25),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"stage": "a", "tokens": 3}, 'line 2: unknown field "tokens"; fields are stage, problem, model, requests'),
        ({"usd": 3}, 'line 2: field "stage" must name a stage'),
        ({"stage": "a"}, "line 2: says nothing that costs"),
        ({"stage": "a", "usd": -1}, 'line 2: field "usd" must be a number, 0 or more, not -1'),
        ({"stage": "a", "requests": 1.5}, 'line 2: field "requests" must be a whole number, 0 or more, not 1.5'),
        ({"stage": "a", "usd": "cheap"}, "must be a number, 0 or more, not 'cheap'"),
        ({"stage": "a", "usd": 1, "model": "gpt"}, 'line 2: No model "gpt"; there are:'),
        ({"stage": "a", "usd": 1, "problem": "x"}, 'line 2: run monkeys has no problem "x"'),
        ([1], "line 2: must be one JSON object"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_stored(
    run: Any, workshop: Any, tmp_path: Path, line: object, complaint: str
) -> None:
    file = tmp_path / "stages.jsonl"
    file.write_text('{"stage": "fine", "usd": 1}\n' + json.dumps(line) + "\n")
    said = _price("stages", "monkeys", str(file))
    assert complaint in str(said.exception), said.output
    assert workshop.one("SELECT count(*) FROM store.stage_costs") == 0


def test_what_is_stored_is_not_changed(run: Any, workshop: Any, tmp_path: Path) -> None:
    file = tmp_path / "stages.jsonl"
    file.write_text('{"stage": "context", "usd": 1}\n')
    _price("stages", "monkeys", str(file))
    file.write_text('{"stage": "context", "usd": 2}\n{"stage": "new", "usd": 1}\n')
    assert "what is stored is never changed" in str(_price("stages", "monkeys", str(file)).exception)
    assert workshop.one("SELECT count(*) FROM store.stage_costs") == 1
