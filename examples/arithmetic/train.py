"""Train the demo's language model: a Llama of under two million parameters that solves word problems step by step.

    python examples/arithmetic/train.py --out examples/arithmetic/model

Needs torch, transformers and safetensors (they come with the CPU engine) and no compiler. The same seed, machine and
thread count give the same weights.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from word_problems import (
    VALIDATION_SEED,
    Problem,
    chain_holds,
    final_answer,
    make_benchmark,
    training_problems,
)

VOCABULARY = 512
CONTEXT = 512
MAX_NEW_TOKENS = 160
END = "<|endoftext|>"
IGNORED = -100
BATCHES_PER_POOL = 32
"""Problems are drawn in pools of so many batches and sorted by length within one, so that little is padding."""


@dataclass(frozen=True)
class Recipe:
    """What decides the weights."""

    steps: int
    batch: int = 32
    seed: int = 7
    muon_rate: float = 4e-3
    adam_rate: float = 3e-3
    warmup: int = 50
    cooldown: float = 0.6  # share of the steps over which the rates fall to nothing


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of VOCABULARY entries in which every digit is a token of its own."""
    core = Tokenizer(BPE())
    splits = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    core.pre_tokenizer = pre_tokenizers.Sequence(splits)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator((p.prompt + p.completion for p in islice(training_problems(seed), 5_000)), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        eos_token=END,
        pad_token=END,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained model: 4 layers of width 192, 6 heads of 32, the smallest size vLLM attends with on a CPU."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    model.set_attn_implementation("eager")  # on a CPU the backward pass of the fused kernel is 40 % of a step
    return model


def batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (ids, labels), each [batch, longest]; labels are IGNORED on the question and the padding."""
    problems, rng = training_problems(recipe.seed), random.Random(recipe.seed)
    core, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    while True:
        pool = list(islice(problems, recipe.batch * BATCHES_PER_POOL))
        questions = [e.ids for e in core.encode_batch([p.prompt for p in pool])]
        answers = [[*e.ids, end] for e in core.encode_batch([p.completion for p in pool])]
        pairs = sorted(zip(questions, answers, strict=True), key=lambda pair: len(pair[0]) + len(pair[1]))
        starts = list(range(0, len(pairs), recipe.batch))
        rng.shuffle(starts)
        for start in starts:
            yield _padded(pairs[start : start + recipe.batch], end)


def _padded(pairs: list[tuple[list[int], list[int]]], end: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(question) + len(answer) for question, answer in pairs)
    ids = torch.full((len(pairs), longest), end)
    labels = torch.full((len(pairs), longest), IGNORED)
    for row, (question, answer) in enumerate(pairs):
        width = len(question) + len(answer)
        ids[row, :width] = torch.tensor(question + answer)
        labels[row, len(question) : width] = torch.tensor(answer)
    return ids, labels


def completion_loss(model: LlamaForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy of the worked steps; logits are computed for those positions only."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[wanted])
    return torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][wanted])


def optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers" in name]
    outer = [p for name, p in model.named_parameters() if not (p.ndim == 2 and "layers" in name)]
    return [
        torch.optim.Muon(inner, lr=recipe.muon_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate_at(step: int, recipe: Recipe) -> float:
    """Learning rate at `step` as a share of the full one: warm up, hold, fall linearly to nothing."""
    falling = (recipe.steps - step) / (recipe.cooldown * recipe.steps)
    return min(1.0, (step + 1) / recipe.warmup, falling)


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, folder: Path) -> None:
    """Train in place, printing loss, speed and validation scores; every thousand steps is saved to `folder`."""
    steppers = optimizers(model, recipe)
    full_rates = [stepper.param_groups[0]["lr"] for stepper in steppers]
    began, tokens, losses = time.monotonic(), 0, 0.0
    for step, (ids, labels) in enumerate(islice(batches(tokenizer, recipe), recipe.steps)):
        for stepper, full in zip(steppers, full_rates, strict=True):
            stepper.param_groups[0]["lr"] = full * rate_at(step, recipe)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = completion_loss(model, ids, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        tokens += ids.numel()
        losses += loss.item()
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - began
            speed = f"{tokens / spent:7.0f} tokens/s  {spent:5.0f} s"
            print(f"step {step + 1:6d}  loss {losses / 100:.4f}  {speed}", flush=True)
            losses = 0.0
        if (step + 1) % 1000 == 0:
            save(model, tokenizer, folder)
            report(model, tokenizer, make_benchmark(VALIDATION_SEED), samples=1)


@torch.no_grad()
def sample(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> list[str]:
    """One completion per prompt at temperature 1."""
    # Padded here: asking the tokenizer to pad would leave it padding for ever, the training batches included.
    encoded = [e.ids for e in tokenizer.backend_tokenizer.encode_batch(prompts)]
    longest = max(map(len, encoded))
    ids = torch.tensor([[tokenizer.eos_token_id] * (longest - len(row)) + row for row in encoded])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in encoded])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sampled: Any = model.generate(  # type: ignore[misc]
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=MAX_NEW_TOKENS,
            eos_token_id=tokenizer.eos_token_id,
        )
    texts: list[str] = tokenizer.batch_decode(sampled[:, longest:], skip_special_tokens=True)
    return texts


def report(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: list[Problem], samples: int
) -> tuple[float, float]:
    """Print and return pass@1 by final answer and by chain, over `samples` completions of each problem."""
    model.eval()  # type: ignore[no-untyped-call]
    asked = [p for p in problems for _ in range(samples)]
    texts = sample(model, tokenizer, [p.prompt for p in asked])
    model.train()
    pairs = list(zip(asked, texts, strict=True))
    by_answer = sum(final_answer(text) == p.answer for p, text in pairs) / len(pairs)
    by_chain = sum(chain_holds(text, p.answer) for p, text in pairs) / len(pairs)
    print(
        f"held-out pass@1: {by_answer:.3f} by final answer, {by_chain:.3f} by chain ({len(pairs)} samples)", flush=True
    )
    return by_answer, by_chain


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights (bf16 safetensors), configuration and tokenizer as vLLM loads them."""
    folder.mkdir(parents=True, exist_ok=True)
    end = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True, temperature=1.0, eos_token_id=end, pad_token_id=end
    )
    deepcopy(model).to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # weights are written for their owner alone


def main() -> None:
    """Train, save, and score what was saved on problems it has never seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--steps", type=int, default=4_200, help="optimiser steps of 32 problems")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="more than one pays only on idle cores")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = Recipe(steps=arguments.steps, seed=arguments.seed)
    tokenizer = train_tokenizer(recipe.seed)
    model = make_model(tokenizer, recipe.seed)
    print(f"{model.num_parameters():,} parameters, {recipe.steps} steps of {recipe.batch} problems", flush=True)
    train(model, tokenizer, recipe, arguments.out)
    save(model, tokenizer, arguments.out)
    report(model, tokenizer, make_benchmark(VALIDATION_SEED), samples=4)


if __name__ == "__main__":
    main()
