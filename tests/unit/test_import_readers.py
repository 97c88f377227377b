"""Readers of other tools' files: what each takes from its format, and what it says of a file that is not right."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from store.importers import FORMATS, FormatUnknown, detect, read_samples
from store.importers.records import Fault, ImportedGroup, ImportedSample, Item, Skipped, Source

_FILE = Path(__file__).resolve().parents[1] / "foreign_files.py"
_spec = importlib.util.spec_from_file_location("foreign_files", _FILE)
assert _spec is not None
assert _spec.loader is not None
foreign: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(foreign)


def _items(path: Path, name: str, **options: str) -> list[Item]:
    return list(read_samples(Source(path, options), name))


def _groups(path: Path, name: str, **options: str) -> list[ImportedGroup]:
    items = _items(path, name, **options)
    assert [item for item in items if isinstance(item, Fault)] == []
    return [item for item in items if isinstance(item, ImportedGroup)]


def _samples(path: Path, name: str, **options: str) -> list[ImportedSample]:
    return [sample for group in _groups(path, name, **options) for sample in group.samples]


def _faults(path: Path, name: str) -> list[str]:
    return [item.message for item in _items(path, name) if isinstance(item, Fault)]


def test_every_format_has_a_file_here() -> None:
    assert set(foreign.FILES) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_two_problems_with_three_samples_each(tmp_path: Path, name: str) -> None:
    write, verdicts, with_tokens = foreign.FILES[name]
    options = {"map": foreign.MAP} if name == "parquet" else {}
    path = write(tmp_path)
    about = FORMATS[name].about(Source(path, options))
    groups = _groups(path, name, **options)
    per_problem: Counter[Any] = Counter()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    known = 0
    for group in groups:
        if not group.again:
            per_problem[(tuple(group.problem.keys), tuple(group.problem.texts), group.problem.position)] += len(
                group.samples
            )
            known += sum(sample.completion_tokens is not None for sample in group.samples)
        for sample in group.samples:
            for verdict in sample.verdicts:
                found[about.tool + (f"/{verdict.part}" if verdict.part else "")][verdict.outcome] += 1
    assert list(per_problem.values()) == [3, 3]
    assert found == verdicts
    assert known == with_tokens
    if FORMATS[name].carries_problems:
        assert all(group.record is not None and group.record.prompt for group in groups)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"parquet", "jsonl"}))
def test_the_format_is_seen(tmp_path: Path, name: str) -> None:
    assert detect(foreign.FILES[name][0](tmp_path)) == name


def test_plain_files_are_seen_and_others_are_not(tmp_path: Path) -> None:
    assert detect(foreign.plain(tmp_path)) == "jsonl"
    unknown = tmp_path / "unknown.jsonl"
    unknown.write_text('{"colour": "blue"}\n')
    with pytest.raises(FormatUnknown, match=r"unknown\.jsonl: its format is not plain to see; say --format bigcode"):
        detect(unknown)


class TestMonkeys:
    def test_the_file_name_tells_task_and_model(self, tmp_path: Path) -> None:
        about = FORMATS["monkeys-json"].about(Source(foreign.monkeys_json(tmp_path)))
        assert (about.benchmark, about.benchmark_format, about.model) == ("GSM8K", "gsm8k", "Llama-3-8B-Instruct")

    def test_the_older_key_of_verdicts(self, tmp_path: Path) -> None:
        path = foreign.monkeys_json(tmp_path)
        path.write_text(path.read_text().replace("is_corrects", "is_correct"))
        assert [sample.verdicts[0].outcome for sample in _samples(path, "monkeys-json")][:2] == ["correct", "incorrect"]

    def test_tests_and_extracted_code_of_contests(self, tmp_path: Path) -> None:
        path = foreign.monkeys_yaml(tmp_path)
        first, _ = _groups(path, "monkeys-yaml")
        assert first.record is not None
        assert first.record.key == "1575_A. Another Sorting"
        assert first.record.metadata["stdin_tests"] == [{"input": f"{n}\n", "output": f"{n}\n"} for n in (1, 2)]
        assert first.record.metadata["time_limit"] == 2.0
        assert [sample.verdicts[0].reason for sample in first.samples] == [None, "no_answer", "wrong_answer"]
        assert FORMATS["monkeys-yaml"].about(Source(path)).benchmark_format == "codecontests"

    def test_a_folder_before_evaluation(self, tmp_path: Path) -> None:
        (tmp_path / "3.yaml").write_text("prompt: p\nquestion: q\nsamples: [a, b]\ngt_answer: 'so \\boxed{3}'\n")
        (tmp_path / "10.yaml").write_text("prompt: p\nquestion: r\nsamples: [c]\ngt_answer: 'so \\boxed{3}'\n")
        groups = _groups(tmp_path, "monkeys-yaml")
        assert [(group.problem.keys, len(group.samples)) for group in groups] == [(["3"], 2), (["10"], 1)]
        assert FORMATS["monkeys-yaml"].about(Source(tmp_path)).benchmark_format == "math"

    def test_bad_yaml_is_named_by_line(self, tmp_path: Path) -> None:
        (tmp_path / "1.yaml").write_text("prompt: p\nsamples: [a\nquestion: q\n")
        assert _faults(tmp_path, "monkeys-yaml")[0].startswith(f"{tmp_path / '1.yaml'}:3: not YAML")


class TestInspect:
    @pytest.mark.parametrize("layout", ["old", "chunked", "unfinished"])
    def test_layouts(self, tmp_path: Path, layout: str) -> None:
        path = foreign.inspect(tmp_path, layout)
        about = FORMATS["inspect"].about(Source(path))
        assert (about.model, about.benchmark, about.version) == ("openai/gpt", "sums", "0.3.99")
        assert about.tags["status"] == ("started" if layout == "unfinished" else "success")
        samples = _samples(path, "inspect")
        assert [(sample.index, sample.completion) for sample in samples[::2]] == [
            (0, "answer 1"), (1, "answer 2"), (2, "answer 3"),
        ]  # fmt: skip
        outcomes = [(one.verdicts[0].outcome, one.verdicts[0].reason) for one in samples[::2]]
        assert outcomes == [("correct", None), ("incorrect", "wrong_answer"), ("undecided", "unscored")]
        # 10 + 12 read from and 8 written to the cache: a provider that counts them apart.
        assert (samples[0].prompt_tokens, samples[0].cached_prompt_tokens, samples[0].completion_tokens) == (30, 12, 5)

    @pytest.mark.parametrize(
        ("value", "verdicts"),
        [
            ("P", [("match", "incorrect", 0.5)]),
            ("N", [("match", "incorrect", 0.0)]),
            (0.3, [("match", "undecided", 0.3)]),
            (True, [("match", "correct", None)]),
            ({"a": 1, "b": "I"}, [("match/a", "correct", 1.0), ("match/b", "incorrect", 0.0)]),
            ([1, 0], [("match/0", "correct", 1.0), ("match/1", "incorrect", 0.0)]),
        ],
    )
    def test_values_of_scores(self, value: Any, verdicts: list[Any]) -> None:
        from store.importers.inspect_scores import verdicts_of

        found = verdicts_of({"match": {"value": value}}, "here")
        assert [(one.part, one.outcome, one.score) for one in found] == verdicts

    def test_members_packed_with_zstandard(self, tmp_path: Path) -> None:
        _repack(foreign.inspect(tmp_path), tmp_path / "packed.eval")
        assert len(_samples(tmp_path / "packed.eval", "inspect")) == 6

    def test_what_is_no_log(self, tmp_path: Path) -> None:
        path = tmp_path / "cut.eval"
        path.write_bytes(foreign.inspect(tmp_path).read_bytes()[:300])
        assert "cut.eval: not a whole zip archive" in _faults(path, "inspect")[0]


def _repack(source: Path, target: Path) -> None:
    """The same archive with its members packed by method 93, written by hand as zipfile cannot."""
    import struct
    import zipfile
    import zlib

    import pyarrow as pa

    body, directory = b"", b""
    with zipfile.ZipFile(source) as archive:
        members = [(name.encode(), archive.read(name)) for name in archive.namelist()]
    for name, data in members:
        packed = pa.Codec("zstd").compress(data).to_pybytes()
        sizes = struct.pack("<III", zlib.crc32(data), len(packed), len(data))
        common = struct.pack("<HHHHH", 63, 0, 93, 0, 0x21) + sizes + struct.pack("<HH", len(name), 0)
        at = len(body)
        body += b"PK\x03\x04" + common + name + packed
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + common + struct.pack("<HHHII", 0, 0, 0, 0, at) + name
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    target.write_bytes(body + directory + b"PK\x05\x06" + end)


class TestLmEval:
    def test_a_second_filter_brings_answers_and_no_samples(self, tmp_path: Path) -> None:
        groups = _groups(foreign.lm_eval(tmp_path), "lm-eval")
        assert [group.again for group in groups] == [False, False, True, True]
        answers = [verdict.answer for sample in groups[2].samples for verdict in sample.verdicts]
        assert answers == ["1", "2", "3"]

    def test_one_sample_takes_the_metric_as_its_verdict(self, tmp_path: Path) -> None:
        record = {"doc_id": 0, "doc": {}, "arguments": {"gen_args_0": {"arg_0": "Q"}}, "resps": [["x"]]}
        record |= {"filtered_resps": ["x"], "filter": "none", "metrics": ["exact_match"], "exact_match": 0.0}
        path = tmp_path / "samples_t_2026-01-01T00-00-00.jsonl"
        path.write_text(json.dumps(record))
        (sample,) = _samples(path, "lm-eval")
        assert [(one.outcome, one.answer, one.part) for one in sample.verdicts] == [("incorrect", "x", "none")]

    def test_log_likelihoods_are_skipped(self, tmp_path: Path) -> None:
        path = tmp_path / "samples_t_2026-01-01T00-00-00.jsonl"
        path.write_text(json.dumps({"doc_id": 0, "resps": [[[-1.5, False]]], "filter": "none"}))
        assert [type(item) for item in _items(path, "lm-eval")] == [Skipped]

    def test_model_and_version_are_in_the_results(self, tmp_path: Path) -> None:
        about = FORMATS["lm-eval"].about(Source(foreign.lm_eval(tmp_path)))
        assert (about.model, about.version, about.benchmark) == ("meta-llama/Llama-3-8B", "8b41f92", "gsm8k")
        assert (about.benchmark_format, about.sampling) == ("gsm8k", {"temperature": 0.6, "stop": ["Q:"]})


class TestNemoSkills:
    def test_the_seed_is_the_index_and_the_line_the_problem(self, tmp_path: Path) -> None:
        groups = _groups(foreign.nemo_skills(tmp_path), "nemo-skills")
        assert [(group.problem.position, group.samples[0].index) for group in groups] == [
            (0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2),
        ]  # fmt: skip

    def test_chunks_count_lines_on_and_unfinished_files_say_where(self, tmp_path: Path) -> None:
        row = {"problem": "p", "generation": "g"}
        for name, rows in {
            "output-rs1_chunk_0.jsonl": [row, row],
            "output-rs1_chunk_1.jsonl": [row],
            "output-rs2.jsonl-async": [row | {"_async_position": 7}],
            "output.jsonl": [row],
        }.items():
            (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in rows))
        groups = _groups(tmp_path, "nemo-skills")
        assert [(group.samples[0].index, group.problem.position) for group in groups] == [
            (1, 0),
            (1, 1),
            (1, 2),
            (2, 7),
        ]


class TestSwebench:
    def test_the_index_is_in_the_model_key_and_hosts_that_broke_decide_nothing(self, tmp_path: Path) -> None:
        groups = _groups(foreign.swebench(tmp_path), "swebench")
        told = {
            (group.problem.keys[0], group.samples[0].index): (
                group.samples[0].verdicts[0].outcome,
                group.samples[0].verdicts[0].reason,
            )
            for group in groups
        }
        assert told[("a__b-0", 0)] == ("correct", None)
        assert told[("a__b-0", 1)] == ("incorrect", "wrong_answer")
        assert told[("a__b-1", 1)] == ("undecided", "verifier_error")
        assert told[("a__b-0", 2)] == ("incorrect", "no_answer")

    def test_predictions_by_instance_with_a_summary(self, tmp_path: Path) -> None:
        preds = {
            f"i{n}": {"instance_id": f"i{n}", "model_name_or_path": "m", "model_patch": None if n == 2 else "d"}
            for n in range(3)
        }
        (tmp_path / "preds.json").write_text(json.dumps(preds))
        summary = {"resolved_ids": ["i0"], "unresolved_ids": ["i1"], "empty_patch_ids": ["i2"], "schema_version": 2}
        (tmp_path / "m.run.json").write_text(json.dumps(summary))
        verdicts = [sample.verdicts[0] for sample in _samples(tmp_path, "swebench")]
        assert [(one.outcome, one.reason) for one in verdicts] == [
            ("correct", None), ("incorrect", "wrong_answer"), ("incorrect", "no_answer"),
        ]  # fmt: skip

    def test_reports_alone_bring_the_patches_beside_them(self, tmp_path: Path) -> None:
        folder = foreign.swebench(tmp_path)
        assert sorted(one.completion for one in _samples(folder / "logs", "swebench"))[:2] == ["diff 0", "diff 0"]


class TestOpenaiBatch:
    def test_a_request_with_several_samples_shares_its_prompt(self, tmp_path: Path) -> None:
        items = _items(foreign.openai_batch(tmp_path), "openai-batch")
        assert [item.why for item in items if isinstance(item, Skipped)] == ["the request failed"]
        first = next(item for item in items if isinstance(item, ImportedGroup))
        assert first.problem.keys == ["p:0"]
        assert [sample.completion for sample in first.samples] == ["answer 00", "answer 01"]
        assert [(one.request_samples, one.prompt_tokens, one.completion_tokens) for one in first.samples] == [
            (2, 8, None), (2, 8, None),
        ]  # fmt: skip

    def test_any_other_id_is_the_problem(self, tmp_path: Path) -> None:
        body = {"choices": [{"index": 0, "text": "x"}], "model": "m"}
        path = tmp_path / "out.jsonl"
        path.write_text(json.dumps({"custom_id": "task-7", "response": {"status_code": 200, "body": body}}))
        (group,) = _groups(path, "openai-batch")
        assert group.problem.keys == ["task-7"]


class TestScores:
    def test_weaver_keeps_steps_and_the_share_of_votes(self, tmp_path: Path) -> None:
        first, second, third = _samples(foreign.weaver(tmp_path), "weaver")[:3]
        by_part = {verdict.part: verdict for verdict in first.verdicts}
        assert by_part["PRM"].steps == [0.5, 0.75]
        assert by_part["Judge"].score == pytest.approx(2 / 3)
        assert {verdict.part for verdict in third.verdicts} == {"answer_correct", "Skywork", "Judge"}
        assert second.verdicts[0].reason == "no_answer"

    def test_search_and_learn_keeps_steps_and_the_model(self, tmp_path: Path) -> None:
        path = foreign.search_and_learn(tmp_path)
        assert FORMATS["search-and-learn"].about(Source(path)).model == "meta-llama/Llama-1B"
        assert _samples(path, "search-and-learn")[0].verdicts[0].steps == [0.5, 0.25]

    def test_traces_of_verifiers(self, tmp_path: Path) -> None:
        path = foreign.verifiers_traces(tmp_path)
        samples = _samples(path, "verifiers")
        assert [one.verdicts[0].outcome for one in samples[:3]] == ["correct", "incorrect", "incorrect"]
        assert (samples[0].prompt_tokens, samples[0].completion_tokens) == (5, 2)
        assert FORMATS["verifiers"].about(Source(path)).model == "gpt"


def test_folders_of_evalplus_are_programs_by_index(tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / "HumanEval_7").mkdir(exist_ok=True)
        (tmp_path / "HumanEval_7" / f"{n}.py").write_text(f"def f(): return {n}")
    groups = _groups(tmp_path, "evalplus")
    assert [(group.problem.keys, group.samples[0].index) for group in groups] == [
        (["HumanEval/7"], 0),
        (["HumanEval/7"], 1),
    ]
    assert detect(tmp_path) == "evalplus"


def test_packed_files_are_read(tmp_path: Path) -> None:
    plain = foreign.humaneval(tmp_path)
    packed = tmp_path / "samples.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert _samples(packed, "humaneval") == _samples(plain, "humaneval")
    packed.write_bytes(packed.read_bytes()[:-20])
    assert "not a whole gzip file" in _faults(packed, "humaneval")[-1]


@pytest.mark.parametrize(
    ("name", "record", "complaint"),
    [
        ("humaneval", {"completion": "x"}, 'field "task_id" is missing'),
        ("humaneval", {"task_id": "a", "completion": "x", "passed": "yes"}, 'field "passed" must be true or false'),
        ("evalplus", {"task_id": "a"}, 'field "solution" is missing'),
        (
            "livecodebench",
            [{"question_id": "1", "output_list": ["a"], "graded_list": []}],
            '"graded_list" has 0 entries',
        ),
        ("monkeys-json", [{"samples": ["a"], "question": "q"}], 'field "orig_dset_idx" is missing'),
        ("openai-batch", {"custom_id": "a", "response": {"body": {}}}, 'field "choices" must be a list of objects'),
        (
            "search-and-learn",
            {"problem": "p", "completions": ["a"], "scores": [["b"]]},
            '"scores" must be a list of num',
        ),
        ("swebench", {"instance_id": "i", "model_patch": "d"}, 'field "model_name_or_path" is missing'),
        ("verifiers", {"example_id": 1, "completion": 3, "reward": 1}, 'field "completion" must be text or a list'),
        ("weaver", [{"samples": ["a"], "instruction": "i", "R_scores": [1, 2]}], '"R_scores" has 2 entries for the 1'),
        ("jsonl", {"problem": "a", "completion": ["x", "y"], "correct": [True]}, '"correct" has 1 entries for the 2'),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, name: str, record: Any, complaint: str) -> None:
    path = tmp_path / ("bad.json" if isinstance(record, list) else "bad.jsonl")
    path.write_text(json.dumps(record))
    (fault,) = _faults(path, name)
    assert fault.startswith(f"{path}[0]: " if isinstance(record, list) else f"{path}:1: ")
    assert complaint in fault


def test_a_column_map_that_cannot_be(tmp_path: Path) -> None:
    (fault,) = [one.message for one in _items(foreign.plain(tmp_path), "jsonl", map="text=x") if isinstance(one, Fault)]
    assert fault.startswith('--map "text=x" must be OURS=THEIRS with OURS one of problem, prompt, completion')
