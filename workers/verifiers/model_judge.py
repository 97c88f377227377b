"""A language model as judge, through an OpenAI-compatible endpoint: of single completions, or of pairs of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import PassatkError
from workers.verifiers.judge_client import Answer, JudgeClient
from workers.verifiers.judge_prompts import (
    DEFAULT_RUBRIC,
    PAIR,
    RUBRIC,
    pair_prompt,
    read_better,
    read_verdict,
    rubric_prompt,
)
from workers.verifiers.protocol import Environment, Judgement, JudgingCost, Outcome, Problem, Reason


@dataclass(frozen=True)
class Preference:
    """Of two completions the better one: `first`, `second`, `tie`, or `undecided`; by each order what was said.

    `forward`: with the first one shown first; `backward`: with the second one shown first (in the words of the pair).
    """

    winner: str
    forward: str
    backward: str
    seconds: float
    costs: tuple[JudgingCost, JudgingCost]


class ModelJudge:
    """Verifier `judge`: correct when the judging model says so.

    `rubric` says what counts, `template` replaces the whole prompt ({prompt}, {completion}, {reference}, {rubric}),
    `show_reference` lets the judge see the problem's reference answer. What it cost is kept with each verdict. The
    score is the judge's, from 0 to 1. An answer that cannot be read is `undecided`. The key comes from
    PASSATK_OPENAI_API_KEY.
    """

    name = "judge"
    expensive = True

    def __init__(
        self,
        model: str,
        base_url: str = "http://127.0.0.1:8000/v1",
        rubric: str = DEFAULT_RUBRIC,
        template: str = RUBRIC,
        show_reference: bool = False,
        max_tokens: int = 1024,
        concurrency: int = 16,
        seconds: float = 300.0,
        attempts: int = 8,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if "{completion}" not in template:
            raise PassatkError("verifier judge: the template must say where the answer goes, with {completion}")
        self._rubric, self._template, self._show_reference = rubric, template, show_reference
        asked = "\n".join((template, PAIR, rubric, str(show_reference)))
        self.version = f"1+{model}+{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
        self._model = model
        self._client = JudgeClient(model, base_url, max_tokens, concurrency, seconds, attempts, dict(extra or {}))

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; empty ones are not asked about. Raises VerifierBroken."""
        started = time.perf_counter()
        asked = [text for text in dict.fromkeys(completions) if text.strip()]
        reference = problem.reference_answer if self._show_reference else None
        questions = [rubric_prompt(self._template, problem.prompt, reference, text, self._rubric) for text in asked]
        answers = dict(zip(asked, self._client.ask(questions), strict=True))
        seconds = (time.perf_counter() - started) / max(1, len(asked))
        return [
            _judgement(answers[text], seconds) if text in answers else Judgement(Outcome.INCORRECT, Reason.NO_ANSWER)
            for text in completions
        ]

    def prefer(self, problem: Problem, pairs: Sequence[tuple[str, str]]) -> list[Preference]:
        """For each pair the better completion, asked in both orders: a judge who contradicts itself calls a tie."""
        started = time.perf_counter()
        questions = [
            pair_prompt(problem.prompt, one, other, self._rubric)
            for first, second in pairs
            for one, other in ((first, second), (second, first))
        ]
        answers = self._client.ask(questions)
        seconds = (time.perf_counter() - started) / max(1, len(pairs))
        return [
            _preference(forward, backward, seconds)
            for forward, backward in zip(answers[::2], answers[1::2], strict=True)
        ]

    def environment(self) -> Environment:
        """No program runs here; the judge is the model."""
        return Environment("host", {"judge": self._model})

    def close(self) -> None:
        """End what waits for the endpoint."""
        self._client.close()


def _judgement(answer: Answer, seconds: float) -> Judgement:
    right, score = read_verdict(answer.text)
    detail = {"said": answer.text[-2000:]} if answer.refused is None else {"refused": answer.refused}
    if right is None:
        return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, seconds=seconds, detail=detail, cost=answer.cost)
    outcome, reason = (Outcome.CORRECT, None) if right else (Outcome.INCORRECT, Reason.WRONG_ANSWER)
    return Judgement(outcome, reason, score=score, seconds=seconds, detail=detail, cost=answer.cost)


def _preference(forward: Answer, backward: Answer, seconds: float) -> Preference:
    there = {"a": "first", "b": "second", "tie": "tie", None: "undecided"}[read_better(forward.text)]
    back = {"a": "second", "b": "first", "tie": "tie", None: "undecided"}[read_better(backward.text)]
    agreed = there if there == back else "tie"
    winner = "undecided" if "undecided" in (there, back) else agreed
    return Preference(winner, there, back, seconds, (forward.cost, backward.cost))
