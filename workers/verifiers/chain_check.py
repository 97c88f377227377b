"""Chain check: a final answer counts only when every worked equation that leads to it is true.

Answers drawn from a small range are hit by luck; this check tells a lucky number from a worked one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction

from workers.verifiers.answer_match import compare, extract_number, reference_of
from workers.verifiers.arithmetic import Equation, equations
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason


class ChainCheck:
    """Verifier `chain`: the right answer, given by the last of at least one worked equation, all of them true."""

    name = "chain"
    version = "1"
    expensive = False

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; `undecided` where the problem carries no numeric reference answer."""
        reference = reference_of(problem)
        return [_judge_one(reference, completion) for completion in completions]

    def close(self) -> None:
        """Nothing is held open."""


def _judge_one(reference: str | None, completion: str) -> Judgement:
    start = time.perf_counter()
    answer = extract_number(completion)
    outcome, reason = compare(answer, reference)
    detail: dict[str, object] = {"expected": reference, "got": answer}
    if answer is not None and reference is not None:
        fault = _fault(list(equations(completion)), answer)
        if fault is not None:
            outcome, reason = Outcome.INCORRECT, Reason.WRONG_ANSWER
            detail |= fault
    seconds = time.perf_counter() - start
    return Judgement(outcome, reason, answer, seconds=seconds, detail=None if outcome is Outcome.CORRECT else detail)


def _fault(chain: list[Equation], answer: str) -> dict[str, object] | None:
    """What is wrong with the chain that should lead to `answer`, or None."""
    if not chain:
        return {"fault": "no worked equation"}
    false = next((equation for equation in chain if not equation.holds), None)
    if false is not None:
        return {"fault": "false equation", "equation": false.text}
    if chain[-1].result != Fraction(answer):
        return {"fault": "the last equation does not give the answer", "equation": chain[-1].text}
    return None
