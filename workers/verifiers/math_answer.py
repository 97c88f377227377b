"""Final answers in the style of MATH: equal when they mean the same, not when they are spelt the same."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from store.errors import PassatkError
from workers.verifiers.math_equivalence import Comparison, Equivalence, check_installed
from workers.verifiers.math_extraction import STYLES, extract_answer, reference_answer
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason

#: Classes that a new answer is held against by full comparison; beyond them it founds its own.
_MOST_COMPARISONS = 64
#: Numbers that lie further apart, relative to their size, are different without a look.
_NEAR = 1e-4


class MathAnswer:
    """Verifier `math`: correct when the completion's final answer means what the reference does.

    `styles` chooses and orders the markers of `math_extraction.STYLES`. The limits are for one comparison. Equivalence
    is the library math-verify's; its version is part of the verifier's.
    """

    name = "math"
    expensive = True

    def __init__(
        self,
        styles: Sequence[str] = STYLES,
        cpu_seconds: float = 5.0,
        wall_seconds: float = 20.0,
        memory_bytes: int = 2 << 30,
    ) -> None:
        unknown = [style for style in styles if style not in STYLES]
        if unknown or not styles:
            raise PassatkError(f"answer style {unknown or 'missing'} is unknown: choose among {', '.join(STYLES)}")
        self.styles = tuple(styles)
        self.version = f"1+math-verify{check_installed()}"
        self._equivalence = Equivalence(cpu_seconds, wall_seconds, memory_bytes)
        self._kinds: dict[str, Comparison] = {}

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; `undecided` where the problem has no reference that can be read.

        Raises VerifierBroken where the process that compares formulas does not stay alive.
        """
        reference = None if problem.reference_answer is None else reference_answer(problem.reference_answer)
        known: dict[str | None, Judgement] = {}
        judgements = []
        for completion in completions:
            answer = extract_answer(completion, self.styles)
            if answer not in known:
                known[answer] = self._judge_one(reference, answer)
            judgements.append(known[answer])
        return judgements

    def classes(self, problem: Problem, answers: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        """The class of each answer: of those in `known` (answer -> class) the first that means the same, or itself.

        The reference is the class of every answer equal to it.
        """
        reference = None if problem.reference_answer is None else reference_answer(problem.reference_answer)
        heads = list(dict.fromkeys(known.values()))
        if reference is not None:
            heads = [reference, *(head for head in heads if head != reference)]
        found: dict[str, str] = {}
        for answer in answers:
            found[answer] = known.get(answer) or self._class_of(heads, answer)
            if found[answer] not in heads:
                heads.append(found[answer])
        return found

    def close(self) -> None:
        """End the process that compares."""
        self._equivalence.close()

    def _judge_one(self, reference: str | None, answer: str | None) -> Judgement:
        start = time.perf_counter()
        if reference is None:
            return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, detail={"error": "no reference answer to read"})
        if answer is None:
            return Judgement(Outcome.INCORRECT, Reason.NO_ANSWER, detail={"expected": reference, "got": None})
        outcome, reason = self._compared(reference, answer)
        detail = None if outcome is Outcome.CORRECT else {"expected": reference, "got": answer}
        kept = None if reason is Reason.NO_ANSWER else answer
        return Judgement(outcome, reason, answer=kept, seconds=time.perf_counter() - start, detail=detail)

    def _compared(self, reference: str, answer: str) -> tuple[Outcome, Reason | None]:
        if answer == reference:
            return Outcome.CORRECT, None
        found = self._equivalence.compare(reference, answer)
        if found.failed is not None:
            # A reference that cannot even be compared with a number decides nothing.
            if self._kind(reference).failed is not None:
                return Outcome.UNDECIDED, Reason.VERIFIER_ERROR
            return Outcome.INCORRECT, found.failed
        if found.equal:
            return Outcome.CORRECT, None
        return Outcome.INCORRECT, Reason.WRONG_ANSWER if found.parsed else Reason.NO_ANSWER

    def _class_of(self, heads: Sequence[str], answer: str) -> str:
        if answer in heads:
            return answer
        mine = self._kind(answer)
        if mine.failed is not None or not mine.parsed:
            return answer
        compared = 0
        for head in heads:
            theirs = self._kind(head)
            if theirs.failed is not None or _differ(mine, theirs):
                continue
            compared += 1
            if compared > _MOST_COMPARISONS:
                break
            found = self._equivalence.compare(head, answer)
            if found.failed is None and found.equal:
                return head
        return answer

    def _kind(self, answer: str) -> Comparison:
        if answer not in self._kinds:
            if len(self._kinds) >= 100_000:
                self._kinds.clear()
            self._kinds[answer] = self._equivalence.compare("1", answer)
        return self._kinds[answer]


def _differ(one: Comparison, other: Comparison) -> bool:
    """Whether two answers differ at a glance: plain numbers that lie apart, or a number and an open expression."""
    if {one.kind, other.kind} == {"number", "expression"}:
        return True
    a, b = _value(one), _value(other)
    return a is not None and b is not None and abs(a - b) > _NEAR * max(1.0, abs(a), abs(b))


def _value(of: Comparison) -> complex | None:
    try:
        return None if of.value is None else complex(of.value.replace("*I", "j").replace(" ", ""))
    except ValueError:
        return None
