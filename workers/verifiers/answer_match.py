"""Final-answer match in the GSM8K style: take the number after the marker, normalise it, hold it against the reference.

The marker's pattern is the one of "Large Language Monkeys" (arXiv 2407.21787): the first match of
`#### (\\-?[\\$0-9\\.\\,]+)`. Solutions that end in a line `A: 18` (model solutions published with GSM8K) are read too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from store.errors import PassatkError
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason

#: Where an answer is looked for, in this order; the first style that finds its marker decides.
STYLES = ("hash", "a_line", "last_number")
DEFAULT_STYLES = ("hash", "a_line")

_HASH = re.compile(r"#### (\-?[\$0-9\.\,]+)")
_A_LINE = re.compile(r"^A: *(\-?[\$0-9\.\,]+)", re.MULTILINE)
_ANY_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?", re.ASCII)
_TEXT_ANSWER = re.compile(r"(?:####|^A:)[ \t]*([^\n]*)", re.MULTILINE)
_PLAIN_NUMBER = re.compile(r"(-?)(\d*)(?:\.(\d*))?", re.ASCII)
_LONGEST_ANSWER = 300


def normalise_number(text: str) -> str | None:
    """The one spelling of a number: `$1,080.00` and `01080.` are `1080`; None where `text` is no plain number."""
    bare = text.strip().replace("$", "").replace(",", "").rstrip(".")
    match = _PLAIN_NUMBER.fullmatch(bare)
    if match is None or not (match[2] or match[3]) or len(bare) > _LONGEST_ANSWER:
        return None
    whole, fraction = match[2].lstrip("0") or "0", (match[3] or "").rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return number if number == "0" else match[1] + number


def extract_number(text: str, styles: Sequence[str] = DEFAULT_STYLES) -> str | None:
    """The normalised final number of a solution, or None where there is none."""
    for style in styles:
        found = _marked(text, style)
        if found is not None:
            return normalise_number(found)
    return None


def extract_text(text: str) -> str | None:
    """The final answer as words (case folded, white space collapsed): for references that are not numbers."""
    match = _TEXT_ANSWER.search(text)
    words = " ".join(match[1].split()).casefold() if match else ""
    return words[:_LONGEST_ANSWER] or None


def reference_of(problem: Problem) -> str | None:
    """The problem's normalised reference, which may be given bare or as a whole GSM8K solution ending in `#### n`."""
    reference = problem.reference_answer
    if reference is None:
        return None
    return extract_number(reference) or normalise_number(reference)


def _marked(text: str, style: str) -> str | None:
    if style == "last_number":
        numbers: list[str] = _ANY_NUMBER.findall(text)
        return numbers[-1] if numbers else None
    match = (_HASH if style == "hash" else _A_LINE).search(text)
    return match[1] if match else None


class AnswerMatch:
    """Verifier `answer`: correct when the completion's final answer is the problem's.

    `styles` chooses and orders the markers of STYLES; `last_number` takes the last number of the text as a last resort.
    """

    name = "answer"
    version = "1"
    expensive = False

    def __init__(self, styles: Sequence[str] = DEFAULT_STYLES) -> None:
        unknown = [style for style in styles if style not in STYLES]
        if unknown or not styles:
            raise PassatkError(f"answer style {unknown or 'missing'} is unknown: choose among {', '.join(STYLES)}")
        self.styles = tuple(styles)
        if self.styles != DEFAULT_STYLES:
            self.version = "1+" + ",".join(self.styles)

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; `undecided` where the problem carries no reference answer."""
        reference = reference_of(problem)
        words = None if reference or problem.reference_answer is None else _reference_words(problem.reference_answer)
        return [self._judge_one(reference, words, completion) for completion in completions]

    def close(self) -> None:
        """Nothing is held open."""

    def _judge_one(self, reference: str | None, words: str | None, completion: str) -> Judgement:
        start = time.perf_counter()
        number = extract_number(completion, self.styles)
        answer = number if words is None else extract_text(completion)
        expected = reference if words is None else words
        outcome, reason = compare(answer, expected)
        detail = None if outcome is Outcome.CORRECT else {"expected": expected, "got": answer}
        return Judgement(outcome, reason, answer=answer, seconds=time.perf_counter() - start, detail=detail)


def compare(answer: str | None, expected: str | None) -> tuple[Outcome, Reason | None]:
    """Two normalised answers compared; without an expected one nothing can be decided."""
    if expected is None:
        return Outcome.UNDECIDED, Reason.VERIFIER_ERROR
    if answer is None:
        return Outcome.INCORRECT, Reason.NO_ANSWER
    return (Outcome.CORRECT, None) if answer == expected else (Outcome.INCORRECT, Reason.WRONG_ANSWER)


def _reference_words(reference: str) -> str | None:
    marked = extract_text(reference)
    return marked or " ".join(reference.split()).casefold()[:_LONGEST_ANSWER] or None
