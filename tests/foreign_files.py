"""Small files in the exact schemas of other tools, written for the tests: two problems, a few samples each."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _lines(path: Path, records: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def _json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def monkeys_json(folder: Path) -> Path:
    return _json(
        folder / "GSM8K_Llama-3-8B-Instruct.json",
        [
            {
                "prompt": f"Q: old\nA: old\nQ: {n} and 1?\nA:",
                "question": f"{n} and 1?",
                "samples": [f"#### {n + 1}", "#### 7", ""],
                "is_corrects": [True, False, False],
                "gt_answer": f"#### {n + 1}",
                "orig_dset_split": "test",
                "orig_dset_idx": n,
            }
            for n in range(2)
        ],
    )


def monkeys_yaml(folder: Path) -> Path:
    import yaml

    for name in ("1575_A. Another Sorting", "1575_B"):
        record = {
            "prompt": "few shots Q: sort",
            "question": f"sort {name}",
            "samples": ["```\nprint(1)\n```", "no code", "```\n2\n```"],
            "test_cases": {"input": ["1\n", "2\n"], "output": ["1\n", "2\n"]},
            "timeout": 2.0,
            "name": name,
            "solutions": ["print(1)", None, "2"],
            "is_corrects": [True, False, False],
        }
        path = folder / "evaluated" / name  # no ending, as its evaluation writes them
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(record))
    return folder / "evaluated"


def humaneval(folder: Path) -> Path:
    said = ["passed", "failed: ", "timed out"]
    records = [
        {"task_id": f"p{n}", "completion": f"  return {k}", "result": said[k], "passed": said[k] == "passed"}
        for k in range(3)
        for n in range(2)
    ]
    return _lines(folder / "samples.jsonl_results.jsonl", records)


def evalplus(folder: Path) -> Path:
    entries = [("pass", "pass"), ("pass", "fail"), ("timeout", "timeout")]
    evaluated = {
        f"p{n}": [
            {
                "task_id": f"p{n}",
                "solution": f"def f(): return {k}",
                "base_status": base,
                "plus_status": plus,
                "base_fail_tests": [],
                "plus_fail_tests": [[1]] if plus == "fail" else [],
            }
            for k, (base, plus) in enumerate(entries)
        ]
        for n in range(2)
    }
    value = {"date": "2026-01-01", "hash": "abc", "eval": evaluated, "pass_at_k": {"base": {}, "plus": {}}}
    return _json(folder / "codellama_temp_0.8.eval_results.json", value)


def bigcode(folder: Path) -> Path:
    config = {"model": "codegen", "temperature": 0.2, "top_p": 0.95}
    _json(folder / "bigcode" / "evaluation_results.json", {"sums": {"pass@1": 0.5}, "config": config})
    _json(folder / "bigcode" / "references_sums.json", ["assert 1", "assert 2"])
    return _json(folder / "bigcode" / "generations_sums.json", [["a", "b", "c"], ["d", "e", ""]]).parent


def livecodebench(folder: Path) -> Path:
    records = [
        {
            "question_title": f"Title {n}",
            "question_content": f"content {n}",
            "platform": "leetcode",
            "question_id": f"{n}",
            "contest_id": "c",
            "contest_date": "2024-01-01T00:00:00",
            "starter_code": "",
            "difficulty": "easy",
            "output_list": ["```python\n1\n```", "2", "3"],
            "code_list": ["1", "", ""],
            "graded_list": [True, False, False],
            "pass@1": 0.3333,
            "metadata": ["{}", json.dumps({"error_code": -3, "error_message": "Time Limit Exceeded"}), "{}"],
        }
        for n in range(2)
    ]
    return _json(folder / "Scenario.codegeneration_3_0.2_eval_all.json", records)


def codet(folder: Path) -> Path:
    return _lines(folder / "codet.jsonl", [{"prompt": f"1 + {n} = ?", "samples": ["a", "b", "c"]} for n in range(2)])


def lm_eval(folder: Path) -> Path:
    records = []
    for name, answers in (("strict-match", ["1", "[invalid]", "3"]), ("flexible-extract", ["1", "2", "3"])):
        records += [
            {
                "doc_id": n,
                "doc": {"question": f"how much is {n}?", "answer": f"#### {n}"},
                "target": f"#### {n}",
                "arguments": {
                    "gen_args_0": {"arg_0": f"Q: how much is {n}?\nA:", "arg_1": {"temperature": 0.6, "until": ["Q:"]}}
                },
                "resps": [["#### 1", "two", "#### 3"]],
                "filtered_resps": answers,
                "filter": name,
                "metrics": ["exact_match"],
                "exact_match": 1.0,
                "doc_hash": "d",
                "prompt_hash": "p",
                "target_hash": "t",
            }
            for n in range(2)
        ]
    place = folder / "meta-llama__Llama-3-8B"
    results = {"results": {}, "git_hash": "8b41f92", "model_name": "meta-llama/Llama-3-8B"}
    _json(place / "results_2026-01-01T00-00-00.000000.json", results)
    return _lines(place / "samples_gsm8k_2026-01-01T00-00-00.000000.jsonl", records).parent


def lighteval(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "__doc__": {"query": f"how much is {n}?", "choices": [f" {n}"], "gold_index": [0], "id": str(n)},
            "__model_response__": {
                "input": f"Q: how much is {n}?",
                "text": ["1", "2", "3"],
                "output_tokens": [[5, 6], [7], [8, 9, 10]],
                "reasonings": [None, None, None],
                "logprobs": [],
                "truncated_tokens_count": 0,
            },
            "__metric__": {"extractive_match": 1.0},
        }
        for n in range(2)
    ]
    path = folder / "details_lighteval|gsm8k|0_2026-01-01T00-00-00.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _inspect_sample(identity: int, epoch: int, value: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "epoch": epoch,
        "input": f"how much is {identity}?",
        "target": str(identity),
        "messages": [{"role": "user", "content": f"how much is {identity}?"}],
        "output": {
            "model": "openai/gpt",
            "choices": [
                {
                    "message": {"role": "assistant", "content": [{"type": "text", "text": f"answer {epoch}"}]},
                    "stop_reason": "max_tokens" if epoch == 3 else "stop",
                }
            ],
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 35,
                "input_tokens_cache_write": 8,
                "input_tokens_cache_read": 12,
                "reasoning_tokens": 2,
            },
            "time": 1.5,
        },
        "scores": {"match": {"value": value, "answer": f"{epoch}", "explanation": "because"}},
        "metadata": {},
        "error": None,
    }


INSPECT_VALUES = ("C", "I", float("nan"))


def inspect(folder: Path, layout: str = "old", compression: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / f"{layout}.eval"
    spec = {
        "eval_id": "e",
        "run_id": "r",
        "created": "2026-01-01T00:00:00Z",
        "task": "sums",
        "dataset": {"name": "sums-set", "samples": 2},
        "model": "openai/gpt",
        "model_generate_config": {"temperature": 0.7, "max_tokens": 100},
        "config": {"epochs": 3},
        "packages": {"inspect_ai": "0.3.99"},
    }
    header = {"version": 2, "status": "success", "eval": spec, "plan": {}, "results": {"scores": [{"name": "match"}]}}
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": spec, "plan": {}}))
        for epoch, value in enumerate(INSPECT_VALUES, start=1):
            for identity in (1, 2):
                name = f"samples/{identity}_epoch_{epoch}"
                name += "/sample.json" if layout == "chunked" else ".json"
                archive.writestr(name, json.dumps(_inspect_sample(identity, epoch, value)))
                if layout == "chunked":
                    archive.writestr(f"samples/{identity}_epoch_{epoch}/events_0.json", "[]")
        if layout == "unfinished":
            archive.writestr("_journal/summaries/1.json", "[]")
        else:
            archive.writestr("header.json", json.dumps(header))
            archive.writestr("summaries.json", "[]")
            archive.writestr("reductions.json", "[]")
    return path


def nemo_skills(folder: Path) -> Path:
    place = folder / "math-odyssey"
    for seed in range(3):
        _lines(
            place / f"output-rs{seed}.jsonl",
            [
                {
                    "problem": f"how much is {n}?",
                    "expected_answer": str(n),
                    "generation": f"\\boxed{{{seed}}}",
                    "num_generated_tokens": 11,
                    "num_input_tokens": 4,
                    "finish_reason": "stop",
                    "generation_time": 0.5,
                    "predicted_answer": str(seed),
                    "symbolic_correct": seed == n,
                    "judgement": "Reasoning: same.\nJudgement: " + ("Yes" if seed == n else "No"),
                    "reward_model_score": 0.25,
                }
                for n in range(2)
            ],
        )
    (place / "output-rs0.jsonl.done").touch()
    return place


def search_and_learn(folder: Path) -> Path:
    records = [
        {
            "problem": f"how much is {n}?",
            "solution": f"\\boxed{{{n}}}",
            "answer": str(n),
            "subject": "Algebra",
            "level": 2,
            "unique_id": f"test/algebra/{n}.json",
            "completions": ["a", "b", "c"],
            "scores": [[0.5, 0.25], [0.125], [1.0, 0.5, 0.75]],
            "agg_scores": [0.25, 0.125, 0.75],
            "completion_tokens": [3, 4, 5],
            "pred": "\\boxed{c}",
            "pred_maj@1": "\\boxed{a}",
        }
        for n in range(2)
    ]
    return _lines(folder / "data" / "meta-llama" / "Llama-1B" / "best_of_n_completions.jsonl", records)


def weaver(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "instruction": f"Solve: how much is {n}?",
            "problem": f"how much is {n}?",
            "samples": ["a", "b", "c"],
            "extracted_answers": ["0", None, "1"],
            "answer_correct": [True, False, False],
            "answer": str(n),
            "unique_id": f"u{n}",
            "Skywork_scores": [0.5, -1.25, 2.0],
            "Judge_verdicts": [[True, True, False], [False], [True, False]],
            "PRM_step_scores": [[0.5, 0.75], [0.25], []],
            "PRM_min_scores": [0.5, 0.25, None],
        }
        for n in range(2)
    ]
    path = folder / "weaver.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def verifiers(folder: Path) -> Path:
    place = folder / "rollouts"
    told = {"env_id": "gsm8k", "model": "gpt", "rollouts_per_example": 3, "pass_threshold": 0.5, "version_info": {}}
    _json(place / "metadata.json", told | {"sampling_args": {"temperature": 1.0}})
    records = [
        {
            "example_id": n,
            "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": f"how much is {n}?"}],
            "completion": [{"role": "assistant", "content": f"answer {k}"}],
            "reward": [1.0, 0.25, 0.0][k],
            "timing": {"generation_ms": 1500.0},
            "is_completed": True,
            "is_truncated": k == 2,
            "metrics": {"length": 3.5},
            "answer": str(n),
            "token_usage": {"input_tokens": 9, "output_tokens": 4},
        }
        for n in range(2)
        for k in range(3)
    ]
    return _lines(place / "results.jsonl", records).parent


def verifiers_traces(folder: Path) -> Path:
    records = [
        {
            "id": f"t{n}{k}",
            "task": {"type": "qa", "data": {"question": f"how much is {n}?", "answer": str(n)}, "key": f"k{n}"},
            "agent": "a",
            "nodes": [
                {"message": {"role": "user", "content": f"how much is {n}?"}},
                {"message": {"role": "assistant", "content": f"answer {k}"}},
            ],
            "calls": [
                {
                    "model": "gpt",
                    "sampling": {},
                    "finish_reason": "stop",
                    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
                }
            ],
            "rewards": {"correct": {"score": 1.0 if k == 0 else 0.0, "weight": 1.0}},
            "metrics": {},
            "errors": [],
            "ok": True,
        }
        for n in range(2)
        for k in range(3)
    ]
    return _lines(folder / "traces.jsonl", records)


def openai_batch(folder: Path) -> Path:
    place = folder / "batch"
    asked, answered = [], []
    for n in range(2):
        for batch, size in ((0, 2), (1, 1)):
            body = {"model": "gpt", "messages": [{"role": "user", "content": f"how much is {n}?"}], "n": size}
            identity = f"run:p:{n}:{batch}"
            request = {"custom_id": identity, "method": "POST", "url": "/v1/chat/completions"}
            asked.append(request | {"body": body | {"temperature": 0.7}})
            choices = [
                {
                    "index": k,
                    "message": {"role": "assistant", "content": f"answer {batch}{k}"},
                    "finish_reason": "stop",
                }
                for k in reversed(range(size))
            ]
            usage = {"prompt_tokens": 8, "completion_tokens": 6 * size}
            response = {"status_code": 200, "request_id": "q", "body": {"choices": choices, "usage": usage}}
            answered.append({"id": "b", "custom_id": identity, "response": response, "error": None})
    answered.append({"id": "b", "custom_id": "run:p:0:2", "response": None, "error": {"code": "expired"}})
    _lines(place / "input.jsonl", asked)
    return _lines(place / "output.jsonl", answered).parent


def swebench(folder: Path) -> Path:
    place = folder / "swe"
    for k in range(3):
        name = f"org/model__s{k:05d}"
        _lines(
            place / f"preds_{k}.jsonl",
            [
                {"instance_id": f"a__b-{n}", "model_name_or_path": name, "model_patch": "" if k == 2 else f"diff {k}"}
                for n in range(2)
            ],
        )
        for n in range(2):
            report = {
                "patch_is_None": False,
                "patch_exists": k < 2,
                "patch_successfully_applied": k < 2,
                "resolved": k == 0,
                "infra_failure": k == 1 and n == 1,
                "tests_status": {"FAIL_TO_PASS": {"success": ["t"], "failure": []}},
            }
            logs = place / "logs" / "run_evaluation" / "r" / name.replace("/", "__") / f"a__b-{n}"
            _json(logs / "report.json", {f"a__b-{n}": report})
            (logs / "patch.diff").write_text(f"diff {k}")
    return place


def plain(folder: Path) -> Path:
    records = [
        {"problem": f"p{n}", "prompt": f"1 + {n} = ?", "completion": f"{k}", "correct": k == 0, "completion_tokens": 1}
        for n in range(2)
        for k in range(3)
    ]
    return _lines(folder / "plain.jsonl", records)


def parquet(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"meta": {"id": f"p{n}"}, "ask": f"1 + {n} = ?", "texts": ["a", "b", "c"], "ok": [True, False, False]} for n in (0, 1)]  # fmt: skip # noqa: E501
    path = folder / "plain.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


MAP = "completion=texts,problem=meta.id,prompt=ask,correct=ok"
#: format -> (writer, verdicts by verifier part and outcome, samples whose tokens are known)
FILES: dict[str, tuple[Callable[[Path], Path], dict[str, dict[str, int]], int]] = {
    "bigcode": (bigcode, {}, 0),
    "codet": (codet, {}, 0),
    "evalplus": (
        evalplus,
        {"evalplus/base": {"correct": 4, "incorrect": 2}, "evalplus/plus": {"correct": 2, "incorrect": 4}},
        0,
    ),
    "humaneval": (humaneval, {"human-eval": {"correct": 2, "incorrect": 4}}, 0),
    "inspect": (inspect, {"inspect_ai/match": {"correct": 2, "incorrect": 2, "undecided": 2}}, 6),
    "jsonl": (plain, {"jsonl": {"correct": 2, "incorrect": 4}}, 6),
    "lighteval": (lighteval, {}, 6),
    "livecodebench": (livecodebench, {"livecodebench": {"correct": 2, "incorrect": 4}}, 0),
    "lm-eval": (lm_eval, {"lm-eval/strict-match": {"undecided": 6}, "lm-eval/flexible-extract": {"undecided": 6}}, 0),
    "monkeys-json": (monkeys_json, {"large_language_monkeys": {"correct": 2, "incorrect": 4}}, 0),
    "monkeys-yaml": (monkeys_yaml, {"large_language_monkeys": {"correct": 2, "incorrect": 4}}, 0),
    "nemo-skills": (
        nemo_skills,
        {
            "nemo-skills/symbolic": {"correct": 2, "incorrect": 4},
            "nemo-skills/judge": {"correct": 2, "incorrect": 4},
            "nemo-skills/reward": {"undecided": 6},
        },
        6,
    ),
    "openai-batch": (openai_batch, {}, 2),
    "parquet": (parquet, {"jsonl": {"correct": 2, "incorrect": 4}}, 0),
    "search-and-learn": (search_and_learn, {"search-and-learn/prm": {"undecided": 6}}, 6),
    "swebench": (swebench, {"swe-bench": {"correct": 2, "incorrect": 3, "undecided": 1}}, 0),
    "verifiers": (
        verifiers,
        {"verifiers/reward": {"correct": 2, "incorrect": 4}, "verifiers/length": {"undecided": 6}},
        6,
    ),
    "weaver": (
        weaver,
        {
            "weaver/answer_correct": {"correct": 2, "incorrect": 4},
            "weaver/Skywork": {"undecided": 6},
            "weaver/Judge": {"correct": 2, "incorrect": 2, "undecided": 2},
            "weaver/PRM": {"undecided": 4},
            "weaver/PRM/min": {"undecided": 4},
        },
        0,
    ),
}
