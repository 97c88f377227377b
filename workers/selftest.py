"""A verifier tried on a benchmark itself: reference solutions must pass, programs changed in one place must fail."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from store.errors import PassatkError
from workers.errors import VerifierBroken
from workers.verifiers import open_verifier
from workers.verifiers.answer_match import extract_number, normalise_number
from workers.verifiers.mutants import mutants
from workers.verifiers.programs import program_of, reference_of
from workers.verifiers.protocol import Judgement, Outcome, Problem, Verifier
from workers.verifiers.stdin_tests import contest_solutions

#: Reference solutions tried of a problem that has many, and wrong ones.
_MOST_REFERENCES = 3


@dataclass(frozen=True)
class Examined:
    """How a verifier did on one problem: references that pass of those tried, mutants that fail of those made.

    `fault` says what the first failing reference failed on, or why the problem cannot be judged.
    """

    key: str
    references: int
    passed: int
    mutants: int
    failed: int
    fault: Mapping[str, Any] | None = None

    @property
    def reference_fails(self) -> bool:
        """Whether a reference solution fails, or the problem cannot be judged at all."""
        return self.fault is not None

    @property
    def nothing_fails(self) -> bool:
        """Whether every mutant passes: the tests tell nothing apart."""
        return self.mutants > 0 and self.failed == 0


def examine(verifier: Verifier, problem: Problem, most_mutants: int) -> Examined:
    """Judge the problem's references and mutants of the first of them."""
    references = references_of(verifier, problem)
    if not references:
        return Examined(problem.key, 0, 0, 0, 0)
    made = mutants_of(verifier, problem, references[0], most_mutants)
    try:
        judgements = verifier.judge(problem, [*references, *made])
    except VerifierBroken as error:
        return Examined(problem.key, len(references), 0, len(made), 0, {"error": str(error)})
    of_references, of_mutants = judgements[: len(references)], judgements[len(references) :]
    fault = next((_told(judgement) for judgement in of_references if judgement.outcome is not Outcome.CORRECT), None)
    return Examined(
        problem.key,
        len(references),
        sum(judgement.outcome is Outcome.CORRECT for judgement in of_references),
        len(made),
        sum(judgement.outcome is Outcome.INCORRECT for judgement in of_mutants),
        fault,
    )


def _told(judgement: Judgement) -> Mapping[str, Any]:
    detail = {name: value for name, value in (judgement.detail or {}).items() if name not in ("limits", "sandbox")}
    return {"outcome": judgement.outcome.value, "reason": judgement.reason and judgement.reason.value, **detail}


def references_of(verifier: Verifier, problem: Problem) -> list[str]:
    """Completions that must be judged correct; [] where the problem brings none for this verifier.

    A verifier may say so itself, in a method `references(problem)`.
    """
    own = getattr(verifier, "references", None)
    if callable(own):
        return [str(text) for text in own(problem)][:_MOST_REFERENCES]
    if verifier.name == "stdin-tests":
        return contest_solutions(problem)[:_MOST_REFERENCES]
    if verifier.name == "unit-tests":
        reference = reference_of(problem)
        return [] if reference is None else [reference]
    answer = problem.reference_answer
    if answer is None:
        return []
    return [answer if "####" in answer else f"#### {answer}"]


def mutants_of(verifier: Verifier, problem: Problem, reference: str, most: int) -> list[str]:
    """Completions that must be judged wrong. A verifier may have a method `mutants` for them."""
    own = getattr(verifier, "mutants", None)
    if callable(own):
        return [str(text) for text in own(problem, reference, most)]
    if verifier.name == "unit-tests":
        return mutants(program_of(problem, reference), most)
    if verifier.name == "stdin-tests":
        wrong = contest_solutions(problem, "incorrect_solutions")[:_MOST_REFERENCES]
        return [*wrong, *mutants(reference, most)]
    number = extract_number(reference) or normalise_number(problem.reference_answer or "")
    if number is None or not number.lstrip("-").isdigit():
        return ["#### no such answer"]
    return [f"#### {int(number) + 1}", f"#### {int(number) - 1}", f"#### {number}0"]


def selftest(
    name: str, options: Mapping[str, Any], problems: Sequence[Problem], most_mutants: int, jobs: int
) -> Iterator[Examined]:
    """Examine problems in `jobs` processes, in order. Raises PassatkError, SandboxUnavailable."""
    open_verifier(name, options).close()
    # Spawned, not forked: a verifier's sandbox must start from a process that holds nothing of ours.
    context = multiprocessing.get_context("spawn")
    arguments = (name, dict(options), most_mutants)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_open, initargs=arguments) as pool:
        yield from pool.map(_examine, problems)


_opened: list[tuple[Verifier, int]] = []


def _open(name: str, options: Mapping[str, Any], most_mutants: int) -> None:
    import atexit

    verifier = open_verifier(name, options)
    atexit.register(verifier.close)
    _opened.append((verifier, most_mutants))


def _examine(problem: Problem) -> Examined:
    verifier, most_mutants = _opened[0]
    return examine(verifier, problem, most_mutants)


def default_jobs() -> int:
    """One process a core."""
    return len(os.sched_getaffinity(0))


class SelftestFailed(PassatkError):
    """The verifier and the benchmark do not agree."""
