"""Reward models through vLLM's pooling runner: a real classifier of random weights, checked against transformers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.errors import PassatkError
from workers.verifiers import open_verifier
from workers.verifiers.protocol import Outcome, Problem, Reason
from workers.verifiers.reward_model import RewardModel, aggregated
from workers.verifiers.scored_texts import process_text
from workers.verifiers.spec import parse_verifier

pytest.importorskip("vllm", reason="no vLLM: pip install 'passatk[cpu]'")

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "arithmetic" / "model"
PROBLEM = Problem("p", "Ann has 3 pens. Ann buys 4 more. How many pens does Ann have?\n", "7")
TEXTS = ["3+4=7\n#### 7", "3+4=8\n8+1=9\n#### 9", "#### 5", "3+4=7\n\n\n#### 7\n"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's layers under a random head of two classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoTokenizer, LlamaForSequenceClassification

        torch.manual_seed(5)
        model = LlamaForSequenceClassification.from_pretrained(DEMO, num_labels=2, dtype=torch.float32)
        torch.nn.init.normal_(model.score.weight, std=0.05)
        folder = tmp_path_factory.mktemp("classifier")
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(DEMO).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def expected(classifier: Path) -> Any:
    """Probabilities of class 1 at every token, by transformers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoTokenizer, LlamaForSequenceClassification

        model = LlamaForSequenceClassification.from_pretrained(classifier, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(classifier)

        @torch.no_grad()
        def scores(text: str) -> list[float]:
            ids = torch.tensor([tokenizer.encode(text)])
            logits = model.score(model.model(input_ids=ids).last_hidden_state[0])
            return torch.softmax(logits, -1)[:, 1].tolist()

        return scores


@pytest.fixture
def opened(classifier: Path) -> Iterator[Any]:
    verifiers: list[RewardModel] = []

    def open_one(**options: Any) -> RewardModel:
        verifiers.append(RewardModel(str(classifier), engine={"dtype": "float32"}, **options))
        return verifiers[-1]

    yield open_one
    for verifier in verifiers:
        verifier.close()


def test_outcome_scores_are_the_models_own(opened: Any, expected: Any) -> None:
    verifier = opened(threshold=0.5)
    judged = verifier.judge(PROBLEM, TEXTS)
    wanted = [expected(PROBLEM.prompt + text)[-1] for text in TEXTS]
    assert [one.score for one in judged] == pytest.approx(wanted, abs=1e-3)
    assert [one.outcome is Outcome.CORRECT for one in judged] == [score >= 0.5 for score in wanted]
    assert all(one.steps is None and one.cost is not None and one.cost.prompt_tokens for one in judged)
    assert [one.score for one in verifier.judge(PROBLEM, TEXTS)] == [one.score for one in judged]


def test_process_scores_stand_at_the_ends_of_steps(opened: Any, expected: Any) -> None:
    judged = opened(kind="process", aggregate="min").judge(PROBLEM, TEXTS)
    assert [len(one.steps) for one in judged] == [2, 3, 1, 2]
    for one, text in zip(judged, TEXTS, strict=True):
        scores = expected(PROBLEM.prompt + text)
        assert one.steps[-1] == pytest.approx(scores[-1], abs=1e-3)
        assert one.score == min(one.steps)
    first = expected(PROBLEM.prompt + "3+4=7\n")[-1]
    assert judged[0].steps[0] == pytest.approx(first, abs=1e-3)


def test_what_does_not_fit_has_no_score(opened: Any) -> None:
    long, short = opened().judge(PROBLEM, ["1+1=2\n" * 400, "#### 7"])
    assert (long.outcome, long.reason, long.score) == (Outcome.INCORRECT, Reason.NO_ANSWER, None)
    assert short.score is not None


def test_similarity_of_embeddings(classifier: Path) -> None:
    verifier = RewardModel(str(DEMO), kind="similarity", threshold=0.99, engine={"dtype": "float32"})
    same, other = verifier.judge(PROBLEM, ["7", "Finn sells crates"])
    verifier.close()
    assert same.score == pytest.approx(1.0, abs=1e-3)
    assert same.outcome is Outcome.CORRECT
    assert other.score < same.score


def test_scores_of_steps_become_one() -> None:
    steps = [0.5, 0.25, 1.0]
    assert [aggregated(steps, how) for how in ("last", "min", "mean", "product")] == [1.0, 0.25, 1.75 / 3, 0.125]
    assert aggregated([], "mean") == 0.0


def test_tags_stand_at_the_ends_of_steps() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(DEMO)
    tag = "<|endoftext|>"
    text = process_text(tokenizer, "q\n", "1+1=2\n2+2=4\n#### 4", "\n", tag, False)
    assert [text.tokens[at] for at in text.step_ends] == [tokenizer.eos_token_id] * 3
    assert process_text(tokenizer, "q\n", "", "\n", None, False).step_ends == []


def test_options_are_said_on_the_command_line(classifier: Path) -> None:
    name, options = parse_verifier(f"reward:model={classifier},kind=process,threshold=0.7")
    verifier = open_verifier(name, options)
    assert verifier.options == {"model": str(classifier), "kind": "process", "threshold": 0.7}
    assert verifier.version.startswith("1+")
    assert parse_verifier('math:{"styles": ["boxed", "hash"]}') == ("math", {"styles": ["boxed", "hash"]})
    assert parse_verifier("chain") == ("chain", {})
    for wrong in ("", "reward:", "reward:model", 'math:{"styles"'):
        with pytest.raises(PassatkError):
            parse_verifier(wrong)
    with pytest.raises(PassatkError, match="kinds outcome, process, similarity"):
        open_verifier("reward", {"model": "m", "kind": "vibes"})


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(PassatkError, match="/no/such"):
        RewardModel("/no/such/folder").judge(PROBLEM, ["1"])
