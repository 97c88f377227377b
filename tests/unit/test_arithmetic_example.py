"""The arithmetic example: its generator is right and repeatable, and what is shipped is what it makes."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations, islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

EXAMPLE = Path(__file__).parents[2] / "examples" / "arithmetic"
LARGEST_MODEL_BYTES = 5_000_000


def _load(name):
    spec = spec_from_file_location(f"arithmetic_{name}", EXAMPLE / f"{name}.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


generator = _load("word_problems")
scores = _load("scores")


def recompute(equation: str) -> bool:
    """Independent of the generator's own check: Python evaluates the left side."""
    left, right = equation.split("=")
    return eval(left.replace("/", "//")) == int(right) and ("/" not in left or eval(left.replace("/", "%")) == 0)


@pytest.fixture(scope="module")
def training():
    return list(islice(generator.training_problems(3), 3_000))


def test_the_same_seed_gives_the_same_problems(training):
    assert list(islice(generator.training_problems(3), 3_000)) == training
    assert generator.make_benchmark(5) == generator.make_benchmark(5)
    assert generator.make_benchmark(5) != generator.make_benchmark(6)


def test_every_equation_is_true_and_the_last_one_is_the_answer(training):
    for problem in training + generator.make_benchmark(generator.BENCHMARK_SEED):
        assert all(recompute(equation) for equation in problem.equations), problem
        assert int(problem.equations[-1].split("=")[1]) == problem.answer
        assert 1 <= problem.answer <= generator.LARGEST_VALUE
        assert 1 <= len(problem.equations) <= generator.MAX_STEPS


def test_every_number_of_a_solution_is_in_the_question_or_was_computed(training):
    for problem in training:
        known = set(generator.re.findall(r"\d+", problem.question))
        for equation in problem.equations:
            left, _, right, result = generator.EQUATION.fullmatch(equation).groups()
            assert {left, right} <= known, problem
            known.add(result)


def test_training_meets_no_held_out_question(training):
    held_out = generator.held_out_questions()
    assert len(held_out) == 200
    assert not held_out & {problem.question for problem in training}


def test_a_held_out_question_is_skipped(monkeypatch, training):
    forbidden = training[0].question
    monkeypatch.setattr(generator, "held_out_questions", lambda: frozenset({forbidden}))
    again = list(islice(generator.training_problems(3), 50))
    assert again == [problem for problem in training if problem.question != forbidden][:50]


def test_a_worked_completion_passes_both_judgements(training):
    for problem in training[:500]:
        assert generator.final_answer(problem.completion) == problem.answer
        assert generator.chain_holds(problem.completion, problem.answer)


@pytest.mark.parametrize(
    "completion",
    [
        "17*23=391\n391+58=449\n#### 448",  # another number than the chain's
        "17*23=381\n391+58=449\n#### 449",  # a false equation on the way to the right answer
        "17*23=391\n#### 449",  # the chain stops short
        "#### 449",  # no work at all
        "17*23=391\n391+58=449",  # no final answer
        "17*23=391\nso\n391+58=449\n#### 449",  # a line that is no equation
        "449/0=449\n#### 449",
        "900/2=449\n#### 449",  # division is exact
        "",
    ],
)
def test_the_chain_check_rejects(completion):
    assert not generator.chain_holds(completion, 449)


def test_the_chain_check_allows_spaces_around_operators():
    assert generator.chain_holds("17 * 23 = 391\n391 + 58 = 449\n#### 449\n", 449)


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_a_problem_has_as_many_steps_as_asked(seed, steps):
    assert len(generator.make_problem(generator.random.Random(seed), steps).equations) == steps


@pytest.mark.parametrize("steps", [0, 9])
def test_an_impossible_number_of_steps_is_named(steps):
    with pytest.raises(ValueError, match="1 to 8 steps"):
        generator.make_problem(generator.random.Random(0), steps)


def test_the_shipped_problems_are_the_generators():
    lines = (EXAMPLE / "problems.jsonl").read_text().splitlines()
    assert lines == generator.benchmark_lines()
    problems = [json.loads(line) for line in lines]
    assert [p["id"] for p in problems] == [f"arith-{n:03d}" for n in range(1, 101)]
    assert len({p["prompt"] for p in problems}) == 100
    assert {p["metadata"]["steps"] for p in problems} == set(range(1, 9))


def test_the_shipped_model_is_small_and_whole():
    files = {path.name: path for path in (EXAMPLE / "model").iterdir()}
    needed = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert needed <= set(files)
    assert sum(path.stat().st_size for path in files.values()) <= LARGEST_MODEL_BYTES
    config = json.loads(files["config.json"].read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["max_position_embeddings"] >= 512
    tokenizer = json.loads(files["tokenizer.json"].read_text())
    assert tokenizer["model"]["vocab"]["<|endoftext|>"] == config["eos_token_id"]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=7), st.data())
def test_the_best_of_k_is_what_every_choice_of_k_says(scored, data):
    k = data.draw(st.integers(1, len(scored)))
    chosen = list(combinations(scored, k))
    best = [[right for score, right in choice if score == max(choice)[0]] for choice in chosen]
    wanted = sum(sum(right) / len(right) for right in best) / len(chosen)
    assert scores.best_of(scored, k) == pytest.approx(wanted)


def test_pairs_of_right_and_wrong():
    assert scores.pair_share([(2.0, True), (1.0, False), (2.0, False), (3.0, False)]) == pytest.approx(0.5)
    assert scores.pair_share([(2.0, True)]) is None
