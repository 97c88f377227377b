"""The demo's reward model: wired as its docstring says, read by vLLM as by transformers, and of use on its problems."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from workers.verifiers.protocol import Problem
from workers.verifiers.reward_model import RewardModel

pytest.importorskip("vllm", reason="no vLLM: pip install 'passatk[cpu]'")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "arithmetic"
QUESTION = "Ann has 38 pens. Ann buys 4 boxes of 17. Ann loses 9. How many pens does Ann have?\n"
RIGHT = "4*17=68\n38+68=106\n106-9=97\n#### 97"
WRONG = [RIGHT.replace("68", "78").replace("106", "116").replace("97", "107"), RIGHT.replace("#### 97", "#### 96")]


@pytest.fixture
def torch() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    return torch


def test_the_wired_layers_say_what_was_expected_instead(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token's doubt is the sum over other tokens b of silu(2 (l_b - l_written) - 1) / 2, l the language model's."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    from scorer_wiring import SHARPNESS, wired_scorer
    from transformers import AutoTokenizer, LlamaForCausalLM

    scorer, places = wired_scorer(EXAMPLE / "model")
    model = LlamaForCausalLM.from_pretrained(EXAMPLE / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLE / "model")
    streams: list[Any] = []
    for layer in scorer.model.layers[-2:]:
        layer.register_forward_hook(lambda _, given, made: streams.append(made[0] if isinstance(made, tuple) else made))
    start = len(tokenizer.encode(QUESTION))
    for completion in (RIGHT, *WRONG):
        ids = torch.tensor([tokenizer.encode(QUESTION + completion)])
        streams.clear()
        with torch.no_grad():
            scorer.model(ids)
            expected = model(ids).logits[0, start - 1 : -1]
        doubts = []
        for logits, token in zip(expected, ids[0, start:].tolist(), strict=True):
            others = logits[[one for one in places.written if one != token]]
            doubts.append(torch.nn.functional.silu(2 * (others - logits[token]) - 1).sum() / 2)
        doubt = torch.stack(doubts)
        first, second = (stream.reshape(-1, stream.shape[-1]) for stream in streams)
        torch.testing.assert_close(first[start:, places.doubt], doubt, atol=0.02, rtol=1e-3)
        for place, sharpness in enumerate(SHARPNESS):
            soft = (torch.softmax(sharpness * doubt, 0) * doubt).sum()
            torch.testing.assert_close(second[-1, places.worst + place], soft, atol=0.05, rtol=1e-3)


def test_vllm_reads_the_scorer_as_transformers_does_and_it_likes_what_is_right(torch: Any) -> None:
    from transformers import AutoTokenizer, LlamaForSequenceClassification

    model = LlamaForSequenceClassification.from_pretrained(EXAMPLE / "scorer", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLE / "scorer")
    verifier = RewardModel(str(EXAMPLE / "scorer"), kind="process", engine={"dtype": "float32"})
    try:
        judged = verifier.judge(Problem("p", QUESTION, "97"), [RIGHT, *WRONG])
    finally:
        verifier.close()
    for completion, one in zip((RIGHT, *WRONG), judged, strict=True):
        ids = torch.tensor([tokenizer.encode(QUESTION + completion)])
        with torch.no_grad():
            wanted = torch.sigmoid(model.score(model.model(ids).last_hidden_state[0, -1])).item()
        assert one.score == pytest.approx(wanted, abs=1e-3)
    right, early, late = (one.steps for one in judged)
    assert min(right) > max(early)  # wrong from the first line on, and every line after it says so
    assert late[:-1] == pytest.approx(right[:-1], abs=1e-6)  # the steps before a mistake are not blamed
    assert late[-1] < right[-1]
